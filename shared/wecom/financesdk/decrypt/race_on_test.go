//go:build race

package decrypt_test

// underRace shortens what the race detector makes ten times slower.
const underRace = true
