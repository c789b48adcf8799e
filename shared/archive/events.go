package archive

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"wecom-archive/shared/store"
)

// EventFormat is the version of the objects below events/. A reader refuses a
// greater one.
const EventFormat = 1

// Kinds of events.
const (
	EventRun     = "run"         // Run
	EventGap     = "gap"         // Gap
	EventBinding = "key_binding" // KeyBinding
	EventRedrive = "redrive"     // Redrive
	EventCheckup = "checkup"     // Checkup
	EventScope   = "scope"       // Scope
	EventAlias   = "alias"       // Alias

	EventPullRequest = "pull_request" // PullRequest
)

// Event is a fact that stands nowhere else: an object events/dt=<day>/<name>.json.
// Events are superseded by later ones, never edited.
type Event struct {
	Format int             `json:"format"` // EventFormat
	Kind   string          `json:"kind"`
	Corp   string          `json:"corp"`
	At     time.Time       `json:"at"`
	Body   json.RawMessage `json:"body"`

	SHA256 string `json:"event_sha256"` // of this document; set by PutEvent
}

// Run is the record of one run of a stage.
type Run struct {
	ID           string    `json:"id"`
	Stage        string    `json:"stage"`
	StartedAt    time.Time `json:"started_at"`
	EndedAt      time.Time `json:"ended_at"`
	SeqFrom      uint64    `json:"seq_from"` // the cursor before
	SeqTo        uint64    `json:"seq_to"`   // and after
	Calls        int       `json:"calls"`    // of GetChatData
	Pages        int       `json:"pages"`    // stored by this run
	Adopted      int       `json:"adopted"`  // found stored by an earlier or another run
	Envelopes    int       `json:"envelopes"`
	Rejects      int       `json:"rejects"`
	Requeued     int       `json:"requeued"`                // pages queued again for the archiver
	EndReachedAt time.Time `json:"end_reached_at,omitzero"` // when WeCom was asked for more and had none
	Stopped      string    `json:"stopped"`                 // why it ended: end, deadline, lease, error
	Error        string    `json:"error,omitempty"`
	Remedy       string    `json:"remedy,omitempty"`
	Gap          bool      `json:"gap"`

	// What was known after the run, so that a lost index is restored from the
	// newest event alone; nil if that could not be read, and in the index.
	Known *Known `json:"known,omitempty"`
}

// Known is what runs have learned of the end of the stream, up to one of them.
type Known struct {
	Number       int64     `json:"number"`                  // grows from run event to run event, whatever clocks do
	EndReachedAt time.Time `json:"end_reached_at,omitzero"` // last proof
	Quiet        Quiet     `json:"quiet"`
}

// Gap is the record that WeCom may have dropped messages before anyone asked for
// them.
type Gap struct {
	Since  time.Time `json:"since"`   // last time that the end of the stream was reached
	Until  time.Time `json:"until"`   // five days before the record: later messages were still there
	Seq    uint64    `json:"seq"`     // the cursor at that time
	Run    string    `json:"run"`     // that noticed it
	SeenAt time.Time `json:"seen_at"` //
}

// KeyBinding is the record that a publickey_ver belongs to one of our keys:
// DecryptData opened a message with it.
type KeyBinding struct {
	PublicKeyVer int64  `json:"publickey_ver"`
	Key          string `json:"key"`   // KeyRecord.ID
	MsgID        string `json:"msgid"` // of the message that proved it
}

// Redrive is the record that somebody asked for pages to be tried again. A
// request for many pages leaves several.
type Redrive struct {
	ID    string    `json:"id"`   // of the request
	Part  int       `json:"part"` // of it, from 0
	What  string    `json:"what"` // was asked for: "page", "all", or an outcome
	Who   string    `json:"who"`
	At    time.Time `json:"at"`
	Pages []uint64  `json:"pages"` // seq asked of each, at most MaxRedrivePages
}

// PullRequest is the record that somebody asked for a pull at once.
type PullRequest struct {
	ID  string    `json:"id"`
	Who string    `json:"who"` // subject, as the sign-in gives it
	At  time.Time `json:"at"`
}

// PullRequestKey names the object of a request's event.
func PullRequestKey(r PullRequest) string {
	return eventKey(r.At, fmt.Sprintf("pullrequest-%013d-%s", r.At.UnixMilli(), r.ID))
}

// PutPullRequest stores a request. On AWS that it is there starts the puller.
func PutPullRequest(ctx context.Context, objects store.Objects, corp string, r PullRequest) error {
	if err := PutEvent(ctx, objects, PullRequestKey(r), EventPullRequest, corp, r.At, r); err != nil {
		return fmt.Errorf("recording who asks for a pull: %w", err)
	}
	return nil
}

// MaxRedrivePages bounds Redrive.Pages.
const MaxRedrivePages = 1000

// RedriveKey names the object of a redrive's event.
func RedriveKey(r Redrive) string {
	return eventKey(r.At, fmt.Sprintf("redrive-%013d-%s-%05d", r.At.UnixMilli(), r.ID, r.Part))
}

// RunKey, GapKey and BindingKey name the objects of events. Each
// name carries when the event was, in ms; see ParseEventKey.
func RunKey(r Run) string {
	return eventKey(r.StartedAt, fmt.Sprintf("run-%013d-%s", r.StartedAt.UnixMilli(), r.ID))
}

