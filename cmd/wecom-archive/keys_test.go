package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/alecthomas/kong"
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

// TestEverySecretCanBeSet: the command takes each secret that a part of the program reads.
func TestEverySecretCanBeSet(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "shared", "store", "secrets.go"))
	if err != nil {
		t.Fatal(err)
	}
	names := regexp.MustCompile(`(?m)^\tSecret\w+ += "([^"]+)"`).FindAllStringSubmatch(string(text), -1)
	if len(names) < 6 {
		t.Fatalf("%d secrets are known", len(names))
	}
	for _, name := range names {
		parser, err := kong.New(&secretsCommand{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := parser.Parse([]string{"set", name[1], "--stack", "s"}); err != nil {
			t.Errorf("secrets set %s: %v", name[1], err)
		}
	}
}
