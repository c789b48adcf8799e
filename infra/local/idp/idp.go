// Package idp is an OpenID provider for one machine: it lets whoever asks choose one
// of its accounts, without a password. It speaks what package signin needs of the
// code flow with PKCE, so that the local viewer signs people in as the deployed one
// does. It protects nothing and must listen on this machine only.
package idp

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// Account is somebody who can sign in.
type Account struct {
	Subject string
	Name    string
	Roles   []string
}

// Accounts are one per role.
func Accounts() []Account {
	return []Account{
		{"reader", "李合规 Reader", []string{"reader"}},
		{"auditor", "王审计 Auditor", []string{"auditor"}},
		{"operator", "张运维 Operator", []string{"operator"}},
	}
}

// RolesClaim is the claim with the roles.
const RolesClaim = "roles"

// Config of the provider.
type Config struct {
	Issuer   string // its address, without slash at its end; the handler serves below its path
	ClientID string
	Redirect string // the only address that codes are sent to
	Accounts []Account
	Now      func() time.Time
}

type provider struct {
	Config
	key *rsa.PrivateKey

	mu       sync.Mutex
	codes    map[string]grant
	sessions map[string]remembered
}

// grant is what a code stands for.
type grant struct {
	account          Account
	nonce, challenge string
	authenticated    time.Time
	until            time.Time
}

// remembered is who has signed in in a browser, as providers keep it.
type remembered struct {
	account Account
	at      time.Time
}

const cookie = "idp"

// New makes the provider, with a key of its own.
func New(c Config) (http.Handler, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, err
	}
	p := &provider{Config: c, key: key, codes: map[string]grant{}, sessions: map[string]remembered{}}
	issuer, err := url.Parse(c.Issuer)
	if err != nil {
		return nil, fmt.Errorf("issuer: %w", err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+issuer.Path+"/.well-known/openid-configuration", p.discovery)
	mux.HandleFunc("GET "+issuer.Path+"/keys", p.keys)
	mux.HandleFunc("GET "+issuer.Path+"/authorize", p.authorize)
	mux.HandleFunc("POST "+issuer.Path+"/authorize", p.choose)
	mux.HandleFunc("POST "+issuer.Path+"/token", p.token)
	mux.HandleFunc("GET "+issuer.Path+"/logout", p.logout)
	return mux, nil
}

func (p *provider) discovery(w http.ResponseWriter, _ *http.Request) {
	answer(w, http.StatusOK, map[string]any{
		"issuer": p.Issuer, "authorization_endpoint": p.Issuer + "/authorize", "token_endpoint": p.Issuer + "/token",
		"jwks_uri": p.Issuer + "/keys", "end_session_endpoint": p.Issuer + "/logout", "response_types_supported": []string{"code"}, "subject_types_supported": []string{"public"},
		"id_token_signing_alg_values_supported": []string{"RS256"}, "code_challenge_methods_supported": []string{"S256"},
	})
}

func (p *provider) keys(w http.ResponseWriter, _ *http.Request) {
	answer(w, http.StatusOK, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: p.key.Public(), KeyID: "local", Algorithm: "RS256", Use: "sig"}}})
}

var page = template.Must(template.New("").Parse(`<!doctype html><html lang="zh-CN"><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>登录 Sign in</title><link rel="stylesheet" href="/assets/viewer.css"><body class="plain"><main class="card"><h1>选择账号 <small lang="en">Choose an account</small></h1><p class="quiet">演示用的身份提供方，只在本机。<span lang="en">A provider for demonstrations, on this machine only.</span></p>{{range .Accounts}}<form method="post"><input type="hidden" name="query" value="{{$.Query}}"><button name="account" value="{{.Subject}}">{{.Name}}</button></form>{{end}}</main>`))

