package signin_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"wecom-archive/shared/person"
	"wecom-archive/shared/signin"
	"wecom-archive/shared/store"
	"wecom-archive/shared/store/storetest"
)

// masking wraps keys in a way that only the same stack can undo.
type masking struct{ stack string }

func (m masking) New(context.Context) (key, wrapped []byte, err error) {
	key = signin.NewKey()
	return key, append([]byte(m.stack+":"), key...), nil
}

func (m masking) Unwrap(_ context.Context, wrapped []byte) ([]byte, error) {
	key, ok := bytes.CutPrefix(wrapped, []byte(m.stack+":"))
	if !ok {
		return nil, errors.New("InvalidCiphertextException")
	}
	return key, nil
}

// issuer is a provider whose keys the test turns.
type issuer struct {
	t    *testing.T
	url  string
	keys []jose.JSONWebKey // private; the provider shows their public halves
}

func newIssuer(t *testing.T) *issuer {
	i := &issuer{t: t}
	mux := http.NewServeMux()
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	i.url = server.URL
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]any{"issuer": i.url, "jwks_uri": i.url + "/keys", "authorization_endpoint": i.url + "/a", "token_endpoint": i.url + "/t"})
	})
	mux.HandleFunc("GET /keys", func(w http.ResponseWriter, _ *http.Request) {
		var public jose.JSONWebKeySet
		for _, k := range i.keys {
			public.Keys = append(public.Keys, k.Public())
		}
		_ = json.NewEncoder(w).Encode(public)
	})
	i.keys = []jose.JSONWebKey{newKey(t, "first")}
	return i
}

func newKey(t *testing.T, kid string) jose.JSONWebKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return jose.JSONWebKey{Key: key, KeyID: kid, Algorithm: "RS256", Use: "sig"}
}

type claims map[string]any

func sign(t *testing.T, algorithm jose.SignatureAlgorithm, key any, c claims) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: algorithm, Key: key}, nil)
	if err != nil {
		t.Fatal(err)
	}
	token, err := jwt.Signed(signer).Claims(map[string]any(c)).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	return token
}

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// plant is what sign-in and the pages share.
type plant struct {
	*issuer
	index    *storetest.Index
	sessions *signin.Sessions
	verifier *signin.Verifier
	now      time.Time
}

func newPlant(t *testing.T) *plant {
	t.Helper()
	p := &plant{issuer: newIssuer(t), index: storetest.NewIndex(), now: noon}
	key, err := signin.MakeKey(t.Context(), p.index, masking{"prod"})
	if err != nil {
		t.Fatal(err)
	}
	clock := func() time.Time { return p.now }
	if p.sessions, err = signin.NewSessions(signin.Settings{Key: key, Now: clock}); err != nil {
		t.Fatal(err)
	}
	stored := &signin.Stored{Index: p.index, Wrapper: masking{"prod"}}
	p.verifier = &signin.Verifier{Issuer: p.url, Audience: "viewer", Index: p.index, Sessions: stored.Sessions, Now: clock}
	return p
}

func (p *plant) keep() {
	p.t.Helper()
	if err := signin.KeepKeys(p.t.Context(), http.DefaultClient, p.url, p.index, p.sessions); err != nil {
		p.t.Fatal(err)
	}
}

// good are the claims of an access token as Cognito makes them.
func (p *plant) good() claims {
	return claims{"iss": p.url, "sub": "li.na", "client_id": "viewer", "token_use": "access", "exp": p.now.Add(time.Hour).Unix(), "iat": p.now.Unix()}
}

