//go:build !race

package financesdk_test

// underRace shortens what the race detector makes ten times slower.
const underRace = false
