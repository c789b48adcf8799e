package signin_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"wecom-archive/shared/person"
	"wecom-archive/shared/signin"
	"wecom-archive/shared/store/storetest"
)

// provider is an issuer with one key, as a client sees it; nothing is listened on.
type provider struct {
	key   jose.JSONWebKey
	token string // answers every code with it as the ID token
}

const providerURL = "https://idp.example"

func newProvider(f *testing.F) *provider {
	f.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		f.Fatal(err)
	}
	return &provider{key: jose.JSONWebKey{Key: key, KeyID: "first", Algorithm: "RS256", Use: "sig"}}
}

// RoundTrip implements http.RoundTripper.
func (p *provider) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	w.Header().Set("Content-Type", "application/json")
	var answer any
	switch r.URL.Path {
	case "/.well-known/openid-configuration":
		answer = map[string]any{"issuer": providerURL, "jwks_uri": providerURL + "/keys", "authorization_endpoint": providerURL + "/a", "token_endpoint": providerURL + "/t", "id_token_signing_alg_values_supported": []string{"RS256"}}
	case "/keys":
		answer = jose.JSONWebKeySet{Keys: []jose.JSONWebKey{p.key.Public()}}
	case "/t":
		answer = map[string]any{"access_token": "a", "token_type": "Bearer", "id_token": p.token}
	default:
		w.WriteHeader(http.StatusNotFound)
	}
	if err := json.NewEncoder(w).Encode(answer); err != nil {
		return nil, err
	}
	return w.Result(), nil
}

func (p *provider) client() *http.Client { return &http.Client{Transport: p} }

// sign makes a token; typ is in its signed header if it is not empty.
func (p *provider) sign(f testing.TB, typ string, key any, algorithm jose.SignatureAlgorithm, c claims) string {
	f.Helper()
	options := &jose.SignerOptions{}
	if typ != "" {
		options.WithType(jose.ContentType(typ))
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: algorithm, Key: key}, options)
	if err != nil {
		f.Fatal(err)
	}
	token, err := jwt.Signed(signer).Claims(map[string]any(c)).Serialize()
	if err != nil {
		f.Fatal(err)
	}
	return token
}

// rewrapped are other forms of a compact token, with headers that nobody signed.
func rewrapped(token string) []string {
	parts := strings.Split(token, ".")
	var forms []string
	for _, header := range []string{`{}`, `{"typ":"at+jwt"}`, `{"typ":"at+jwt","kid":"first"}`, `{"alg":"none"}`} {
		signature := `"protected":"` + parts[0] + `","header":` + header + `,"signature":"` + parts[2] + `"`
		forms = append(forms, `{"payload":"`+parts[1]+`",`+signature+`}`, " \n"+`{"payload":"`+parts[1]+`","signatures":[{`+signature+`}]}`)
	}
	return forms
}

// mutilated are tokens that nobody has signed, made of one that somebody has.
func mutilated(token string) []string {
	parts := strings.Split(token, ".")
	encode := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
	return []string{
		"", ".", "..", token[:len(token)-1], token + "A", token + ".", parts[0] + "." + parts[1] + ".", parts[0] + ".." + parts[2],
		encode(`{"alg":"none"}`) + "." + parts[1] + ".", encode(`{"alg":"HS256","kid":"first"}`) + "." + parts[1] + "." + parts[2], encode(`{"alg":"RS256","kid":"first","crit":["b64"],"b64":false}`) + "." + parts[1] + "." + parts[2],
		encode(`{"alg":"RS256","alg":"none"}`) + "." + parts[1] + "." + parts[2], parts[0] + "." + encode(`{"sub":"boss","sub":"boss","exp":1e99}`) + "." + parts[2],
		parts[0] + "." + encode(strings.Repeat("[", 3000)+strings.Repeat("]", 3000)) + "." + parts[2], strings.Repeat("A", 5000) + "." + strings.Repeat("A", 5000) + "." + strings.Repeat("A", 300),
	}
}

