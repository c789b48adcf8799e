package viewer

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"wecom-archive/shared/person"
)

// Roles of the operations.
var (
	healthRoles  = []person.Role{person.Reader, person.Auditor, person.Operator}
	contentRoles = []person.Role{person.Reader, person.Auditor}
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

type personKey struct{}

// personOf is who sent the request. authorize has put it there.
func personOf(ctx context.Context) person.Person {
	p, _ := ctx.Value(personKey{}).(person.Person)
	return p
}

// authorize lets requests pass of persons with one of the roles.
func (s *server) authorize(roles []person.Role) func(huma.Context, func(huma.Context)) {
	return func(hc huma.Context, next func(huma.Context)) {
		r, w := humago.Unwrap(hc)
		who, err := s.Auth.Authenticate(r)
		switch {
		case errors.Is(err, person.ErrUnauthenticated):
			challenge := `Bearer realm="wecom-archive"`
			if r.Header.Get("Authorization") != "" {
				challenge += `, error="invalid_token"`
			}
			w.Header().Set("WWW-Authenticate", challenge)
			s.writeProblem(w, r, huma.Error401Unauthorized("Send a valid token in the header: Authorization: Bearer <token>."))
		case err != nil:
			s.logFailure(r.Context(), "finding out who asks", err)
			s.writeProblem(w, r, huma.Error503ServiceUnavailable("It could not be found out who you are. Try again later."))
		case !who.Has(roles...) || who.Subject == "":
			s.writeProblem(w, r, forbidden(roles))
		default:
			noteSubject(r.Context(), who.Subject)
			next(huma.WithValue(huma.WithValue(hc, personKey{}, who), reasonKey{}, headerReason(r)))
		}
	}
}

func forbidden(roles []person.Role) huma.StatusError {
	names := make([]string, len(roles))
	for i, r := range roles {
		names[i] = string(r)
	}
	return huma.Error403Forbidden("This needs the role " + strings.Join(names, " or ") + ". Ask whoever manages access for it.")
}
