package viewer_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"wecom-archive/shared/archive"
)

const customer = "wmQx9ZDAAAexampleCust01"

type consentAnswer struct {
	Consents []struct {
		Conversation  string
		Title         named
		Person        *named
		Status        string
		Since, Source string
		AskedAt       string `json:"asked_at"`
		MessagesAfter *bool  `json:"messages_after"`
	}
	Timeline []struct {
		Person named
		Status string
		Source string
	}
	NextCursor string `json:"next_cursor"`
}

func (f *fixture) consents(path string) (a consentAnswer) {
	f.tb.Helper()
	w := f.get("reader-token", path)
	if w.Code != 200 {
		f.tb.Fatalf("%s: %d %s", path, w.Code, w.Body)
	}
	if err := json.Unmarshal(w.Body.Bytes(), &a); err != nil {
		f.tb.Fatal(err)
	}
	return a
}

// TestConsentAnswers: who agreed, refused, did not answer, and whether anything was
// written after a refusal: what is refused in the same second is none.
func TestConsentAnswers(t *testing.T) {
	f := newFixture(t)
	f.learn(at(-time.Hour), archive.DirectoryRecord{Kind: archive.SubjectExternal, ID: customer, Name: "王伟"}, employee("li.na", "李娜"))
	said := func(seq int64, conversation, kind string, after time.Duration) archive.Row {
		r := row(seq, conversation, at(after), "x")
		r.MsgType, r.ChatKind, r.FromID, r.ToIDs = kind, "external", customer, []string{"li.na"}
		return r
	}
	talked, quiet, open := "pair:li.na,"+customer, "pair:wang.wei,"+customer, "pair:zhao.min,"+customer
	f.store(0,
		said(1, talked, "text", 0), said(2, talked, "agree", time.Minute), said(3, talked, "disagree", 2*time.Minute), said(4, talked, "text", 3*time.Minute),
		said(5, quiet, "text", 4*time.Minute), said(6, quiet, "disagree", 5*time.Minute+300*time.Millisecond), said(7, open, "text", 6*time.Minute))
	// WeCom knows of the refusal to wang.wei only the second.
	f.learn(at(time.Hour), archive.DirectoryRecord{Kind: archive.SubjectConsent, ID: quiet, Agreements: []archive.Agreement{{Person: customer, Status: archive.ConsentRefused, ChangedAt: at(5 * time.Minute).Truncate(time.Second)}}},
		archive.DirectoryRecord{Kind: archive.SubjectConsent, ID: open, Agreements: []archive.Agreement{{Person: customer, Status: archive.ConsentUnanswered}}})

	all := f.consents("/v1/consent")
	var got []string
	for _, c := range all.Consents {
		after := "-"
		if c.MessagesAfter != nil {
			after = fmt.Sprint(*c.MessagesAfter)
		}
		got = append(got, fmt.Sprintf("%s %s %s %s", c.Conversation, c.Person.Name, c.Status, after))
	}
	want := []string{talked + " 王伟 refused true", quiet + " 王伟 refused false", open + " 王伟 unanswered -"}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	if all.Consents[0].Title.Name != "李娜 · 王伟" || all.Consents[0].AskedAt != "" || all.Consents[2].AskedAt == "" {
		t.Errorf("%+v", all.Consents)
	}
	var paged []string
	for cursor := ""; ; {
		page := f.consents("/v1/consent?limit=1&status=refused&cursor=" + cursor)
		for _, c := range page.Consents {
			paged = append(paged, c.Conversation)
		}
		if cursor = page.NextCursor; cursor == "" {
			break
		}
	}
	if !slices.Equal(paged, []string{talked, quiet}) {
		t.Errorf("page by page: %q", paged)
	}
	f.must(f.catalog.People.PutAlias(t.Context(), archive.Alias{Was: "li.na", Is: "li.na2"}))
	if later := f.consents("/v1/consent/" + url.PathEscape("pair:li.na2,"+customer)); len(later.Timeline) != 2 {
		t.Errorf("under the later userid: %+v", later)
	}
	one := f.consents("/v1/consent/" + url.PathEscape(talked))
	if len(one.Consents) != 1 || len(one.Timeline) != 2 || one.Timeline[0].Status != "refused" || one.Timeline[1].Source != "message" || one.Timeline[1].Person.Name != "王伟" {
		t.Errorf("%+v", one)
	}
	for _, path := range []string{"/v1/consent", "/v1/consent/" + url.PathEscape(talked)} {
		if w := f.get("operator-token", path); w.Code != 403 {
			t.Errorf("operator, %s: %d", path, w.Code)
		}
	}
	for path, status := range map[string]int{"/v1/consent?cursor=x": 400, "/v1/consent?status=maybe": 422, "/v1/consent?limit=501": 422} {
		if w := f.get("reader-token", path); w.Code != status {
			t.Errorf("%s: %d, want %d", path, w.Code, status)
		}
	}
}

func TestSeatsAndCoverage(t *testing.T) {
	f := newFixture(t)
	f.learn(at(0), archive.DirectoryRecord{Kind: archive.SubjectSeats, Seats: map[string][]string{"3": {"Li.Na"}}}, employee("li.na", "李娜"))
	for _, who := range []string{"reader-token", "auditor-token", "operator-token"} {
		if body := f.get(who, "/v1/seats").Body.String(); !strings.Contains(body, `"userid":"Li.Na","name":"李娜","archived":true,"editions":[3]`) {
			t.Errorf("%s: %s", who, body)
		}
		if body := f.get(who, "/v1/coverage").Body.String(); !strings.Contains(body, `"seats":1`) || !strings.Contains(body, `"without_seat":[]`) {
			t.Errorf("%s: %s", who, body)
		}
	}
	for path, status := range map[string]int{"/v1/coverage?days=0": 422, "/v1/coverage?from=x": 422, "/v1/coverage?from=2026-11-02&to=2026-11-01": 422} {
		if w := f.get("reader-token", path); w.Code != status {
			t.Errorf("%s: %d, want %d", path, w.Code, status)
		}
	}
}