// FuzzSubject: whoever is let in shows a token that the issuer signed for this purpose,
// letter for letter but for what base64 passes over; no other is taken, however it is
// wrapped, and no refusal quotes it.
func FuzzSubject(f *testing.F) {
	p, index := newProvider(f), storetest.NewIndex()
	clock := func() time.Time { return noon }
	sessions, err := signin.NewSessions(signin.Settings{Key: signin.NewKey(), Now: clock})
	if err != nil {
		f.Fatal(err)
	}
	if err := signin.KeepKeys(f.Context(), p.client(), providerURL, index, sessions); err != nil {
		f.Fatal(err)
	}
	v := &signin.Verifier{Issuer: providerURL, Audience: "viewer", Index: index, Now: clock, Sessions: func(context.Context) (*signin.Sessions, error) { return sessions, nil }}
	with := func(more claims) claims {
		c := claims{"iss": providerURL, "sub": "li.na", "aud": "viewer", "exp": noon.Add(time.Hour).Unix(), "iat": noon.Unix()}
		for name, value := range more {
			c[name] = value
		}
		return c
	}
	access := p.sign(f, "at+jwt", p.key, jose.RS256, with(nil))
	identity := p.sign(f, "", p.key, jose.RS256, with(claims{"nonce": "n", "name": "李娜"}))
	public, err := p.key.Public().MarshalJSON()
	if err != nil {
		f.Fatal(err)
	}
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		f.Fatal(err)
	}
	seeds := []string{
		access, identity, p.sign(f, "JWT", p.key, jose.RS256, with(claims{"token_use": "id"})), p.sign(f, "", p.key, jose.RS256, with(claims{"exp": noon.Unix() - 1})), p.sign(f, "", p.key, jose.RS256, with(claims{"iss": "https://other.example"})),
		p.sign(f, "at+jwt", jose.JSONWebKey{Key: other, KeyID: "first"}, jose.RS256, with(nil)), p.sign(f, "at+jwt", jose.JSONWebKey{Key: public, KeyID: "first"}, jose.HS256, with(nil)),
	}
	for _, token := range []string{access, identity} {
		seeds = append(append(seeds, mutilated(token)...), rewrapped(token)...)
	}
	for _, token := range seeds {
		f.Add(token)
	}
	want := strings.Split(access, ".")
	f.Fuzz(func(t *testing.T, token string) {
		subject, err := v.Subject(t.Context(), token)
		if err != nil {
			if !errors.Is(err, person.ErrUnauthenticated) || subject != "" {
				t.Fatalf("%q, %v", subject, err)
			}
			storetest.Discreet(t, err, []byte(token))
			return
		}
		parts := strings.Split(token, ".")
		if subject != "li.na" || len(parts) != 3 || !sameBytes(parts[0], want[0]) || !sameBytes(parts[1], want[1]) || !sameBytes(parts[2], want[2]) {
			t.Fatalf("%q is let in with %q", subject, token)
		}
	})
}

// sameBytes says whether two are base64 of the same, whatever their last bits are.
func sameBytes(a, b string) bool {
	first, err := base64.RawURLEncoding.DecodeString(a)
	second, err2 := base64.RawURLEncoding.DecodeString(b)
	return err == nil && err2 == nil && bytes.Equal(first, second)
}

