package pages

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"wecom-archive/shared/access"
	"wecom-archive/shared/guard"
	"wecom-archive/shared/person"
	"wecom-archive/shared/show"
)

// Visitors finds out who looks at a page (*signin.Sessions). It returns
// person.ErrUnauthenticated, wrapped, if nobody is signed in. It may set a cookie, and
// writes nothing else.
type Visitors interface {
	Visitor(w http.ResponseWriter, r *http.Request) (person.Person, error)
}

//go:embed assets
var pageFiles embed.FS

// pagePolicy lets a page load its own style and script from this host, and nothing
// else run or leave.
const pagePolicy = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; media-src 'self'; connect-src 'self'; worker-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// language of a page.
type language string

const (
	chinese language = "zh"
	english language = "en"
)

// languageOf is the one that the reader chose, else the browser's, else Chinese.
func languageOf(r *http.Request) language {
	if c, err := r.Cookie("lang"); err == nil && language(c.Value) == english {
		return english
	} else if err == nil {
		return chinese
	}
	if strings.HasPrefix(r.Header.Get("Accept-Language"), "en") {
		return english
	}
	return chinese
}

// page is what every template gets.
type page struct {
	Lang    language
	Path    string // with its query: where a change of language leads back to
	Section string // of the navigation
	Title   string
	Person  person.Person
	Now     time.Time
	Zone    string // of its times
	Open    bool   // nothing locks the archive
	Content any
}

// Reads says whether the person may read content; the others are alike.
func (p page) Reads() bool    { return p.Person.Has(show.ContentRoles...) }
func (p page) Audits() bool   { return p.Person.Has(person.Auditor) }
func (p page) Operates() bool { return p.Person.Has(person.Operator) }

// Called is the person's name, or the subject.
func (p page) Called() string { return show.OrID(p.Person.Name, p.Person.Subject) }

func templateFuncs(lang language, zone *time.Location) template.FuncMap {
	return template.FuncMap{
		"t":       func(key string, args ...any) string { return say(lang, key, args...) },
		"known":   func(prefix, key string) string { return sayKnown(lang, prefix, key) },
		"time":    func(t time.Time) string { return t.In(zone).Format("15:04:05") },
		"minute":  func(t time.Time) string { return t.In(zone).Format("2006-01-02 15:04") },
		"second":  func(t time.Time) string { return t.In(zone).Format("2006-01-02 15:04:05") },
		"when":    whenSaid,
		"iso":     func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
		"day":     func(t time.Time) string { return dayIn(lang, t.In(zone)) },
		"bytes":   sizeText,
		"number":  groupDigits,
		"repeat":  func(n int) []struct{} { return make([]struct{}, n) },
		"both":    bothIn(lang),
		"initial": initial,
		"rounded": func(n int) string { return roundCount(lang, n) },
		"atleast": func(n int64, more bool) string { return atLeast(lang, n, more) },
		"marked":  inlineCode,
		"share":   shareOf, "typesearch": typeSearch,
		"searched": func(search map[string]string) string { return searched(lang, search) },
	}
}

// Config is what pages need beside what is shown.
type Config struct {
	Show     *show.Show
	Visitors Visitors // who looks at the pages
	Puller   Puller   // what operators may wake; nil: there is no button
	Insecure bool     // cookies also over http: for one machine only

	AskReason bool   // content is shown only to who says why
	Retention string // how long the archive locks, as the record of a message says it
	Unlocked  bool   // nothing locks the archive: every page says so

	Now func() time.Time
	Log *slog.Logger
}

// Puller is asked for a pull at once. It returns once it is recorded who asked and
// the pull is under way or will be; it does not wait for the pull.
type Puller interface {
	RequestPull(ctx context.Context, who string) error
}

// server makes the pages.
type server struct {
	Config
	show   *show.Show
	sheets sheets
}

// Register serves the pages on mux.
func Register(mux *http.ServeMux, c Config) error {
	s := &server{Config: c, show: c.Show}
	for _, lang := range []language{chinese, english} {
		if _, err := s.sheets.in(lang, s.show.Zone()); err != nil {
			return fmt.Errorf("templates of the pages: %w", err)
		}
	}
	mux.HandleFunc("GET /{$}", s.forRoles(show.HealthRoles, s.overviewPage))
	mux.HandleFunc("GET /c", s.forRoles(show.ContentRoles, s.withReason(s.conversationsPage)))
	mux.HandleFunc("GET /search", s.forRoles(show.ContentRoles, s.withReason(s.searchPage)))
	mux.HandleFunc("GET /m/{seq}", s.forRoles(show.ContentRoles, s.withReason(s.permalink)))
	mux.HandleFunc("GET /m/{seq}/recalled", s.forRoles(show.ContentRoles, s.withReason(s.recalledLink)))
	mux.HandleFunc("GET /record/{seq}", s.forRoles(show.ContentRoles, s.withReason(s.recordPage)))
	mux.HandleFunc("GET /media/{seq}/{file}", s.forRoles(show.ContentRoles, s.withReason(s.mediaPage)))
	mux.HandleFunc("GET /access", s.forRoles([]person.Role{person.Auditor}, s.accessPage))
	mux.HandleFunc("GET /damage", s.forRoles(show.HealthRoles, s.damagePage))
	mux.Handle("POST /damage", http.NewCrossOriginProtection().Handler(s.forRoles(show.AcknowledgeRoles, s.acknowledge)))
	mux.HandleFunc("GET /setup", s.forRoles([]person.Role{person.Operator}, s.setupPage))
	if s.AskReason {
		mux.HandleFunc("GET /reason", s.forRoles(show.ContentRoles, s.reasonPage))
		mux.Handle("POST /reason", http.NewCrossOriginProtection().Handler(s.forRoles(show.ContentRoles, s.giveReason)))
	}
	mux.HandleFunc("GET /signed-out", s.signedOutPage)
	mux.Handle("POST /language", http.NewCrossOriginProtection().Handler(http.HandlerFunc(s.chooseLanguage)))
	if s.Puller != nil {
		mux.Handle("POST /pull", http.NewCrossOriginProtection().Handler(s.forRoles([]person.Role{person.Operator}, s.requestPull)))
	}
	mux.HandleFunc("GET /assets/{name}", s.asset)
	return nil
}

