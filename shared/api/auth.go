package api

import (
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"net/http"
	"strings"

	"wecom-archive/shared/person"
)

// Authenticator finds out who sent a request. It returns person.ErrUnauthenticated,
// wrapped, if that is nobody; any other error means that it could not find out.
type Authenticator interface {
	Authenticate(r *http.Request) (person.Person, error)
}

// StaticToken accepts one bearer token and takes its bearer for person. It is
// for use on one machine. An empty token accepts nobody.
func StaticToken(token string, person person.Person) Authenticator {
	return staticToken{hash: sha256.Sum256([]byte(token)), person: person}
}

type staticToken struct {
	hash   [sha256.Size]byte // of equal length for every token, as the comparison needs
	person person.Person
}

func (s staticToken) Authenticate(r *http.Request) (person.Person, error) {
	token, ok := bearerToken(r)
	if !ok {
		return person.Person{}, fmt.Errorf("%w: no bearer token", person.ErrUnauthenticated)
	}
	hash := sha256.Sum256([]byte(token))
	if subtle.ConstantTimeCompare(hash[:], s.hash[:]) != 1 {
		return person.Person{}, fmt.Errorf("%w: wrong token", person.ErrUnauthenticated)
	}
	return s.person, nil
}

// bearerToken is the token of the Authorization header (RFC 6750), never empty. Tokens in
// URLs are not accepted: URLs end up in logs.
func bearerToken(r *http.Request) (string, bool) {
	scheme, token, ok := strings.Cut(r.Header.Get("Authorization"), " ")
	token = strings.TrimSpace(token)
	return token, ok && strings.EqualFold(scheme, "Bearer") && token != ""
}

// nobody refuses every request.
type nobody struct{}

func (nobody) Authenticate(*http.Request) (person.Person, error) {
	return person.Person{}, fmt.Errorf("%w: sign-in is not set up", person.ErrUnauthenticated)
}

// bearer is the name of the security scheme in the OpenAPI document.
const bearer = "bearer"
