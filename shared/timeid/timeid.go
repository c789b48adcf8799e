// Package timeid makes the ids of runs, checkups and scopes: unique, and in the order
// of time when sorted as text.
package timeid

import "github.com/google/uuid"

// New makes an id.
func New() string { return uuid.Must(uuid.NewV7()).String() }
