package catalog_test

import (
	"errors"
	"fmt"
	"testing"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/store/storetest"
)

func TestAliases(t *testing.T) {
	ctx := t.Context()
	cat := catalog.New(storetest.NewIndex())
	for _, tc := range []struct {
		was, is string
		refused bool
	}{
		{"a", "b", false}, {"a", "b", false}, {"b", "c", false}, {"x", "y", false},
		{"a", "d", true}, {"d", "c", true}, {"c", "a", true}, {"c", "b", true}, {"q", "q", true}, {"", "q", true}, {"q", "", true},
	} {
		if err := cat.People.PutAlias(ctx, archive.Alias{Was: tc.was, Is: tc.is}); errors.Is(err, catalog.ErrAlias) != tc.refused {
			t.Errorf("%s is %s now: %v", tc.was, tc.is, err)
		}
	}
	all, err := cat.People.Aliases(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for id, want := range map[string][2]string{"a": {"a", "c"}, "b": {"a", "c"}, "c": {"a", "c"}, "y": {"x", "y"}, "z": {"z", "z"}} {
		if got := [2]string{all.First(id), all.Last(id)}; got != want {
			t.Errorf("%s: first and last %v, want %v", id, got, want)
		}
	}
	circle := catalog.Aliases{"a": "b", "b": "a"} // of an cat that somebody wrote into
	if got := fmt.Sprint(circle.First("a"), circle.Last("a")); len(got) != 2 && len(got) != 3 {
		t.Error(got)
	}
}