// FuzzVisitor: whoever is let in shows a cookie that Begin wrote for this person under
// this key and name.
func FuzzVisitor(f *testing.F) {
	clock := func() time.Time { return noon }
	sessions := func(f *testing.F) *signin.Sessions {
		s, err := signin.NewSessions(signin.Settings{Key: signin.NewKey(), Now: clock})
		if err != nil {
			f.Fatal(err)
		}
		return s
	}
	ours, theirs := sessions(f), sessions(f)
	begun := func(s *signin.Sessions, p person.Person) string {
		w := httptest.NewRecorder()
		s.Begin(w, p)
		return w.Result().Cookies()[0].Value
	}
	genuine := begun(ours, person.Person{Subject: "li.na", Roles: []person.Role{person.Reader}})
	w := httptest.NewRecorder() // a cookie of ours, for something else
	signin.New(signin.Config{Issuer: providerURL, ClientID: "viewer", Base: "https://viewer.example", Sessions: ours, Client: newProvider(f).client()}).
		ServeHTTP(w, httptest.NewRequest(http.MethodGet, signin.BeginPath, nil))
	flow := w.Result().Cookies()[0].Value
	flipped := []byte(genuine)
	flipped[len(flipped)/2] ^= 1
	for _, value := range []string{genuine, flow, begun(ours, person.Person{}), begun(theirs, person.Person{Subject: "li.na"}), genuine[:len(genuine)-1], genuine[:len(genuine)/2], genuine[1:], genuine + genuine, string(flipped), "", "=", "e30", strings.Repeat("A", 4000)} {
		f.Add("__Host-session=" + value)
		f.Add("session=" + value)
	}
	f.Add("__Host-signin=" + genuine)
	f.Add("__Host-session=" + flow + "; __Host-session=" + genuine)
	f.Fuzz(func(t *testing.T, header string) {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("Cookie", header)
		p, err := ours.Visitor(httptest.NewRecorder(), r)
		if err != nil {
			if !errors.Is(err, person.ErrUnauthenticated) || p.Subject != "" || p.Roles != nil {
				t.Fatalf("%+v, %v", p, err)
			}
			storetest.Discreet(t, err, []byte(header))
			return
		}
		cookie, err := r.Cookie("__Host-session")
		if err != nil || !sameBytes(cookie.Value, genuine) || p.Subject != "li.na" || !slices.Equal(p.Roles, []person.Role{person.Reader}) {
			t.Fatalf("%+v is let in with %q", p, header)
		}
	})
}

// journey is a site with a sign-in whose provider answers what the test says.
type journey struct {
	*provider
	sessions *signin.Sessions
	site     http.Handler
	log      bytes.Buffer
}

func newJourney(f *testing.F) *journey {
	f.Helper()
	j := &journey{provider: newProvider(f)}
	var err error
	if j.sessions, err = signin.NewSessions(signin.Settings{Key: signin.NewKey(), Now: func() time.Time { return noon }}); err != nil {
		f.Fatal(err)
	}
	j.site = signin.New(signin.Config{
		Issuer: providerURL, ClientID: "viewer", Base: "https://viewer.example", RolesClaim: "roles", Sessions: j.sessions,
		Client: j.client(), Log: slog.New(slog.NewTextHandler(&j.log, nil)),
	})
	return j
}

// begin is what a browser takes to the provider.
func (j *journey) begin(t testing.TB, back string) (cookie *http.Cookie, asked url.Values) {
	t.Helper()
	w := httptest.NewRecorder()
	j.site.ServeHTTP(w, httptest.NewRequest(http.MethodGet, signin.BeginPath+"?"+url.Values{"back": {back}}.Encode(), nil))
	to, err := url.Parse(w.Result().Header.Get("Location"))
	if err != nil || len(w.Result().Cookies()) != 1 {
		t.Fatalf("%d, %v", w.Code, err)
	}
	return w.Result().Cookies()[0], to.Query()
}

// identity are the claims of the ID token that answers a sign-in.
func identity(nonce string) claims {
	return claims{"iss": providerURL, "sub": "li.na", "aud": "viewer", "exp": noon.Add(time.Hour).Unix(), "iat": noon.Unix(), "auth_time": noon.Unix(), "nonce": nonce, "roles": []string{"reader", "god"}}
}

// back comes back from the provider, and says who is signed in then, if anybody.
func (j *journey) back(t testing.TB, flow *http.Cookie, state string) (who person.Person, answer *httptest.ResponseRecorder) {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, signin.CallbackPath+"?"+url.Values{"state": {state}, "code": {"c"}}.Encode(), nil)
	r.AddCookie(flow)
	answer = httptest.NewRecorder()
	j.site.ServeHTTP(answer, r)
	for _, cookie := range answer.Result().Cookies() {
		if cookie.Name != "__Host-session" {
			continue
		}
		visit := httptest.NewRequest(http.MethodGet, "/", nil)
		visit.AddCookie(cookie)
		var err error
		if who, err = j.sessions.Visitor(httptest.NewRecorder(), visit); err != nil || who.Subject == "" {
			t.Fatalf("a session of %+v, %v", who, err)
		}
	}
	return who, answer
}

