//go:build !race

package search_test

// underRace shortens what the race detector makes ten times slower.
const underRace = false
