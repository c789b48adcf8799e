package catalog_test

import (
	"fmt"
	"maps"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/store/storetest"
)

// TestTypesOfAPage: however many types a page has and whatever they are called, each
// message counts once, the frequent ones by their names, in a small item.
func TestTypesOfAPage(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		types := catalog.MsgTypes{"text": 1000, archive.OtherTypes: rapid.IntRange(0, 3).Draw(t, "called other")}
		if types[archive.OtherTypes] == 0 {
			delete(types, archive.OtherTypes)
		}
		all, long := 0, false
		for i := range rapid.OneOf(rapid.IntRange(0, 20), rapid.IntRange(0, 300)).Draw(t, "types") {
			name := fmt.Sprint(i)
			if rapid.IntRange(0, 9).Draw(t, "long") == 0 {
				long = true
				name = strings.Repeat("长", 1000) + name
			}
			types[name] = rapid.IntRange(1, 9).Draw(t, "messages")
		}
		for _, n := range types {
			all += n
		}
		cat := catalog.New(storetest.NewIndex())
		if err := cat.Pages.FinishPage(t.Context(), catalog.PageState{Key: archive.PageKey(0), OK: all, Types: types}); err != nil {
			t.Fatal(err)
		}
		state, err := cat.Pages.Page(t.Context(), 0)
		if err != nil {
			t.Fatal(err)
		}
		sum := 0
		for name, n := range state.Types {
			if sum += n; len(name) > 64 || name != archive.OtherTypes && types[name] != n {
				t.Errorf("%q counts %d", name, n)
			}
		}
		if sum != all || len(state.Types) > 64 || state.Types["text"] != 1000 {
			t.Errorf("%d types with %d messages, want %d", len(state.Types), sum, all)
		}
		if !long && len(types) < 64 && !maps.Equal(state.Types, types) {
			t.Errorf("%v became %v", types, state.Types)
		}
	})
}
