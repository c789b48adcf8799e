//go:build race

package compact_test

// underRace shortens what the race detector makes ten times slower.
const underRace = true
