package pages

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"strconv"
	"strings"
	"time"

	"wecom-archive/shared/show"
)

// Pages ask once why somebody looks, and keep the answer in a cookie; it is the person's
// own word, as good as what they type, so it needs no secrecy, but it never serves
// another person at the same browser.

const (
	reasonLasts  = 8 * time.Hour
	reasonCookie = "reason"
)

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
	return show.CleanReason(string(reason))
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
		reason := s.cookieReason(r, show.AskerOf(r.Context()).Person.Subject)
		if reason == "" {
			return page{Section: "reason", Title: say(languageOf(r), "reason.ask"), Content: reasonForm{Back: r.URL.RequestURI()}}, nil
		}
		return handle(w, r.WithContext(giving(r.Context(), reason)))
	}
}

// reasonPage shows the reason that was given, and takes another.
func (s *server) reasonPage(_ http.ResponseWriter, r *http.Request) (page, error) {
	known := s.cookieReason(r, show.AskerOf(r.Context()).Person.Subject)
	return page{Section: "reason", Title: say(languageOf(r), "reason.ask"), Content: reasonForm{Back: "/c", Known: known}}, nil
}

func (s *server) giveReason(w http.ResponseWriter, r *http.Request) (page, error) {
	back, reason := localPath(r.PostFormValue("back")), show.CleanReason(r.PostFormValue("reason"))
	if reason == "" {
		return page{Section: "reason", Title: say(languageOf(r), "reason.ask"), Content: reasonForm{Back: back, Bad: true}}, nil
	}
	until := s.Now().Add(reasonLasts).Unix()
	http.SetCookie(w, &http.Cookie{
		Name: reasonCookie, Path: "/", HttpOnly: true, Secure: !s.Insecure, SameSite: http.SameSiteLaxMode,
		Value: strconv.FormatInt(until, 10) + "." + owned(show.AskerOf(r.Context()).Person.Subject, until) + "." + base64.RawURLEncoding.EncodeToString([]byte(reason)),
	})
	http.Redirect(w, r, back, http.StatusSeeOther)
	return page{}, errElsewhere
}

// giving is the context of somebody who says why they look.
func giving(ctx context.Context, reason string) context.Context {
	who := show.AskerOf(ctx)
	who.Reason = reason
	return show.As(ctx, who)
}