// FuzzCallback: the return from the provider signs in whom an ID token names that the
// provider signed for this very sign-in, and nobody else; no refusal quotes the token.
func FuzzCallback(f *testing.F) {
	j := newJourney(f)
	flow, asked := j.begin(f, "/c")
	other, another := j.begin(f, "/c")
	genuine := j.sign(f, "", j.key, jose.RS256, identity(asked.Get("nonce")))
	replayed := j.sign(f, "", j.key, jose.RS256, identity(another.Get("nonce")))
	stale := identity(asked.Get("nonce"))
	stale["auth_time"] = noon.Add(-time.Hour).Unix()
	state := asked.Get("state")
	f.Add(flow.Value, state, genuine)
	f.Add(flow.Value, state, replayed)
	f.Add(flow.Value, state, j.sign(f, "", j.key, jose.RS256, stale))
	f.Add(other.Value, state, genuine)
	f.Add(flow.Value, another.Get("state"), genuine)
	f.Add(flow.Value, "", genuine)
	f.Add(flow.Value, state+"\x00", genuine)
	f.Add("", "", genuine)
	f.Add(flow.Value[:len(flow.Value)/2], state, genuine)
	f.Add(flow.Value, state, base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"`+strings.Repeat("confidential", 200)+`"}`))+".e30.c2ln")
	for _, token := range append(mutilated(genuine), rewrapped(genuine)...) {
		f.Add(flow.Value, state, token)
	}
	want := strings.Split(genuine, ".")
	f.Fuzz(func(t *testing.T, cookie, state, token string) {
		j.token = token
		j.log.Reset()
		who, answer := j.back(t, &http.Cookie{Name: flow.Name, Value: cookie}, state)
		if answer.Body.Len() > 2000 {
			t.Fatalf("it answers %s", answer.Body)
		}
		storetest.Discreet(t, errors.New(j.log.String()), []byte(token))
		if who.Subject == "" {
			return
		}
		parts := strings.Split(strings.Join(strings.Fields(token), ""), ".")
		if who.Subject != "li.na" || !slices.Equal(who.Roles, []person.Role{person.Reader}) || answer.Header().Get("Location") != "/c" {
			t.Fatalf("%+v is led to %q", who, answer.Header().Get("Location"))
		}
		if state != asked.Get("state") || !sameBytes(cookie, flow.Value) || len(parts) != 3 || !sameBytes(parts[1], want[1]) || !sameBytes(parts[2], want[2]) {
			t.Fatalf("signed in with cookie %q, state %q and token %q", cookie, state, token)
		}
	})
}

// FuzzBack: wherever somebody wanted to go, sign-in leads to this host, with a cookie
// that browsers keep.
func FuzzBack(f *testing.F) {
	j := newJourney(f)
	for _, back := range []string{"", "/", "/c", "/c?q=" + strings.Repeat("<", 1000), "/" + strings.Repeat("<", 1000), "//elsewhere.example", "https://elsewhere.example/", `/\elsewhere.example`, "/\t/elsewhere.example", "/.//elsewhere.example", "/%zz//elsewhere.example", "/c/../..//e", "/搜索?q=合同#x", "/" + strings.Repeat("c", 5000), "/\x00", "javascript:alert(1)"} {
		f.Add(back)
	}
	f.Fuzz(func(t *testing.T, back string) {
		flow, asked := j.begin(t, back)
		if len(flow.Name)+len(flow.Value) > 4096 {
			t.Fatalf("a cookie of %d bytes", len(flow.Value))
		}
		j.token = j.sign(t, "", j.key, jose.RS256, identity(asked.Get("nonce")))
		who, answer := j.back(t, flow, asked.Get("state"))
		to := answer.Header().Get("Location")
		if who.Subject != "li.na" || answer.Code != http.StatusSeeOther || !strings.HasPrefix(to, "/") || strings.HasPrefix(to, "//") || strings.ContainsAny(to, "\\\r\n\t") {
			t.Fatalf("%+v, who wanted %q, is led to %q (%d)", who, back, to, answer.Code)
		}
	})
}