func TestTokens(t *testing.T) {
	p := newPlant(t)
	p.keep()
	mine := p.keys[0]
	changed := func(name string, value any) string {
		c := p.good()
		if c[name] = value; value == nil {
			delete(c, name)
		}
		return sign(t, jose.RS256, mine, c)
	}
	public, err := mine.Public().MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	encode := base64.RawURLEncoding.EncodeToString
	body, err := json.Marshal(p.good())
	if err != nil {
		t.Fatal(err)
	}
	token := sign(t, jose.RS256, mine, p.good())
	parts := strings.Split(token, ".")
	sibling := newKey(t, "first") // of the same name
	id := p.good()
	delete(id, "token_use")
	id["nonce"] = "n"
	identity := sign(t, jose.RS256, mine, id)
	for name, test := range map[string]struct {
		token string
		good  bool
	}{
		"Cognito's access token":         {token, true},
		"with aud":                       {changed("aud", []string{"x", "viewer"}), true},
		"nothing":                        {"", false},
		"no token":                       {"eyJraWQiOiJleGFtcGxlIn0.e30.c2ln", false},
		"of another client":              {changed("client_id", "other"), false},
		"of no client":                   {changed("client_id", nil), false},
		"for another audience":           {changed("aud", "other"), false},
		"ID token":                       {changed("token_use", "id"), false},
		"another issuer":                 {changed("iss", "https://elsewhere.example"), false},
		"expired":                        {changed("exp", p.now.Add(-time.Second).Unix()), false},
		"without end":                    {changed("exp", nil), false},
		"not yet":                        {changed("nbf", p.now.Add(time.Hour).Unix()), false},
		"nobody":                         {changed("sub", nil), false},
		"alg none":                       {encode([]byte(`{"alg":"none","kid":"first"}`)) + "." + encode(body) + ".", false},
		"alg none with a signature":      {encode([]byte(`{"alg":"none","kid":"first"}`)) + "." + encode(body) + "." + parts[2], false},
		"public key as a shared secret":  {sign(t, jose.HS256, jose.JSONWebKey{Key: public, KeyID: "first"}, p.good()), false},
		"unknown kid":                    {sign(t, jose.RS256, newKey(t, "second"), p.good()), false},
		"another key of the same name":   {sign(t, jose.RS256, sibling, p.good()), false},
		"another algorithm than its key": {sign(t, jose.PS256, jose.JSONWebKey{Key: mine.Key, KeyID: "first"}, p.good()), false},
		"other claims":                   {parts[0] + "." + encode([]byte(strings.Replace(string(body), "li.na", "zhang", 1))) + "." + parts[2], false},
		"ID token by its nonce":          {identity, false},
		"ID token with another header":   {rewrapped(identity)[2], false}, // that calls it an access token, unsigned
		"access token in JSON":           {rewrapped(token)[0], false},
		"without a signature":            {parts[0] + "." + parts[1] + ".", false},
	} {
		subject, err := p.verifier.Subject(t.Context(), test.token)
		if test.good && (err != nil || subject != "li.na") {
			t.Errorf("%s: %q, %v", name, subject, err)
		}
		if !test.good && (!errors.Is(err, person.ErrUnauthenticated) || subject != "") {
			t.Errorf("%s: %q, %v", name, subject, err)
		}
	}
}

// TestTurnedKeys: a provider turns its keys; sign-in sees it, and the verifier reads
// the index again for a key that it does not know, but not more than once a minute.
func TestTurnedKeys(t *testing.T) {
	p := newPlant(t)
	if _, err := p.verifier.Subject(t.Context(), sign(t, jose.RS256, p.keys[0], p.good())); err == nil || errors.Is(err, person.ErrUnauthenticated) {
		t.Errorf("before any keys were stored: %v", err)
	}
	p.keep()
	check := func(what string, key jose.JSONWebKey, want bool) {
		t.Helper()
		if _, err := p.verifier.Subject(t.Context(), sign(t, jose.RS256, key, p.good())); (err == nil) != want {
			t.Errorf("%s: %v", what, err)
		}
	}
	first, second := p.keys[0], newKey(t, "second")
	check("the first", first, true)
	p.keys = []jose.JSONWebKey{second}
	check("not stored yet", second, false)
	p.keep()
	check("asked a moment ago", second, false)
	p.now = p.now.Add(time.Minute)
	check("stored", second, true)
	check("withdrawn", first, false)
	p.now = p.now.Add(49 * time.Hour)
	_, err := p.verifier.Subject(t.Context(), sign(t, jose.RS256, second, p.good()))
	if err == nil || errors.Is(err, person.ErrUnauthenticated) {
		t.Errorf("keys of the day before yesterday: %v", err)
	}
}

