package main

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestOutputs: what --stack looks for is what the template gives.
func TestOutputs(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "template.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	_, outputs, found := strings.Cut(string(text), "\nOutputs:\n")
	if !found {
		t.Fatal("template.yaml has no outputs")
	}
	var given []string
	for _, m := range regexp.MustCompile(`(?m)^  (\w+):`).FindAllStringSubmatch(outputs, -1) {
		given = append(given, m[1])
	}
	var a account
	for _, name := range slices.Sorted(maps.Keys(a.outputs())) {
		if !slices.Contains(given, name) {
			t.Errorf("the template has no output %s; it has %v", name, given)
		}
	}
}

// TestStackFillsAll: with a stack nothing else has to be given.
func TestStackFillsAll(t *testing.T) {
	var a account
	for _, to := range a.outputs() {
		*to = "x"
	}
	if err := a.check(); err != nil {
		t.Error(err)
	}
}
