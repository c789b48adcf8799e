package callback

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/chat"
	"wecom-archive/shared/store"
)

const (
	// MaxBody is the most bytes of a request that are read. Events have a few hundred.
	MaxBody = 64 << 10
	// Window is how far a request's timestamp may be from our clock.
	Window = 5 * time.Minute
	// DefaultDelay is how long a pull waits for further notifies.
	DefaultDelay = 10 * time.Minute

	maxParameter = 256 // bytes, of a query parameter other than echostr
	maxEcho      = 4096
)

// Waker has the puller started.
type Waker interface {
	// Wake has one pull started after delay, a multiple of a second up to 15 min.
	Wake(ctx context.Context, delay time.Duration) error
}

// People are known by other userids, too.
type People interface {
	Aliases(ctx context.Context) (catalog.Aliases, error)
}

// Consents is where an agreement is noted.
type Consents interface {
	PutConsent(ctx context.Context, facts ...catalog.ConsentFact) error
}

// Journal is where callbacks are noted, and that a pull is under way for them.
type Journal interface {
	CallbackHeard(ctx context.Context, signature string, at time.Time) (bool, error)
	MarkCallbackHeard(ctx context.Context, signature string, at time.Time) error
	PutCallback(ctx context.Context, cb archive.Callback) error
	ClaimWake(ctx context.Context, now time.Time, delay time.Duration) (bool, error)
	DropWake(ctx context.Context) error
}

// Config is what a Handler needs. All fields but Delay are required.
type Config struct {
	Corp string
	// Cipher makes the scheme with the secrets as they were lately; or, if refused is not
	// nil, as they are now: they may have changed since refused was made, which did not
	// open a message. It may give refused back.
	Cipher   func(ctx context.Context, refused *Cipher) (*Cipher, error)
	Objects  store.Objects
	People   People
	Consents Consents
	Journal  Journal
	Waker    Waker
	Delay    time.Duration // that pulls are put together over; 0: DefaultDelay
	Now      func() time.Time
	Log      *slog.Logger
}

// Handler is the endpoint. GET is how the console tries it out; POST brings an event.
//
// A refused request is answered with a status and no words. A message that could not
// be stored is answered with 500: WeCom sends it again.
type Handler struct{ Config }

// New makes the endpoint.
func New(c Config) *Handler {
	if c.Delay == 0 {
		c.Delay = DefaultDelay
	}
	return &Handler{c}
}

var (
	errStale   = errors.New("its timestamp is too far from our clock")
	errReplay  = errors.New("it was dealt with before")
	errRequest = errors.New("it has no callback's shape")
)

// ServeHTTP implements http.Handler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	var answer []byte
	var err error
	switch r.Method {
	case http.MethodGet:
		answer, err = h.echo(r)
	case http.MethodPost:
		answer, err = []byte("success"), h.receive(w, r)
	default:
		w.Header().Set("Allow", "GET, POST")
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	if err == nil {
		_, _ = w.Write(answer) // whoever asked is gone, if this fails
		return
	}
	status := statusOf(err)
	h.Log.WarnContext(r.Context(), "a callback is refused", "status", status, "error", err)
	w.WriteHeader(status)
}

func statusOf(err error) int {
	for _, refused := range []error{ErrSignature, ErrSealed, ErrOtherCorp, errStale, errReplay} {
		if errors.Is(err, refused) {
			return http.StatusForbidden
		}
	}
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		return http.StatusRequestEntityTooLarge
	}
	if errors.Is(err, ErrXML) || errors.Is(err, errRequest) {
		return http.StatusBadRequest
	}
	return http.StatusInternalServerError
}

// letter is what the URL of a request says.
type letter struct {
	signature, timestamp, nonce string
	at                          time.Time
}

// letter reads the URL. It comes before anything that costs.
func (h *Handler) letter(r *http.Request) (letter, error) {
	q := r.URL.Query()
	l := letter{signature: q.Get("msg_signature"), timestamp: q.Get("timestamp"), nonce: q.Get("nonce")}
	for _, s := range []string{l.signature, l.timestamp, l.nonce} {
		if s == "" || len(s) > maxParameter {
			return l, fmt.Errorf("%w: msg_signature, timestamp and nonce are required", errRequest)
		}
	}
	seconds, err := strconv.ParseInt(l.timestamp, 10, 64)
	if err != nil {
		return l, fmt.Errorf("%w: timestamp", errRequest)
	}
	l.at = time.Unix(seconds, 0)
	if off := h.Now().Sub(l.at); off > Window || off < -Window {
		return l, errStale
	}
	return l, nil
}

func (h *Handler) echo(r *http.Request) ([]byte, error) {
	l, err := h.letter(r)
	if err != nil {
		return nil, err
	}
	sealed := r.URL.Query().Get("echostr")
	if sealed == "" || len(sealed) > maxEcho {
		return nil, fmt.Errorf("%w: echostr", errRequest)
	}
	return h.unseal(r.Context(), l, sealed)
}

