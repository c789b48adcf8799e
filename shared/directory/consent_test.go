package directory_test

import (
	"testing"
	"time"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/chat"
)

// TestConsent: WeCom is asked about each pair and room once, and again within four
// weeks; who vanished is no obstacle to the others. (That the
// answers survive in the directory's objects: TestRebuild.)
func TestConsent(t *testing.T) {
	w := small(t)
	employees, customers := w.corp.Employees(), w.corp.Customers()
	at := w.clock().Add(-30 * 24 * time.Hour).Truncate(time.Second)
	set := func(customer int, status string, at time.Time) {
		w.corp.Agree(employees[customer%len(employees)].ID, customers[customer].ID, status, at)
	}
	set(0, "Agree", at)
	set(1, "Disagree", at)
	set(2, "Default_Agree", time.Time{})
	set(3, "Something_New", at)
	w.corp.Vanish(customers[4].ID)
	w.mustRun(noSecret, true) // the archive's own secret is enough
	expect := func(catalog *catalog.Catalog, customer int, answer archive.Answer, status archive.ConsentStatus, since time.Time) {
		t.Helper()
		s, err := catalog.Consents.ConsentOf(t.Context(), pairOf(employees[customer%len(employees)], customers[customer]))
		if err != nil {
			t.Fatal(err)
		}
		if s.Answer != answer || s.AskedAt.IsZero() || (status == "") != (len(s.People) == 0) {
			t.Errorf("customer %d: %+v", customer, s)
		} else if status != "" && (s.People[0].Person != customers[customer].ID || s.People[0].Status != status || !s.People[0].Since.Equal(since)) {
			t.Errorf("customer %d: %+v, want %s since %s", customer, s.People, status, since)
		}
	}
	all := func(catalog *catalog.Catalog) {
		t.Helper()
		expect(catalog, 0, archive.Named, archive.ConsentAgreed, at)
		expect(catalog, 1, archive.Named, archive.ConsentRefused, at)
		expect(catalog, 2, archive.Named, archive.ConsentUnanswered, time.Time{})
		expect(catalog, 3, archive.Named, archive.ConsentUnanswered, time.Time{})
		expect(catalog, 4, archive.Unknown, "", time.Time{})
	}
	all(w.catalog)
	rooms := 0
	for _, room := range w.corp.ChatRooms() {
		s, err := w.catalog.Consents.ConsentOf(t.Context(), chat.ConversationOf(room.ID))
		if err != nil || (len(s.People) > 0) != room.Customers {
			t.Errorf("room %s (customers: %v): %+v, %v", room.ID, room.Customers, s, err)
		}
		if room.Customers {
			rooms++
		}
	}
	calls := w.corp.CompanionCalls()
	if calls["msgaudit/check_room_agree"] != rooms || calls["msgaudit/check_single_agree"] > 15 {
		t.Errorf("%d rooms, calls %v", rooms, calls)
	}
	if again := w.mustRun(noSecret, false); again.Calls != 0 {
		t.Errorf("an hour later: %d calls", again.Calls)
	}

	set(0, "Disagree", w.clock())
	for range 29 {
		w.pass(24 * time.Hour)
		w.mustRun(noSecret, true)
	}
	s, err := w.catalog.Consents.ConsentOf(t.Context(), pairOf(employees[0], customers[0]))
	if err != nil || len(s.People) != 1 || s.People[0].Status != archive.ConsentRefused {
		t.Errorf("four weeks later: %+v, %v", s, err)
	}
	if facts, err := w.catalog.Consents.ConsentFacts(t.Context(), pairOf(employees[0], customers[0]), 10); err != nil || len(facts) != 2 || facts[1].Status != archive.ConsentAgreed {
		t.Errorf("timeline: %+v, %v", facts, err)
	}
}
