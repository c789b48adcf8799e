package environment_test

import (
	"strings"
	"testing"

	"wecom-archive/shared/environment"
)

// TestReadNumbers: a number is within its bounds or named; one that is not set keeps
// what it had.
func TestReadNumbers(t *testing.T) {
	for _, test := range []struct {
		text string
		want int
		ok   bool
	}{
		{"", 12, true}, {"1", 1, true}, {"100", 100, true},
		{"0", 12, false}, {"101", 12, false}, {"-5", 12, false}, {"many", 12, false}, {"1.5", 12, false}, {" 7", 12, false},
	} {
		got := 12
		err := environment.ReadNumbers(func(name string) string { return map[string]string{"WORKERS": test.text}[name] },
			environment.Number{Name: "WORKERS", To: &got, Least: 1, Most: 100})
		if (err == nil) != test.ok || got != test.want {
			t.Errorf("%q: %d, %v", test.text, got, err)
		}
		if err != nil && !strings.Contains(err.Error(), `the environment variable WORKERS is "`+test.text+`": it must be 1 to 100, or not set`) {
			t.Errorf("%q: %v", test.text, err)
		}
	}
}