// TestPlantedKeys: another function writes to the index; its key signs nobody in.
func TestPlantedKeys(t *testing.T) {
	p := newPlant(t)
	p.keep()
	item, err := p.index.Get(t.Context(), "signin", "issuer")
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(item.Value, []byte("first")) {
		t.Errorf("not sealed: %s", item.Value)
	}
	strangers, err := signin.NewSessions(signin.Settings{Key: signin.NewKey(), Now: func() time.Time { return p.now }})
	if err != nil {
		t.Fatal(err)
	}
	if err := signin.KeepKeys(t.Context(), http.DefaultClient, p.url, p.index, strangers); err != nil {
		t.Fatal(err)
	}
	if s, err := p.verifier.Subject(t.Context(), sign(t, jose.RS256, p.keys[0], p.good())); err == nil {
		t.Errorf("planted keys: %q", s)
	}
	for _, value := range []string{`{}`, `{"sealed":"AAAA"}`, `[]`} {
		if err := p.index.Put(t.Context(), store.Item{Partition: "signin", Sort: "issuer", Value: []byte(value)}); err != nil {
			t.Fatal(err)
		}
		if s, err := p.verifier.Subject(t.Context(), sign(t, jose.RS256, p.keys[0], p.good())); err == nil {
			t.Errorf("%s: %q", value, s)
		}
	}
}

func TestKeepKeysRefuses(t *testing.T) {
	p := newPlant(t)
	p.keys = nil
	if err := signin.KeepKeys(t.Context(), http.DefaultClient, p.url, p.index, p.sessions); err == nil {
		t.Error("an issuer without keys")
	}
	if err := signin.KeepKeys(t.Context(), http.DefaultClient, p.url+"/", p.index, p.sessions); err == nil {
		t.Error("an issuer of another name")
	}
	if _, err := p.index.Get(t.Context(), "signin", "issuer"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("stored: %v", err)
	}
}

// TestStoredKey: a cookie made by sign-in opens where the key is only read, and
// nowhere else.
func TestStoredKey(t *testing.T) {
	p := newPlant(t)
	w := httptest.NewRecorder()
	p.sessions.Begin(w, person.Person{Subject: "li.na", Roles: []person.Role{person.Reader}})
	cookie := w.Result().Cookies()[0]
	visit := func(index store.Index, wrapper signin.Wrapper, value string) (person.Person, error) {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.AddCookie(&http.Cookie{Name: cookie.Name, Value: value})
		s := &signin.Stored{Index: index, Wrapper: wrapper, Settings: signin.Settings{Now: func() time.Time { return p.now }}}
		return s.Visitor(httptest.NewRecorder(), r)
	}
	if person, err := visit(p.index, masking{"prod"}, cookie.Value); err != nil || person.Subject != "li.na" {
		t.Errorf("ours: %v, %v", person, err)
	}
	if again, err := signin.MakeKey(t.Context(), p.index, masking{"prod"}); err != nil || !bytes.Equal(again, p.sessions.Key) {
		t.Errorf("another key is made: %v", err)
	}
	for i := range len(cookie.Value) {
		flipped := []byte(cookie.Value)
		if flipped[i] = 'A'; cookie.Value[i] == 'A' {
			flipped[i] = 'B'
		}
		if i == len(flipped)-1 {
			continue // its last bits may mean nothing
		}
		if _, err := visit(p.index, masking{"prod"}, string(flipped)); !errors.Is(err, person.ErrUnauthenticated) {
			t.Fatalf("letter %d changed: %v", i, err)
		}
	}
	others := storetest.NewIndex()
	if _, err := visit(others, masking{"staging"}, cookie.Value); !errors.Is(err, person.ErrUnauthenticated) {
		t.Errorf("a stack without a key: %v", err)
	}
	if _, err := signin.MakeKey(t.Context(), others, masking{"staging"}); err != nil {
		t.Fatal(err)
	}
	if _, err := visit(others, masking{"staging"}, cookie.Value); !errors.Is(err, person.ErrUnauthenticated) {
		t.Errorf("another stack: %v", err)
	}
	if _, err := visit(p.index, masking{"staging"}, cookie.Value); err == nil || errors.Is(err, person.ErrUnauthenticated) {
		t.Errorf("a key wrapped by another stack: %v", err)
	}
}
