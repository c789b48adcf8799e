// Package plural says how many there are, in English: Chinese has no plurals.
package plural

import (
	"fmt"
	"regexp"
)

// Of is a count and the words after it, as "1 page" or "2 pages". many are the words if
// there is not one, where an s at their end does not do: Of(n, "file is lost", "files are lost").
func Of[N int | int64 | uint64](n N, one string, many ...string) string {
	words := one + "s"
	switch {
	case n == 1:
		words = one
	case len(many) > 0:
		words = many[0]
	}
	return fmt.Sprintf("%d %s", n, words)
}

var choice = regexp.MustCompile(`\{([^{}|]*)\|([^{}|]*)\}`)

// Choose makes its choice wherever a phrase has {one|many}, as "%d {item|items}", by the
// count that the phrase is about. count is a number, or text of one.
func Choose(phrase string, count any) string {
	chosen := "$2"
	if fmt.Sprint(count) == "1" {
		chosen = "$1"
	}
	return choice.ReplaceAllString(phrase, chosen)
}
