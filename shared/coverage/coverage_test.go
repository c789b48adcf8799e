package coverage_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/coverage"
	"wecom-archive/shared/store/storetest"
)

var now = time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)

type world struct {
	*testing.T
	objects *storetest.Objects
	catalog *catalog.Catalog
	coverage.Reporter
}

func newWorld(t *testing.T) *world {
	w := &world{T: t, objects: storetest.NewObjects(), catalog: catalog.New(storetest.NewIndex())}
	w.Reporter = coverage.Reporter{Objects: w.objects, People: w.catalog.People, Pages: w.catalog.Pages, Conversations: w.catalog.Conversations, Now: func() time.Time { return now }}
	return w
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// seats lets WeCom list seats so many days ago.
func (w *world) seats(daysAgo int, userids ...string) {
	w.Helper()
	at := now.AddDate(0, 0, -daysAgo)
	p := archive.DirectoryPart{Run: "run", At: at, Records: []archive.DirectoryRecord{{Kind: archive.SubjectSeats, At: at, Answer: archive.Named, Seats: map[string][]string{"2": userids}}}}
	w.must(w.catalog.People.ApplyDirectoryPart(w.Context(), archive.DirectoryKey(p), p))
	w.must(w.catalog.People.UpdateDirectoryState(w.Context(), func(s *catalog.DirectoryState) { s.SeatsAt = at }))
}

func (w *world) write(daysAgo int, conversation, from string, to ...string) {
	w.Helper()
	w.must(w.catalog.Conversations.PutActive(w.Context(), archive.Reading{Conversation: conversation, FromID: from, ToIDs: to, SenderKind: "employee", MsgTime: now.AddDate(0, 0, -daysAgo)}))
}

func (w *world) scope(daysAgo int, userids ...string) {
	w.Helper()
	s := archive.Scope{ID: fmt.Sprint("scope", daysAgo), At: now.AddDate(0, 0, -daysAgo), Who: "me", UserIDs: userids}
	w.must(catalog.PutScope(w.Context(), w.objects, w.catalog.People, "ww1", s))
}

func ids(members []coverage.Member) (all []string) {
	for _, m := range members {
		all = append(all, m.ID)
	}
	return all
}

func (w *world) expect(name string, got []string, want ...string) {
	w.Helper()
	if !slices.Equal(got, want) {
		w.Errorf("%s: %q, want %q", name, got, want)
	}
}

func TestReport(t *testing.T) {
	w := newWorld(t)
	w.seats(60, "Li.Na", "wang.wei", "zhao.min", "gone")
	w.seats(5, "Li.Na", "wang.wei", "zhao.min", "new.one", "extra")
	_, err := w.catalog.Pages.UpdatePullState(t.Context(), func(s *catalog.PullState) { s.FirstRunAt, s.LastSuccessAt = now.AddDate(0, 0, -6), now })
	w.must(err)
	w.write(1, "pair:li.na,wang.wei", "li.na", "wang.wei")
	w.write(3, "pair:li.na,no.seat", "li.na", "no.seat")
	w.write(20, "pair:wang.wei,zhao.min", "wang.wei", "zhao.min")
	w.write(40, "pair:li.na,long.gone", "long.gone", "li.na")
	w.write(2, "room:wrA", "li.na", "wang.wei", "gone")
	w.must(w.catalog.People.ApplyDirectoryPart(t.Context(), "key", archive.DirectoryPart{Records: []archive.DirectoryRecord{
		{Kind: archive.SubjectEmployee, ID: "no.seat", At: now, Answer: archive.Named, Name: "无席位", Spelling: "No.Seat", Status: 5}}}))

	report, err := w.Report(t.Context(), coverage.Question{})
	w.must(err)
	if report.Seats != 5 || report.SeatsAt == nil || report.ScopeAt != nil || report.From != "2026-10-24" || report.To != "2026-11-22" || report.Days != 14 {
		t.Errorf("%+v", report)
	}
	w.expect("without a scope", ids(append(report.WithoutSeat, report.Unexpected...)))
	w.expect("silent", ids(report.Silent), "wang.wei", "zhao.min") // not those whose seats are new
	w.expect("unseated", ids(report.Unseated), "gone", "no.seat")  // not who was there before the period
	w.expect("quiet", report.QuietDays, "2026-11-17", "2026-11-18", "2026-11-19")
	if m := report.Unseated[1]; m.Name != "无席位" || m.UserID != "No.Seat" || m.Status != 5 || m.LastActive != "2026-11-20" || m.LastWrote != "" || m.SeatFrom != nil {
		t.Errorf("%+v", m)
	}
	if m := report.Unseated[0]; m.SeatTo == nil || m.SeatFrom == nil {
		t.Errorf("%+v", m)
	}
	if m := report.Silent[0]; m.LastWrote != "2026-11-03" {
		t.Errorf("%+v", m)
	}

	w.scope(1, "LI.NA", "li.na", "wang.wei", "zhao.min", "new.one", "Not.There", "gone")
	w.scope(2, "somebody") // an older one, said later, does not count
	report, err = w.Report(t.Context(), coverage.Question{Days: 30})
	w.must(err)
	w.expect("without seat", ids(report.WithoutSeat), "gone", "not.there")
	w.expect("unexpected", ids(report.Unexpected), "extra")
	w.expect("silent for 30 days", ids(report.Silent), "zhao.min")
	if report.Scope != 6 || report.WithoutSeat[1].UserID != "Not.There" {
		t.Errorf("%+v", report)
	}
}

// TestAlias: whose userid changed is one person, by the userid of now.
func TestAlias(t *testing.T) {
	w := newWorld(t)
	w.seats(60, "li.na", "wang.wei", "zhao.min")
	w.seats(20, "Li.Na2", "wang.wei", "zhao.min2", "zhao.min")
	w.must(w.catalog.People.PutAlias(t.Context(), archive.Alias{Was: "li.na", Is: "li.na2"}))
	w.must(w.catalog.People.PutAlias(t.Context(), archive.Alias{Was: "zhao.min", Is: "zhao.min2"}))
	w.write(3, "pair:li.na,wang.wei", "li.na", "wang.wei") // as if it were only changed since
	w.write(2, "pair:wang.wei,zhao.min", "zhao.min2", "wang.wei")
	w.write(1, "pair:wang.wei,zhao.min", "wang.wei", "zhao.min")
	w.scope(1, "li.na", "wang.wei", "zhao.min2")
	report, err := w.Report(t.Context(), coverage.Question{})
	w.must(err)
	w.expect("findings", ids(slices.Concat(report.WithoutSeat, report.Unexpected, report.Silent, report.Unseated)))
	if report.Seats != 3 || report.Scope != 3 {
		t.Errorf("%+v", report)
	}
	report, err = w.Report(t.Context(), coverage.Question{Days: 1})
	w.must(err)
	w.expect("silent yesterday", ids(report.Silent), "li.na2", "zhao.min2")
	if m := report.Silent[0]; m.LastWrote != "2026-11-20" || m.UserID != "Li.Na2" || m.SeatFrom == nil || !m.SeatFrom.Equal(now.AddDate(0, 0, -60)) {
		t.Errorf("%+v", m)
	}
	w.seats(5, "wang.wei", "zhao.min2")
	report, err = w.Report(t.Context(), coverage.Question{})
	w.must(err)
	w.expect("without a seat", ids(report.WithoutSeat), "li.na2")
	w.expect("seen without a seat", ids(report.Unseated), "li.na2")
	if m := report.Unseated[0]; m.LastActive != "2026-11-20" || m.LastWrote != "2026-11-20" {
		t.Errorf("%+v", m)
	}
}

// TestPast: a period long ago is compared with who had a seat then, and with what was
// written until then.
func TestPast(t *testing.T) {
	w := newWorld(t)
	w.seats(100, "li.na", "left", "silent")
	w.seats(50, "li.na", "silent", "came")
	w.write(70, "pair:left,no.seat", "left", "no.seat")
	w.write(71, "pair:came,li.na", "li.na", "came")
	w.write(72, "room:wrA", "li.na", "in.room")
	for _, daysAgo := range []int{1, 90} { // after the period, and before it
		w.write(daysAgo, "pair:li.na,silent", "silent", "li.na")
		w.write(daysAgo, "pair:li.na,other", "li.na", "other")
		w.write(daysAgo, "room:wrB", "li.na", "in.another")
	}
	w.scope(1, "li.na", "left", "came")
	day := now.Truncate(24 * time.Hour)
	report, err := w.Report(t.Context(), coverage.Question{From: day.AddDate(0, 0, -80), To: day.AddDate(0, 0, -60)})
	w.must(err)
	w.expect("without seat", ids(report.WithoutSeat), "came")
	w.expect("unexpected", ids(report.Unexpected), "silent")
	w.expect("silent", ids(report.Silent), "silent")
	w.expect("unseated", ids(report.Unseated), "came", "in.room", "no.seat")
	if report.Seats != 3 || report.Silent[0].LastWrote != "2026-08-25" || report.Unseated[2].LastActive != "2026-09-14" {
		t.Errorf("%+v", report)
	}
	// Before WeCom ever said who has a seat, nobody is accused.
	report, err = w.Report(t.Context(), coverage.Question{From: day.AddDate(0, 0, -130), To: day.AddDate(0, 0, -110)})
	w.must(err)
	if n := len(slices.Concat(report.WithoutSeat, report.Unexpected, report.Silent, report.Unseated)); n != 0 || report.SeatsAt != nil || report.Seats != 0 || report.Scope != 3 {
		t.Errorf("%+v", report)
	}
}

// TestNothingKnown: an archive that has just begun accuses nobody.
func TestNothingKnown(t *testing.T) {
	w := newWorld(t)
	report, err := w.Report(t.Context(), coverage.Question{})
	w.must(err)
	if report.SeatsAt != nil || report.Seats+len(report.Silent)+len(report.Unseated)+len(report.QuietDays)+len(report.WithoutSeat) != 0 {
		t.Errorf("%+v", report)
	}
}

func TestQuestions(t *testing.T) {
	w := newWorld(t)
	day := now.Truncate(24 * time.Hour)
	for name, q := range map[string]coverage.Question{
		"backwards": {From: day, To: day.AddDate(0, 0, -1)}, "too long": {From: day.AddDate(-2, 0, 0), To: day},
		"no days": {Days: -1}, "many days": {Days: 367}, "tomorrow": {To: day.AddDate(0, 0, 1)},
	} {
		if _, err := w.Report(t.Context(), q); !errors.Is(err, coverage.ErrQuestion) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := w.Report(t.Context(), coverage.Question{From: day, To: day, Days: 366}); err != nil {
		t.Error(err)
	}
	if err := catalog.PutScope(t.Context(), w.objects, w.catalog.People, "ww1", archive.Scope{ID: "x", At: now}); err == nil {
		t.Error("an empty scope was taken")
	}
}
