// Package signin signs people in at an OpenID provider: the code flow with PKCE,
// state and nonce, and the session that follows, in an encrypted cookie.
//
// It is the part that talks to the provider and has no right to content
// (docs/invariants.md, 7). The admin function only asks Sessions (its pages) and
// Verifier (its API) who sent a request, which needs no way to the provider. Locally
// both run in one process, at the provider of infra/local/idp.
package signin

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"
	"golang.org/x/oauth2"

	"wecom-archive/shared/guard"
	"wecom-archive/shared/person"
)

// Paths that the handler serves.
const (
	BeginPath    = "/signin"
	CallbackPath = "/signin/callback"
	EndPath      = "/signout"
)

// afterwards is where one is who has signed out.
const afterwards = "/signed-out"

// Config of the sign-in. All but Secret and Log are required.
type Config struct {
	Issuer     string // of the OpenID provider
	ClientID   string
	Secret     string // empty: a public client, whom PKCE protects
	Base       string // address of the pages, without slash at its end
	RolesClaim string // of the ID token: a list of roles, or a string of them
	Sessions   *Sessions
	Client     *http.Client // to the provider
	Log        *slog.Logger // nil: no log
}

const (
	maxBack  = 2000        // bytes of JSON; browsers keep cookies of 4,096
	authSkew = time.Minute // that the provider's clock may differ from ours
)

// errRemembered: the provider did not ask who is there.
var errRemembered = errors.New("the provider signed in whom it remembered, and did not ask")

type handler struct {
	Config
	mu       sync.Mutex
	provider *oidc.Provider // nil until it has answered
	logout   string         // where its own session ends; empty: it does not say
}

// New makes the handler of BeginPath, CallbackPath and EndPath. The provider is asked
// when the first person comes.
func New(c Config) http.Handler {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	h := &handler{Config: c}
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+BeginPath, h.begin)
	mux.HandleFunc("GET "+CallbackPath, h.callback)
	mux.HandleFunc("POST "+EndPath, h.end)
	guarded := http.NewCrossOriginProtection().Handler(mux)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !c.Sessions.Insecure {
			w.Header().Set("Strict-Transport-Security", guard.StrictTransport)
		}
		guarded.ServeHTTP(w, r)
	})
}

// flow is what is remembered while a person is at the provider.
type flow struct {
	State, Nonce, Verifier, Back string
	Until                        int64 // Unix seconds
}

func (h *handler) begin(w http.ResponseWriter, r *http.Request) {
	config, _, err := h.oauth(r.Context())
	if err != nil {
		h.refuse(w, http.StatusBadGateway, "the provider cannot be asked", err)
		return
	}
	f := flow{
		State: rand.Text(), Nonce: rand.Text(), Verifier: oauth2.GenerateVerifier(),
		Back: localPath(r.FormValue("back")), Until: h.Sessions.Now().Add(flowTime).Unix(),
	}
	h.Sessions.write(w, flowCookie, f, flowTime)
	w.Header().Set("Cache-Control", "no-store")
	// Nobody comes here who has a session: the provider must ask who sits there now,
	// and not remember who did (OpenID Connect Core §3.1.2.1). Cognito knows prompt only.
	http.Redirect(w, r, config.AuthCodeURL(f.State, oidc.Nonce(f.Nonce), oauth2.S256ChallengeOption(f.Verifier),
		oauth2.SetAuthURLParam("prompt", "login"), oauth2.SetAuthURLParam("max_age", "0")), http.StatusSeeOther)
}

func (h *handler) callback(w http.ResponseWriter, r *http.Request) {
	var f flow
	if err := h.Sessions.read(r, flowCookie, &f); err != nil {
		h.refuse(w, http.StatusBadRequest, "no sign-in was begun in this browser", err)
		return
	}
	h.Sessions.clear(w, flowCookie)
	if h.Sessions.Now().Unix() > f.Until {
		h.refuse(w, http.StatusBadRequest, "the sign-in took too long", nil)
		return
	}
	if subtle.ConstantTimeCompare([]byte(r.FormValue("state")), []byte(f.State)) != 1 {
		h.refuse(w, http.StatusBadRequest, "the answer belongs to another sign-in", nil)
		return
	}
	person, err := h.exchange(r.Context(), r.FormValue("code"), f)
	if errors.Is(err, errRemembered) {
		if logout := h.logoutURL(r.Context()); logout != "" {
			h.Log.Info("the provider remembered a person and is told to forget")
			h.leave(w, logout)
			return
		}
	}
	if err != nil {
		h.refuse(w, http.StatusUnauthorized, "the provider's answer does not prove who you are", err)
		return
	}
	h.Sessions.Begin(w, person)
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, f.Back, http.StatusSeeOther)
}