// unseal opens a sealed message, also just after the secrets were changed.
func (h *Handler) unseal(ctx context.Context, l letter, sealed string) ([]byte, error) {
	c, err := h.Cipher(ctx, nil)
	if err != nil {
		return nil, err
	}
	message, err := c.Open(l.signature, l.timestamp, l.nonce, sealed)
	if !errors.Is(err, ErrSignature) && !errors.Is(err, ErrSealed) {
		return message, err
	}
	now, failed := h.Cipher(ctx, c)
	if failed != nil {
		return nil, errors.Join(err, failed)
	}
	return now.Open(l.signature, l.timestamp, l.nonce, sealed)
}

// receive deals with one event. The signature is noted last: what could not be
// stored may come again, and storing twice changes nothing.
func (h *Handler) receive(w http.ResponseWriter, r *http.Request) error {
	l, err := h.letter(r)
	if err != nil {
		return err
	}
	message, err := h.open(w, r, l)
	if err != nil {
		return err
	}
	ctx := r.Context()
	heard, err := h.Journal.CallbackHeard(ctx, l.signature, l.at)
	if err != nil {
		return err
	}
	if heard {
		return errReplay
	}
	event, err := h.read(message)
	if err != nil {
		return err
	}
	if err := h.act(ctx, event); err != nil {
		return err
	}
	return h.Journal.MarkCallbackHeard(ctx, l.signature, l.at)
}

func (h *Handler) open(w http.ResponseWriter, r *http.Request, l letter) ([]byte, error) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxBody))
	if err != nil {
		return nil, fmt.Errorf("%w: reading it: %w", errRequest, err)
	}
	outer, err := parse(body)
	if err != nil {
		return nil, err
	}
	return h.unseal(r.Context(), l, outer["Encrypt"])
}

func (h *Handler) read(message []byte) (archive.Callback, error) {
	fields, err := parse(message)
	if err != nil {
		return archive.Callback{}, err
	}
	if to := fields["ToUserName"]; to != h.Corp {
		return archive.Callback{}, ErrOtherCorp
	}
	seconds, err := strconv.ParseInt(fields["CreateTime"], 10, 64)
	if err != nil || seconds < 0 || seconds > 1<<33 {
		return archive.Callback{}, fmt.Errorf("%w: CreateTime", ErrXML)
	}
	if !utf8.Valid(message) {
		return archive.Callback{}, fmt.Errorf("%w: it is no UTF-8", ErrXML)
	}
	return archive.Callback{
		SentAt: time.Unix(seconds, 0).UTC(), ReceivedAt: h.Now().UTC(), Event: fields["Event"],
		ChangeType: fields["ChangeType"], UserID: fields["UserID"], ExternalUserID: fields["ExternalUserID"],
		XML: message,
	}, nil
}

// notify says only that new messages wait, up to four times a minute: it starts a
// pull, and no object is locked for it.
const notify = "msgaudit_notify"

func (h *Handler) act(ctx context.Context, event archive.Callback) error {
	if event.Event == notify {
		return h.wake(ctx)
	}
	if err := archive.PutEvent(ctx, h.Objects, archive.CallbackKey(event), archive.EventCallback, h.Corp, event.SentAt, event); err != nil {
		return err
	}
	aliases, err := h.People.Aliases(ctx)
	if err != nil {
		return err
	}
	if consent, ok := Consent(event, aliases); ok {
		if err := h.Consents.PutConsent(ctx, consent); err != nil {
			return err
		}
	}
	return h.Journal.PutCallback(ctx, event)
}

// Consent is what an event says of consent: that a customer agreed (D92005). Aliases
// are the userids that are known to have changed.
func Consent(e archive.Callback, aliases catalog.Aliases) (fact catalog.ConsentFact, ok bool) {
	if e.Event != "change_external_contact" || e.ChangeType != "msg_audit_approved" || e.UserID == "" || e.ExternalUserID == "" {
		return fact, false
	}
	employee, outside := chat.ParticipantOf(e.UserID), chat.ParticipantOf(e.ExternalUserID)
	employee.ID = aliases.First(employee.ID)
	return catalog.ConsentFact{
		Conversation: chat.ConversationOf("", employee, outside), Person: outside.ID,
		Status: archive.ConsentAgreed, At: e.SentAt, Source: catalog.ConsentFromCallback,
	}, true
}

// wake has a pull started, unless one is still to come.
func (h *Handler) wake(ctx context.Context) error {
	claimed, err := h.Journal.ClaimWake(ctx, h.Now(), h.Delay)
	if err != nil || !claimed {
		return err
	}
	if err := h.Waker.Wake(ctx, h.Delay); err != nil {
		return errors.Join(fmt.Errorf("asking for a pull: %w", err), h.Journal.DropWake(context.WithoutCancel(ctx)))
	}
	return nil
}

// Body is the body of a request that carries a sealed message: for simulators and
// tests.
func Body(corp, sealed string) string {
	var b strings.Builder
	b.WriteString("<xml><ToUserName>")
	_ = xml.EscapeText(&b, []byte(corp)) // a Builder takes all
	b.WriteString("</ToUserName><AgentID>2000004</AgentID><Encrypt>" + sealed + "</Encrypt></xml>")
	return b.String()
}
