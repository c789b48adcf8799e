// Package signin signs people in at an OpenID provider: the code flow with PKCE,
// state and nonce, and the session that follows, in an encrypted cookie.
//
// It is the part that talks to the provider and has no right to content (design
// §11). Package viewer only asks Sessions who sent a request, which needs no
// network. Locally both run in one process, at the provider of infra/local/idp.
package signin

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"wecom-archive/shared/viewer"
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

type handler struct {
	Config
	mu       sync.Mutex
	provider *oidc.Provider // nil until it has answered
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
	return http.NewCrossOriginProtection().Handler(mux)
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
	http.Redirect(w, r, config.AuthCodeURL(f.State, oidc.Nonce(f.Nonce), oauth2.S256ChallengeOption(f.Verifier)), http.StatusSeeOther)
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
	if err != nil {
		h.refuse(w, http.StatusUnauthorized, "the provider's answer does not prove who you are", err)
		return
	}
	h.Sessions.Begin(w, person)
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, f.Back, http.StatusSeeOther)
}

// exchange turns the code into a person.
func (h *handler) exchange(ctx context.Context, code string, f flow) (viewer.Person, error) {
	config, provider, err := h.oauth(ctx)
	if err != nil {
		return viewer.Person{}, err
	}
	ctx = oidc.ClientContext(ctx, h.Client)
	token, err := config.Exchange(ctx, code, oauth2.VerifierOption(f.Verifier))
	if err != nil {
		return viewer.Person{}, errors.New("exchanging the code failed") // the error quotes the answer
	}
	raw, _ := token.Extra("id_token").(string)
	verifier := provider.VerifierContext(oidc.ClientContext(context.Background(), h.Client), &oidc.Config{ClientID: h.ClientID, Now: h.Sessions.Now})
	id, err := verifier.Verify(ctx, raw)
	if err != nil {
		return viewer.Person{}, fmt.Errorf("verifying the ID token: %w", err)
	}
	if subtle.ConstantTimeCompare([]byte(id.Nonce), []byte(f.Nonce)) != 1 {
		return viewer.Person{}, errors.New("the ID token is of another sign-in")
	}
	var claims map[string]any
	if err := id.Claims(&claims); err != nil {
		return viewer.Person{}, fmt.Errorf("reading the ID token: %w", err)
	}
	name, _ := claims["name"].(string)
	return viewer.Person{Subject: id.Subject, Name: name, Roles: rolesIn(claims[h.RolesClaim])}, nil
}

func (h *handler) end(w http.ResponseWriter, r *http.Request) {
	h.Sessions.clear(w, sessionCookie)
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Clear-Site-Data", `"cache"`)
	http.Redirect(w, r, afterwards, http.StatusSeeOther)
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
		h.provider = provider
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

// localPath is a path on this host, or the first page for anything else.
func localPath(path string) string {
	if !strings.HasPrefix(path, "/") || strings.HasPrefix(path, "//") || strings.ContainsAny(path, "\\\r\n\t") {
		return "/"
	}
	return path
}

// rolesIn reads the roles we know out of a claim.
func rolesIn(claim any) (roles []viewer.Role) {
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
	for _, role := range []viewer.Role{viewer.RoleReader, viewer.RoleAuditor, viewer.RoleOperator} {
		if slices.Contains(names, string(role)) {
			roles = append(roles, role)
		}
	}
	return roles
}
