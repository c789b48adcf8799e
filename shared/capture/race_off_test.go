//go:build !race

package capture_test

const underRace = false
