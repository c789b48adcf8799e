package localstore_test

import (
	"strings"
	"testing"

	"wecom-archive/shared/localstore"
	"wecom-archive/shared/store"
)

// FuzzEscapePart: where file systems take keys for one that are two, every part of a key
// has a name of its own, which they all take and which leads back to it.
func FuzzEscapePart(f *testing.F) {
	for _, part := range []string{"dt=2026-11-23", "README", "readme", "%41", "%", "a%2", "con", "Con.txt", "lpt1", "a.", "a ", " a", "...", "é", "e\u0301", "a\x00b", "a\nb", `a\b:c`, strings.Repeat("A", 300), "\xff"} {
		f.Add(part)
	}
	f.Fuzz(func(t *testing.T, part string) {
		if strings.Contains(part, "/") {
			return
		}
		name, back, ok := localstore.EscapePart(part)
		if ok != (store.CheckObjectKey(part) == nil) || ok && back != part {
			t.Fatalf("%q is named %q and comes back as %q, %v", part, name, back, ok)
		}
		if ok && (strings.ToLower(name) != name || strings.ContainsAny(name, `<>:"|?*\/`) || strings.HasSuffix(name, ".") || strings.HasSuffix(name, " ") || store.IsDevice(name)) {
			t.Fatalf("%q is named %q, which not every file system takes", part, name)
		}
		for _, c := range []byte(name) {
			if c < ' ' || c > '~' {
				t.Fatalf("%q is named %q", part, name)
			}
		}
	})
}
