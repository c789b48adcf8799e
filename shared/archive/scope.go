package archive

import (
	"fmt"
	"time"
)

// Scope is whom the company says it archives: the list that somebody entered in
// WeCom's console (会话内容存档 → 开启范围). WeCom tells nobody what stands there, only who
// has a seat, and leaves out those above the number of seats.
type Scope struct {
	ID      string    `json:"id"`
	At      time.Time `json:"at"`  // ms
	Who     string    `json:"who"` // said so, as the machine says
	UserIDs []string  `json:"userids"`
}

// MaxScope bounds Scope.UserIDs.
const MaxScope = 200_000

// ScopeKey names the object of a scope's event.
func ScopeKey(s Scope) string {
	return eventKey(s.At, fmt.Sprintf("scope-%013d-%s", s.At.UnixMilli(), s.ID))
}
