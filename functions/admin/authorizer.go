package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/awslabs/aws-lambda-go-api-proxy/core"

	"wecom-archive/shared/api"
	"wecom-archive/shared/person"
)

// authorizer takes a person from the claims of the token that API Gateway's JWT
// authorizer has checked. They come in the request context of the event, which a
// client cannot write. The token itself is checked again, with the keys that the
// signin function has stored: a route whose authorizer was lost or changed lets nobody in.
type authorizer struct {
	rolesClaim string
	tokens     tokens
}

// tokens checks access tokens (*signin.Verifier).
type tokens interface {
	// Subject returns person.ErrUnauthenticated, wrapped, for one that is not good.
	Subject(ctx context.Context, token string) (string, error)
}

var _ api.Authenticator = authorizer{}

// Authenticate implements api.Authenticator.
func (a authorizer) Authenticate(r *http.Request) (person.Person, error) {
	gateway, ok := core.GetAPIGatewayV2ContextFromContext(r.Context())
	if !ok || gateway.Authorizer == nil || gateway.Authorizer.JWT == nil {
		return person.Person{}, fmt.Errorf("%w: no JWT authorizer checked the request", person.ErrUnauthenticated)
	}
	claims := gateway.Authorizer.JWT.Claims
	if claims["sub"] == "" {
		return person.Person{}, fmt.Errorf("%w: the token has no subject", person.ErrUnauthenticated)
	}
	// Cognito signs ID tokens for the same client with the same keys. They say who
	// signed in, and are no permission to call an API.
	if use, ok := claims["token_use"]; ok && use != "access" {
		return person.Person{}, fmt.Errorf("%w: not an access token", person.ErrUnauthenticated)
	}
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return person.Person{}, fmt.Errorf("%w: no bearer token", person.ErrUnauthenticated)
	}
	subject, err := a.tokens.Subject(r.Context(), strings.TrimSpace(token))
	if err != nil {
		return person.Person{}, err
	}
	if subject != claims["sub"] {
		return person.Person{}, fmt.Errorf("%w: the token is not the one that was checked", person.ErrUnauthenticated)
	}
	return person.Person{Subject: subject, Roles: roles(claims[a.rolesClaim])}, nil
}

// roles are the known roles in the value of a claim. API Gateway makes a list
// "[a b]", in which a name with a space looks like two names: an issuer whose
// groups may have spaces in their names needs a claim of its own for roles. A
// plain claim is one role, or several with spaces between, as in a scope.
func roles(claim string) []person.Role {
	claim = strings.TrimSpace(claim)
	var names []string
	if inner, ok := strings.CutPrefix(claim, "["); ok && json.Unmarshal([]byte(claim), &names) != nil {
		names = strings.Fields(strings.TrimSuffix(inner, "]"))
	} else if !ok {
		names = strings.Fields(claim)
	}
	var found []person.Role
	for _, role := range []person.Role{person.Reader, person.Auditor, person.Operator} {
		if slices.Contains(names, string(role)) {
			found = append(found, role)
		}
	}
	return found
}