func (p *provider) authorize(w http.ResponseWriter, r *http.Request) {
	q, err := p.request(r.URL.RawQuery)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if known, ok := p.remembers(r); ok && q.Get("prompt") != "login" && q.Get("max_age") != "0" {
		p.giveCode(w, r, q, known)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'")
	w.Header().Set("Cache-Control", "no-store")
	_ = page.Execute(w, map[string]any{"Accounts": p.Accounts, "Query": r.URL.RawQuery})
}

// request checks what the client asks for.
func (p *provider) request(query string) (url.Values, error) {
	q, err := url.ParseQuery(query)
	switch {
	case err != nil:
		return nil, err
	case q.Get("client_id") != p.ClientID || q.Get("redirect_uri") != p.Redirect:
		return nil, fmt.Errorf("unknown client")
	case q.Get("response_type") != "code" || q.Get("code_challenge_method") != "S256" || q.Get("code_challenge") == "":
		return nil, fmt.Errorf("only the code flow with PKCE (S256)")
	}
	return q, nil
}

func (p *provider) choose(w http.ResponseWriter, r *http.Request) {
	q, err := p.request(r.PostFormValue("query"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	for _, a := range p.Accounts {
		if a.Subject != r.PostFormValue("account") {
			continue
		}
		id, now := rand.Text(), remembered{account: a, at: p.Now()}
		p.mu.Lock()
		p.sessions[id] = now
		p.mu.Unlock()
		http.SetCookie(w, &http.Cookie{Name: cookie, Value: id, Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode})
		p.giveCode(w, r, q, now)
		return
	}
	http.Error(w, "no such account", http.StatusBadRequest)
}

func (p *provider) remembers(r *http.Request) (remembered, bool) {
	c, err := r.Cookie(cookie)
	if err != nil {
		return remembered{}, false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	known, ok := p.sessions[c.Value]
	return known, ok
}

func (p *provider) giveCode(w http.ResponseWriter, r *http.Request, q url.Values, who remembered) {
	code := rand.Text()
	p.mu.Lock()
	p.codes[code] = grant{account: who.account, authenticated: who.at, nonce: q.Get("nonce"), challenge: q.Get("code_challenge"), until: p.Now().Add(time.Minute)}
	p.mu.Unlock()
	http.Redirect(w, r, p.Redirect+"?"+url.Values{"code": {code}, "state": {q.Get("state")}}.Encode(), http.StatusSeeOther)
}

// logout forgets who has signed in, and sends the browser back to where it came from.
func (p *provider) logout(w http.ResponseWriter, r *http.Request) {
	base, back := strings.TrimSuffix(p.Redirect, "/signin/callback"), r.FormValue("post_logout_redirect_uri")
	if r.FormValue("client_id") != p.ClientID || !strings.HasPrefix(back, base+"/") {
		http.Error(w, "unknown client", http.StatusBadRequest)
		return
	}
	if c, err := r.Cookie(cookie); err == nil {
		p.mu.Lock()
		delete(p.sessions, c.Value)
		p.mu.Unlock()
	}
	http.SetCookie(w, &http.Cookie{Name: cookie, Path: "/", MaxAge: -1, HttpOnly: true, SameSite: http.SameSiteLaxMode})
	http.Redirect(w, r, back, http.StatusSeeOther)
}

func (p *provider) token(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	g, found := p.codes[r.PostFormValue("code")]
	delete(p.codes, r.PostFormValue("code")) // once
	p.mu.Unlock()
	sum := sha256.Sum256([]byte(r.PostFormValue("code_verifier")))
	if !found || p.Now().After(g.until) || base64.RawURLEncoding.EncodeToString(sum[:]) != g.challenge {
		answer(w, http.StatusBadRequest, map[string]string{"error": "invalid_grant"})
		return
	}
	id, err := p.sign(g, map[string]any{"nonce": g.nonce, "name": g.account.Name, "auth_time": g.authenticated.Unix()})
	var token string
	if err == nil {
		token, err = p.sign(g, map[string]any{"client_id": p.ClientID, "token_use": "access"})
	}
	if err != nil {
		answer(w, http.StatusInternalServerError, map[string]string{"error": "server_error"})
		return
	}
	answer(w, http.StatusOK, map[string]any{"access_token": token, "id_token": id, "token_type": "Bearer", "expires_in": 3600})
}

func (p *provider) sign(g grant, more map[string]any) (string, error) {
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: p.key, KeyID: "local"}}, nil)
	if err != nil {
		return "", err
	}
	now := p.Now()
	return jwt.Signed(signer).Claims(jwt.Claims{
		Issuer: p.Issuer, Subject: g.account.Subject, Audience: jwt.Audience{p.ClientID},
		IssuedAt: jwt.NewNumericDate(now), Expiry: jwt.NewNumericDate(now.Add(time.Hour)),
	}).Claims(map[string]any{RolesClaim: strings.Join(g.account.Roles, " ")}).Claims(more).Serialize()
}

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}
