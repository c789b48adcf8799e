//go:build !race

package scan_test

// underRace shortens what the race detector makes ten times slower.
const underRace = false
