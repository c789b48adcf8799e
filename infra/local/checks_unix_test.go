//go:build unix

package local_test

import (
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"wecom-archive/infra/local"
)

// TestRefusesAPipe: to open one that nobody writes to would wait for ever.
func TestRefusesAPipe(t *testing.T) {
	c := config(t.TempDir())
	c.Corpus = filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(c.Corpus, 0o600); err != nil {
		t.Fatal(err)
	}
	system, err := local.Open(t.Context(), c)
	if err == nil {
		t.Fatal(system.Close())
	}
	if !strings.Contains(err.Error(), "not a regular file") {
		t.Error(err)
	}
}
