//go:build race

package directory_test

// underRace shortens what the race detector makes ten times slower and cannot
// see anything new in.
const underRace = true