// pageHandler makes a page. What it returns as an error becomes a page, too.
type pageHandler func(w http.ResponseWriter, r *http.Request) (page, error)

// errElsewhere says that the handler has answered by itself.
var errElsewhere = errors.New("answered already")

// forRoles lets people with one of the roles see a page, sends strangers to the
// sign-in, and shows the others why not.
func (s *server) forRoles(roles []person.Role, handle pageHandler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		asker := show.Asker{How: access.HowWeb, Remote: guard.Remote(r), Request: guard.RequestID(r.Context()), Zone: cookieZone(r)}
		var err error
		asker.Person, err = s.Visitors.Visitor(w, r)
		if errors.Is(err, person.ErrUnauthenticated) {
			http.Redirect(w, r, "/signin?back="+url.QueryEscape(r.URL.RequestURI()), http.StatusSeeOther)
			return
		}
		ctx := show.Remembering(show.As(r.Context(), asker))
		r = r.WithContext(ctx)
		guard.NoteSubject(ctx, asker.Person.Subject)
		var p page
		switch {
		case err != nil:
			s.show.LogFailure(ctx, "finding out who asks", err)
			err = &show.Problem{Kind: show.NotNow}
		case !asker.Person.Has(roles...):
			err = show.Forbidden(roles...)
		default:
			p, err = handle(w, r)
		}
		switch {
		case err == errElsewhere:
		case err != nil:
			s.errorPage(w, r, err)
		default:
			s.render(w, r, http.StatusOK, p, p.Section)
		}
	}
}

// render writes a page whole, or an error page.
func (s *server) render(w http.ResponseWriter, r *http.Request, status int, p page, name string) {
	p.Lang, p.Path, p.Person, p.Now = languageOf(r), r.URL.RequestURI(), show.AskerOf(r.Context()).Person, s.Now()
	zone := s.show.Days(r.Context())
	p.Zone, p.Open = zone.String(), s.Unlocked
	var doc bytes.Buffer
	all, err := s.sheets.in(p.Lang, zone)
	if err == nil {
		err = all.ExecuteTemplate(&doc, name+".html", p)
	}
	if err != nil {
		s.show.LogFailure(r.Context(), "rendering "+name, err)
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", pagePolicy)
	w.Header().Set("Content-Language", string(p.Lang))
	w.WriteHeader(status)
	_, _ = w.Write(doc.Bytes())
}

// failure is what an error page shows.
type failure struct {
	Status  int
	Request string
}

// errorPage shows the status and what it means, never what went wrong inside.
func (s *server) errorPage(w http.ResponseWriter, r *http.Request, err error) {
	status := s.show.Explain(r.Context(), err).Status()
	if status == http.StatusUnprocessableEntity {
		status = http.StatusBadRequest
	}
	p := page{Title: fmt.Sprint(status), Content: failure{Status: status, Request: guard.RequestID(r.Context())}}
	s.render(w, r, status, p, "error")
}

func (s *server) signedOutPage(w http.ResponseWriter, r *http.Request) {
	s.render(w, r, http.StatusOK, page{}, "signedout")
}

// chooseLanguage keeps the language for a year.
func (s *server) chooseLanguage(w http.ResponseWriter, r *http.Request) {
	lang := chinese
	if language(r.PostFormValue("lang")) == english {
		lang = english
	}
	http.SetCookie(w, &http.Cookie{Name: "lang", Value: string(lang), Path: "/", MaxAge: 365 * 24 * 60 * 60, HttpOnly: true, Secure: !s.Insecure, SameSite: http.SameSiteLaxMode})
	http.Redirect(w, r, localPath(r.PostFormValue("back")), http.StatusSeeOther)
}

// localPath is where a form leads back to, if that is on this host; else the first page.
func localPath(back string) string {
	if !strings.HasPrefix(back, "/") || strings.HasPrefix(back, "//") || strings.ContainsAny(back, "\\\r\n\t") {
		return "/"
	}
	return back
}

// assets are the files that pages load.
var assets = map[string]string{
	"viewer.css": "text/css; charset=utf-8", "viewer.js": "text/javascript; charset=utf-8",
	"voice.js": "text/javascript; charset=utf-8", "voice-worker.js": "text/javascript; charset=utf-8", "amrnb.js": "text/javascript; charset=utf-8",
}

func (s *server) asset(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	doc, err := pageFiles.ReadFile("assets/" + name)
	if assets[name] == "" || err != nil {
		s.errorPage(w, r, show.NoSuchThing())
		return
	}
	if name == "voice-worker.js" { // a worker's policy is its own script's
		w.Header().Set("Content-Security-Policy", "default-src 'none'; script-src 'self'")
	}
	w.Header().Set("Content-Type", assets[name])
	w.Header().Set("Cache-Control", "private, max-age=300")
	_, _ = w.Write(doc)
}
