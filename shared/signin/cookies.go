package signin

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"wecom-archive/shared/person"
	"wecom-archive/shared/store"
)

// Limits of a session where Settings does not say.
const (
	defaultIdle     = 30 * time.Minute
	defaultAbsolute = 8 * time.Hour
	renewAfter      = time.Minute      // a cookie that is used is written anew, not at every request
	flowTime        = 10 * time.Minute // to sign in at the provider
)

// KeySize is the length of the key of sessions, in bytes.
const KeySize = 32

// Settings of sessions.
type Settings struct {
	// Index keeps which sessions are over before their time. It is the same in every
	// process that serves the pages; nil: the process is the only one, and remembers.
	Index    store.Index
	Key      []byte           // KeySize random bytes, the same in every process that serves the pages
	Insecure bool             // cookies also over http: for one machine only
	Idle     time.Duration    // a session ends when it is not used for so long; 0: 30 minutes
	Absolute time.Duration    // and when it is so old; 0: 8 hours
	Now      func() time.Time // nil: time.Now
}

// Sessions keeps who is signed in, in a cookie that only this program can read or
// make (AES-256-GCM). Stored on the server is only which sessions were ended.
type Sessions struct {
	Settings
	aead  cipher.AEAD
	ended endings
}

// NewSessions refuses a key of another length than KeySize.
func NewSessions(s Settings) (*Sessions, error) {
	if len(s.Key) != KeySize {
		return nil, fmt.Errorf("key of sessions has %d bytes, not %d", len(s.Key), KeySize)
	}
	block, err := aes.NewCipher(s.Key)
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, err
	}
	if s.Idle == 0 {
		s.Idle = defaultIdle
	}
	if s.Absolute == 0 {
		s.Absolute = defaultAbsolute
	}
	if s.Now == nil {
		s.Now = time.Now
	}
	return &Sessions{Settings: s, aead: aead}, nil
}

// NewKey makes a key.
func NewKey() []byte {
	key := make([]byte, KeySize)
	rand.Read(key) // never fails
	return key
}

// Names of the cookies. With the prefix __Host- a browser takes them only over
// https, from this host, for all of it.
const (
	sessionCookie = "session"
	flowCookie    = "signin"
)

// session is what the cookie holds.
type session struct {
	Person person.Person `json:"person"`
	Begun  time.Time     `json:"begun"`
	Seen   time.Time     `json:"seen"`
}

// Visitor is who sent the request. It returns person.ErrUnauthenticated, wrapped, if
// nobody is signed in, and any other error if that could not be found out. What it writes is a header only: the cookie's new time.
func (s *Sessions) Visitor(w http.ResponseWriter, r *http.Request) (person.Person, error) {
	var found session
	if err := s.read(r, sessionCookie, &found); err != nil {
		return person.Person{}, fmt.Errorf("%w: %w", person.ErrUnauthenticated, err)
	}
	now := s.Now()
	switch {
	case found.Person.Subject == "":
		return person.Person{}, fmt.Errorf("%w: a session of nobody", person.ErrUnauthenticated)
	case now.Sub(found.Seen) > s.Idle || now.Sub(found.Begun) > s.Absolute:
		return person.Person{}, fmt.Errorf("%w: the session has ended", person.ErrUnauthenticated)
	}
	over, err := s.over(r.Context(), found)
	switch {
	case err != nil:
		return person.Person{}, err
	case over:
		return person.Person{}, fmt.Errorf("%w: the session was ended", person.ErrUnauthenticated)
	case now.Sub(found.Seen) > renewAfter:
		found.Seen = now
		s.write(w, sessionCookie, found, s.Absolute)
	}
	return found.Person, nil
}

// Begin signs the person in. Whoever calls it has made sure who that is.
func (s *Sessions) Begin(w http.ResponseWriter, p person.Person) {
	now := s.Now()
	s.write(w, sessionCookie, session{Person: p, Begun: now, Seen: now}, s.Absolute)
}

func (s *Sessions) name(cookie string) string {
	if s.Insecure {
		return cookie
	}
	return "__Host-" + cookie
}

// write sets a cookie that lives at most so long.
func (s *Sessions) write(w http.ResponseWriter, cookie string, value any, life time.Duration) {
	doc, err := json.Marshal(value)
	if err != nil {
		panic(err) // strings and times always encode
	}
	// The name is bound in, so that one cookie cannot stand in for the other.
	sealed := s.aead.Seal(nil, nil, doc, []byte(cookie))
	http.SetCookie(w, s.cookie(cookie, base64.RawURLEncoding.EncodeToString(sealed), int(life/time.Second)))
}

func (s *Sessions) clear(w http.ResponseWriter, cookie string) {
	http.SetCookie(w, s.cookie(cookie, "", -1))
}

// cookie is Lax, since a strict one would not come with the return from the
// provider; whatever changes something is a POST and guarded besides.
func (s *Sessions) cookie(name, value string, seconds int) *http.Cookie {
	return &http.Cookie{
		Name: s.name(name), Value: value, Path: "/", MaxAge: seconds,
		HttpOnly: true, Secure: !s.Insecure, SameSite: http.SameSiteLaxMode,
	}
}

func (s *Sessions) read(r *http.Request, cookie string, value any) error {
	c, err := r.Cookie(s.name(cookie))
	if err != nil {
		return err
	}
	sealed, err := base64.RawURLEncoding.DecodeString(c.Value)
	if err != nil {
		return fmt.Errorf("cookie %s: %w", cookie, err)
	}
	doc, err := s.aead.Open(nil, nil, sealed, []byte(cookie))
	if err != nil {
		return fmt.Errorf("cookie %s is not ours: %w", cookie, err)
	}
	return json.Unmarshal(doc, value)
}
