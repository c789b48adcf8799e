package main

import (
	"context"
	"errors"
	"testing"
)

// TestMayKeep: only an archive that locks for good is picky about the program that
// makes its keys.
func TestMayKeep(t *testing.T) {
	answers := func(compliance bool, err error) func(context.Context) (bool, error) {
		return func(context.Context) (bool, error) { return compliance, err }
	}
	denied := errors.New("denied")
	for _, test := range []struct {
		name       string
		version    version
		compliance func(context.Context) (bool, error)
		want       error
	}{
		{"a release", "v1.2.3", answers(true, nil), nil},
		{"a release, and no right to ask", "v1.2.3", answers(false, denied), nil},
		{"changed", "v1.2.3+dirty", answers(true, nil), errUnknownSource},
		{"without version", "(devel)", answers(true, nil), errUnknownSource},
		{"changed, tried out", "v1.2.3+dirty", answers(false, nil), nil},
		{"changed, on a folder", "v1.2.3+dirty", nil, nil},
		{"changed, and no right to ask", "v1.2.3+dirty", answers(false, denied), denied},
	} {
		o := &opened{compliance: test.compliance}
		if err := o.mayKeep(t.Context(), test.version); !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", test.name, err, test.want)
		}
	}
}
