package pipeline_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"testing"

	"wecom-archive/shared/catalog"
	"wecom-archive/shared/compact"
	"wecom-archive/shared/compaction"
	"wecom-archive/shared/reading"
	"wecom-archive/shared/reparse"
	"wecom-archive/shared/store/storetest"
	"wecom-archive/shared/transcript"
	"wecom-archive/shared/wecom"
)

func (w *world) compactor(t *testing.T, read reading.Func, version int) *compact.Compactor {
	cat := catalog.New(w.index)
	return compact.New(compact.Config{
		Objects: w.objects, Derived: w.derived, Program: "test", Temp: t.TempDir(),
		Conversations: cat.Conversations, People: cat.People, Compactions: compaction.NewIndex(cat.Table),
		Read: read, Parser: version,
	})
}

func (w *world) reparse(t *testing.T, read reading.Func, version int) reparse.Report {
	t.Helper()
	catalog := catalog.New(w.index)
	report, err := (&reparse.Reparser{
		Objects: w.objects, Conversations: catalog.Conversations, People: catalog.People, Consents: catalog.Consents, Pages: catalog.Pages, Journal: catalog.Journal,
		Compactor: w.compactor(t, read, version),
		Transcript: transcript.New(transcript.Config{
			Objects: w.objects, Derived: w.derived,
			Conversations: catalog.Conversations, Pages: catalog.Pages, Compactions: compaction.NewIndex(catalog.Table),
		}), Read: read, Parser: version, Log: w.log,
	}).Run(t.Context(), w.Now())
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// TestReparse: a better parser changes the answers and no locked object; readings
// of the old one are not found any more. All of it can be lost and made again.
func TestReparse(t *testing.T) {
	w := eventful(t)
	old := w.apiAnswers(t)
	if _, err := w.compactor(t, reading.Read, wecom.ParserVersion).Run(t.Context(), w.Now()); err != nil {
		t.Fatal(err)
	}
	wantSameAnswers(t, w.apiAnswers(t), old) // compacted, they are the same
	locked, err := storetest.Contents(t.Context(), w.objects, "")
	if err != nil {
		t.Fatal(err)
	}

	const version = wecom.ParserVersion + 1
	better := parser(version)
	w.newest = better
	report := w.reparse(t, better, version)
	if report.Moved == 0 || report.Moved != report.Messages || report.Removed == 0 {
		t.Errorf("report %+v: every message has another conversation now", report)
	}
	answers := w.apiAnswers(t)
	messages := func(answers map[string]string) (n int) {
		for path, answer := range answers {
			if !strings.Contains(path, "/messages") {
				continue
			}
			var page struct{ Messages []json.RawMessage }
			if err := json.Unmarshal([]byte(answer), &page); err != nil {
				t.Fatal(err)
			}
			n += len(page.Messages)
		}
		return n
	}
	if n, want := messages(answers), messages(old); n != want || n == 0 {
		t.Errorf("%d messages are found, %d before", n, want)
	}
	for path := range answers {
		if strings.HasPrefix(path, "/v1/conversations/") && !strings.Contains(path, fmt.Sprintf("/v%d:", version)) {
			t.Errorf("%s is still listed", path)
		}
	}
	if again := w.reparse(t, better, version); again.Removed != 0 {
		t.Errorf("once more: %+v", again)
	}
	wantSameAnswers(t, w.apiAnswers(t), answers)

	w.index, w.derived = storetest.NewIndex(), storetest.NewDerived()
	cat := catalog.New(w.index)
	w.reindex(t, false)
	w.reparse(t, better, version)
	if _, err := cat.Pages.UpdatePullState(t.Context(), func(s *catalog.PullState) { s.Seats = nil }); err != nil {
		t.Fatal(err)
	}
	rebuilt := w.apiAnswers(t)
	delete(answers, "/v1/status") // it named the seats, which WeCom says
	delete(rebuilt, "/v1/status")
	wantSameAnswers(t, rebuilt, answers)

	now, err := storetest.Contents(t.Context(), w.objects, "")
	if err != nil || !maps.EqualFunc(now, locked, func(a, b []byte) bool { return string(a) == string(b) }) {
		t.Errorf("locked objects changed: %v", err)
	}
}