// GapKey: see RunKey. While a gap lasts, each run records how far it has grown.
func GapKey(g Gap) string {
	return eventKey(g.SeenAt, fmt.Sprintf("gap-%013d-%013d", g.Since.UnixMilli(), g.SeenAt.UnixMilli()))
}

// BindingKey: see RunKey.
func BindingKey(b KeyBinding, at time.Time) string {
	return eventKey(at, fmt.Sprintf("%s%013d-%s", bindingPrefix(b.PublicKeyVer), at.UnixMilli(), b.Key))
}

func bindingPrefix(version int64) string { return fmt.Sprintf("binding-%010d-", version) }

var eventName = regexp.MustCompile(`^events/dt=(\d{4}-\d\d-\d\d)/(?:(run)-(\d{13})-[^/]+|(gap)-\d{13}-(\d{13})|(binding)-\d{10,}-(\d{13})-[^/]+|(hole)-\d{20}-\d{20}-(\d{13})-[a-z]+)\.json$`)

// ParseEventKey reads the kind and the time of an event from its key. It is not
// ok for keys that are none of RunKey, GapKey, BindingKey, HoleKey.
func ParseEventKey(key string) (kind string, at time.Time, ok bool) {
	m := eventName.FindStringSubmatch(key)
	if m == nil {
		return "", time.Time{}, false
	}
	kinds := map[string]string{"run": EventRun, "gap": EventGap, "binding": EventBinding, "hole": EventHole}
	ms, err := strconv.ParseInt(m[3]+m[5]+m[7]+m[9], 10, 64)
	at = time.UnixMilli(ms).UTC()
	if err != nil || Day(at) != m[1] {
		return "", time.Time{}, false
	}
	return kinds[m[2]+m[4]+m[6]+m[8]], at, true
}

func eventKey(at time.Time, name string) string {
	return eventDay(at) + name + ".json"
}

func eventDay(at time.Time) string { return EventsPrefix + "dt=" + Day(at) + "/" }

// EventsFrom is what to list below EventsPrefix after, to get the events from the
// day of a time on.
func EventsFrom(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return strings.TrimSuffix(eventDay(at), "/")
}

// PutEvent stores an event. That it is already there is no error.
func PutEvent(ctx context.Context, objects store.Objects, key, kind, corp string, at time.Time, body any) error {
	raw, err := json.Marshal(body)
	if err != nil {
		return fmt.Errorf("encoding event %s: %w", key, err)
	}
	doc, err := json.Marshal(Event{Format: EventFormat, Kind: kind, Corp: corp, At: at.UTC(), Body: raw, SHA256: Unsealed})
	if err == nil {
		err = Seal(doc, eventSeal)
	}
	if err != nil {
		return fmt.Errorf("encoding event %s: %w", key, err)
	}
	if err := objects.PutIfAbsent(ctx, key, bytes.NewReader(doc)); err != nil && !errors.Is(err, store.ErrExists) {
		return fmt.Errorf("storing event %s: %w", key, err)
	}
	return nil
}

// PutBinding stores the event of a key binding, unless the last one of that day
// for its version names the same key: that a try broke off later is no news.
func PutBinding(ctx context.Context, objects store.Objects, corp string, b KeyBinding, at time.Time) error {
	prefix := eventDay(at) + bindingPrefix(b.PublicKeyVer)
	last := ""
	for info, err := range objects.List(ctx, prefix, "") {
		if err != nil {
			return fmt.Errorf("looking for bindings of key version %d: %w", b.PublicKeyVer, err)
		}
		if kind, _, ok := ParseEventKey(info.Key); ok && kind == EventBinding {
			last = info.Key
		}
	}
	const ms = 13 + len("-")
	if last != "" && last[len(prefix)+ms:] == b.Key+".json" {
		return nil
	}
	return PutEvent(ctx, objects, BindingKey(b, at), EventBinding, corp, at, b)
}

// GetEvent reads an event and, if body is not nil, decodes its body.
func GetEvent(ctx context.Context, objects store.ObjectReader, key string, body any) (Event, error) {
	doc, err := store.ReadObject(ctx, objects, key)
	if err != nil {
		return Event{}, err
	}
	e, err := DecodeEvent(doc)
	if err == nil && body != nil {
		err = e.DecodeBody(body)
	}
	if err != nil {
		return e, fmt.Errorf("event %s: %w", key, err)
	}
	return e, nil
}

// DecodeEvent reads the stored form of an event. ErrDamaged, ErrNewFormat.
func DecodeEvent(doc []byte) (Event, error) {
	var e Event
	if err := decodeJSON(doc, EventFormat, &e); err != nil {
		return Event{}, err
	}
	if err := CheckSeal(doc, eventSeal); err != nil {
		return Event{}, fmt.Errorf("%w: %w", store.ErrDamaged, err)
	}
	if !writable(e.At) {
		return Event{}, fmt.Errorf("at no time: %w", store.ErrDamaged)
	}
	return e, nil
}

// DecodeBody reads the body of an event, which is of the type that its kind says.
func (e Event) DecodeBody(body any) error {
	if err := json.Unmarshal(e.Body, body); err != nil {
		return fmt.Errorf("body: %w: %s", store.ErrDamaged, JSONFault(err))
	}
	return nil
}
