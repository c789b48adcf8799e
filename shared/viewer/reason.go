package viewer

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"
)

// With Config.AskReason, content is shown only to a person who said why. Pages ask
// once and keep the answer in a cookie; it is the person's own word, as good as what
// they type, so it needs no secrecy, but it never serves another person at the same
// browser. Programs send it with each request. Every record of a look holds it.

// ReasonHeader is where requests of the API say why: percent-encoded UTF-8.
const ReasonHeader = "Access-Reason"

const (
	maxReason    = 200 // characters
	reasonLasts  = 8 * time.Hour
	reasonCookie = "reason"
)

type reasonKey struct{}

// reasonOf is why the person of a request looks; empty: they have not said.
func reasonOf(ctx context.Context) string {
	reason, _ := ctx.Value(reasonKey{}).(string)
	return reason
}

// cleanReason is a reason without spaces around it; empty if it is none.
func cleanReason(reason string) string {
	reason = strings.TrimSpace(reason)
	if !utf8.ValidString(reason) || utf8.RuneCountInString(reason) > maxReason || strings.ContainsFunc(reason, unicode.IsControl) {
		return ""
	}
	return reason
}

func headerReason(r *http.Request) string {
	reason, err := url.PathUnescape(r.Header.Get(ReasonHeader))
	if err != nil {
		return ""
	}
	return cleanReason(reason)
}

// noReason refuses content.
func noReason() error {
	return huma.NewError(http.StatusPreconditionRequired, "This archive shows content only to who says why: send the header "+ReasonHeader+", percent-encoded UTF-8 of at most "+strconv.Itoa(maxReason)+" characters.")
}

// owned ties a cookie to its person and to the end of its time.
func owned(subject string, until int64) string {
	sum := sha256.Sum256([]byte(strconv.FormatInt(until, 10) + " " + subject))
	return hex.EncodeToString(sum[:16])
}

// cookieReason is the reason that this person gave in this browser.
func (s *server) cookieReason(r *http.Request, subject string) string {
	c, err := r.Cookie(reasonCookie)
	if err != nil {
		return ""
	}
	parts := strings.Split(c.Value, ".")
	if len(parts) != 3 {
		return ""
	}
	until, err := strconv.ParseInt(parts[0], 10, 64)
	if err != nil || s.Now().Unix() >= until || parts[1] != owned(subject, until) {
		return ""
	}
	reason, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil {
		return ""
	}
	return cleanReason(string(reason))
}

// reasonForm is what the page that asks shows.
type reasonForm struct {
	Back  string
	Known string
	Bad   bool
}

// withReason asks for a reason before it lets a page be made.
func (s *server) withReason(handle pageHandler) pageHandler {
	if !s.AskReason {
		return handle
	}
	return func(w http.ResponseWriter, r *http.Request) (page, error) {
		reason := s.cookieReason(r, personOf(r.Context()).Subject)
		if reason == "" {
			return page{Section: "reason", Title: say(languageOf(r), "reason.ask"), Content: reasonForm{Back: r.URL.RequestURI()}}, nil
		}
		return handle(w, r.WithContext(context.WithValue(r.Context(), reasonKey{}, reason)))
	}
}

// reasonPage shows the reason that was given, and takes another.
func (s *server) reasonPage(_ http.ResponseWriter, r *http.Request) (page, error) {
	known := s.cookieReason(r, personOf(r.Context()).Subject)
	return page{Section: "reason", Title: say(languageOf(r), "reason.ask"), Content: reasonForm{Back: "/c", Known: known}}, nil
}

func (s *server) giveReason(w http.ResponseWriter, r *http.Request) (page, error) {
	back, reason := localPath(r.PostFormValue("back")), cleanReason(r.PostFormValue("reason"))
	if reason == "" {
		return page{Section: "reason", Title: say(languageOf(r), "reason.ask"), Content: reasonForm{Back: back, Bad: true}}, nil
	}
	until := s.Now().Add(reasonLasts).Unix()
	http.SetCookie(w, &http.Cookie{
		Name: reasonCookie, Path: "/", HttpOnly: true, Secure: !s.Insecure, SameSite: http.SameSiteLaxMode,
		Value: strconv.FormatInt(until, 10) + "." + owned(personOf(r.Context()).Subject, until) + "." + base64.RawURLEncoding.EncodeToString([]byte(reason)),
	})
	http.Redirect(w, r, back, http.StatusSeeOther)
	return page{}, errElsewhere
}
