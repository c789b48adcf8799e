//go:build sdk

package main

import (
	"encoding/json"
	"testing"

	"wecom-archive/infra/local"
	"wecom-archive/infra/sdkstandin"
)

// TestLocalThroughTheLibrary starts the real program with a native library: its
// processes are the program, too.
func TestLocalThroughTheLibrary(t *testing.T) {
	path, err := sdkstandin.Build(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	out, err := command(t, "local", "--once", "--json", "--messages", "1500", "--dir", t.TempDir(), "--listen", "127.0.0.1:0", "--sdk", path).Output()
	var sum local.Summary
	if err != nil || json.Unmarshal(out, &sum) != nil || sum.Pulled != 1500 || sum.Archived < 1490 || !sum.Complete {
		t.Errorf("%s, %v", out, err)
	}
}
