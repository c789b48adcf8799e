package pipeline_test

import (
	"testing"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog/table"
	"wecom-archive/shared/damage"
)

// TestReindexEndsFindingsOfTheIndex: what was wrong with the index is ended with it, what
// is wrong with others is not.
func TestReindexEndsFindingsOfTheIndex(t *testing.T) {
	w := newWorld(t, 40, 10, nil)
	w.boot(nil).mustFinish(t)
	book := damage.New(w.objects, table.Table{Index: w.index}, corpID, w.Now)
	for _, where := range []archive.Where{archive.InIndex, archive.InDerived} {
		if err := book.Report(t.Context(), archive.Finding{Where: where, Kind: archive.Altered, Key: "conversation#x", By: "reader"}); err != nil {
			t.Fatal(err)
		}
	}
	w.reindex(t, false)
	s, err := book.Summary(t.Context())
	if err != nil || len(s.Open) != 1 || s.Open[0].Finding.Where != archive.InDerived {
		t.Errorf("%+v, %v", s, err)
	}
}
