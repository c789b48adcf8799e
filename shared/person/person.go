package person

import (
	"errors"
	"slices"
)

// Role is what a person may do. A person may hold several.
type Role string

// Roles. Who runs an archive need not be able to read it.
const (
	Reader   Role = "reader"   // content
	Auditor  Role = "auditor"  // content, also as decrypted, and who looked at it; changes nothing
	Operator Role = "operator" // health, keys, settings; no content
)

// Person is who asks.
type Person struct {
	Subject string // as the issuer names the person; recorded with each look
	Name    string // to show; may be empty
	Roles   []Role
}

// Has says whether the person holds one of the roles.
func (p Person) Has(roles ...Role) bool {
	return slices.ContainsFunc(roles, func(r Role) bool { return slices.Contains(p.Roles, r) })
}

// ErrUnauthenticated: the request carries no credentials, or none that are valid.
var ErrUnauthenticated = errors.New("not authenticated")