// exchange turns the code into a person.
func (h *handler) exchange(ctx context.Context, code string, f flow) (person.Person, error) {
	config, provider, err := h.oauth(ctx)
	if err != nil {
		return person.Person{}, err
	}
	ctx = oidc.ClientContext(ctx, h.Client)
	token, err := config.Exchange(ctx, code, oauth2.VerifierOption(f.Verifier))
	if err != nil {
		return person.Person{}, errors.New("exchanging the code failed") // the error quotes the answer
	}
	raw, _ := token.Extra("id_token").(string)
	if _, err := jose.ParseSignedCompact(raw, algorithms); err != nil { // its error quotes headers, which are nobody's yet
		return person.Person{}, errors.New("the ID token is none signed as it must be")
	}
	verifier := provider.VerifierContext(oidc.ClientContext(context.Background(), h.Client), &oidc.Config{ClientID: h.ClientID, Now: h.Sessions.Now})
	id, err := verifier.Verify(ctx, raw)
	if err != nil {
		return person.Person{}, fmt.Errorf("verifying the ID token: %w", err)
	}
	if subtle.ConstantTimeCompare([]byte(id.Nonce), []byte(f.Nonce)) != 1 {
		return person.Person{}, errors.New("the ID token is of another sign-in")
	}
	var claims map[string]any
	if err := id.Claims(&claims); err != nil {
		return person.Person{}, fmt.Errorf("reading the ID token: %w", err)
	}
	at, ok := claims["auth_time"].(float64)
	if !ok {
		return person.Person{}, errors.New("the ID token has no auth_time: it does not say when the person last proved who they are")
	}
	if int64(at) < f.Until-int64((flowTime+authSkew)/time.Second) {
		return person.Person{}, errRemembered
	}
	name, _ := claims["name"].(string)
	return person.Person{Subject: id.Subject, Name: name, Roles: rolesIn(claims[h.RolesClaim])}, nil
}

func (h *handler) end(w http.ResponseWriter, r *http.Request) {
	h.Sessions.clear(w, sessionCookie)
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Clear-Site-Data", `"cache"`)
	if err := h.Sessions.endOf(r); err != nil {
		h.refuse(w, http.StatusInternalServerError, "you are signed out here, but copies of this session last until they expire. Sign in and out once more", err)
		return
	}
	if logout := h.logoutURL(r.Context()); logout != "" {
		h.leave(w, logout)
		return
	}
	http.Redirect(w, r, afterwards, http.StatusSeeOther)
}

// leave sends the browser to the provider with a page: browsers count a redirect that
// answers a form as its target, which the pages' policy allows on this host only.
func (h *handler) leave(w http.ResponseWriter, to string) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	w.Header().Set("Referrer-Policy", "no-referrer")
	w.Header().Set("Cache-Control", "no-store")
	to = html.EscapeString(to)
	fmt.Fprintf(w, `<!doctype html><html lang="zh-CN"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><meta http-equiv="refresh" content="0;url=%s"><title>退出登录 Sign out</title><main><p><a href="%s">退出登录 <span lang="en">Sign out</span></a></main></html>`, to, to)
}

// logoutURL is where the provider ends its own session, or empty if it does not say. Cognito
// names it in its discovery document and wants parameters of its own.
func (h *handler) logoutURL(ctx context.Context) string {
	if _, _, err := h.oauth(ctx); err != nil {
		h.Log.Warn("the provider's session is not ended", "error", err)
		return ""
	}
	to, err := url.Parse(h.logout)
	if err != nil || h.logout == "" || to.Host == "" || to.Scheme != "https" && to.Scheme != "http" {
		return ""
	}
	q := to.Query()
	q.Set("client_id", h.ClientID)
	q.Set("post_logout_redirect_uri", h.Base+afterwards) // OpenID Connect RP-Initiated Logout §2
	q.Set("logout_uri", h.Base+afterwards)               // Cognito's name for it
	to.RawQuery = q.Encode()
	return to.String()
}

// oauth is the client of the provider, which is asked once.
func (h *handler) oauth(ctx context.Context) (*oauth2.Config, *oidc.Provider, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.provider == nil {
		provider, err := oidc.NewProvider(oidc.ClientContext(ctx, h.Client), h.Issuer)
		if err != nil {
			return nil, nil, fmt.Errorf("asking the provider: %w", err)
		}
		var about struct {
			Logout string `json:"end_session_endpoint"`
		}
		if err := provider.Claims(&about); err != nil {
			return nil, nil, fmt.Errorf("reading what the provider says of itself: %w", err)
		}
		h.provider, h.logout = provider, about.Logout
	}
	return &oauth2.Config{
		ClientID: h.ClientID, ClientSecret: h.Secret, Endpoint: h.provider.Endpoint(),
		RedirectURL: h.Base + CallbackPath, Scopes: []string{oidc.ScopeOpenID, "profile"},
	}, h.provider, nil
}

// refuse answers in both languages, since nobody knows yet who asks.
func (h *handler) refuse(w http.ResponseWriter, status int, why string, err error) {
	h.Log.Warn("sign-in refused", "why", why, "error", err)
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	fmt.Fprintf(w, `<!doctype html><html lang="zh-CN"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>登录失败 Sign-in failed</title><main><h1>登录失败</h1><p>请重新登录。<p lang="en">Sign-in failed: %s. <p><a href="%s">重新登录 Sign in again</a></main></html>`, why, BeginPath)
}

// localPath is a path on this host, or the first page for anything else. A query that
// would make a cookie which browsers drop is cut off.
func localPath(path string) string {
	tooLong := func() bool { // JSON writes some letters as six
		doc, err := json.Marshal(path)
		return err != nil || len(doc) > maxBack
	}
	if tooLong() {
		path, _, _ = strings.Cut(path, "?")
	}
	if tooLong() {
		return "/"
	}
	if !strings.HasPrefix(path, "/") || strings.HasPrefix(path, "//") || strings.ContainsAny(path, "\\\r\n\t") {
		return "/"
	}
	return path
}

// rolesIn reads the roles we know out of a claim.
func rolesIn(claim any) (roles []person.Role) {
	var names []string
	switch c := claim.(type) {
	case string:
		names = strings.Fields(c)
	case []any:
		for _, v := range c {
			if name, ok := v.(string); ok {
				names = append(names, name)
			}
		}
	}
	for _, role := range []person.Role{person.Reader, person.Auditor, person.Operator} {
		if slices.Contains(names, string(role)) {
			roles = append(roles, role)
		}
	}
	return roles
}
