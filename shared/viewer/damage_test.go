package viewer_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/damage"
	"wecom-archive/shared/store"
	"wecom-archive/shared/viewer"
)

// spoilt is a bucket of which one object is gone, or holds other bytes.
type spoilt struct {
	store.Objects
	key  string
	body []byte // nil: it is gone
}

func (s spoilt) Head(ctx context.Context, key string) (store.ObjectInfo, error) {
	info, err := s.Objects.Head(ctx, key)
	if key == s.key {
		if s.body == nil {
			return info, store.ErrNotFound
		}
		info.Size = int64(len(s.body))
	}
	return info, err
}

func (s spoilt) Get(ctx context.Context, key string) (body io.ReadCloser, info store.ObjectInfo, err error) {
	body, info, err = s.Objects.Get(ctx, key)
	if key != s.key || err != nil {
		return body, info, err
	}
	_ = body.Close()
	if s.body == nil {
		return nil, info, store.ErrNotFound
	}
	info.Size = int64(len(s.body))
	return io.NopCloser(bytes.NewReader(s.body)), info, nil
}

// TestDamagedFile: a file that is not what was stored is served as nothing, and said to
// be damaged, in the answer and in the status.
func TestDamagedFile(t *testing.T) {
	picture := []byte("\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR....")
	for _, test := range []struct {
		name  string
		spoil func(b []byte) []byte
		kind  string
	}{
		{"whole", func(b []byte) []byte { return b }, ""},
		{"one bit", func(b []byte) []byte { b[3] ^= 1; return b }, "altered"},
		{"cut short", func(b []byte) []byte { return b[:4] }, "altered"},
		{"empty", func([]byte) []byte { return []byte{} }, "altered"},
		{"longer", func(b []byte) []byte { return append(b, 'x') }, "altered"},
		{"gone", func([]byte) []byte { return nil }, "missing"},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := newFixture(t)
			sum := f.fetched(strings.Repeat("a", 64), picture)
			f.withFiles(ref("image", "image", "", "a", int64(len(picture)), sum))
			file, err := f.catalog.Media.MediaFile(t.Context(), strings.Repeat("a", 64))
			f.must(err)
			bucket := spoilt{f.objects, file.Key, test.spoil(append([]byte{}, picture...))}
			f.handler = viewer.New(viewer.Config{Objects: bucket, Catalog: f.catalog, Corp: "ww1", Access: f.access, Auth: people{}, Visitors: visitor{}, Now: func() time.Time { return now }})
			a := into[struct {
				Files []struct {
					State, URL string
					Damaged    bool
					MD5Verdict string `json:"md5_verdict"`
				}
			}](t, f.get("reader-token", "/v1/messages/11/media"))
			page := f.page("reader", "/media/11/"+strings.Repeat("a", 64)).Code
			status := f.status()
			if test.kind == "" {
				if a.Files[0].Damaged || a.Files[0].URL == "" || page != http.StatusOK || status.Damage.Archive != 0 {
					t.Errorf("%+v, page %d, status %+v", a, page, status.Damage)
				}
				return
			}
			if len(a.Files) != 1 || !a.Files[0].Damaged || a.Files[0].URL != "" || a.Files[0].MD5Verdict != "" {
				t.Errorf("%+v", a)
			}
			if page != http.StatusNotFound {
				t.Errorf("the page answers %d", page)
			}
			if status.Healthy || status.Damage.Archive != 1 || len(status.Damage.Newest) != 1 || status.Damage.Newest[0].Key != file.Key || status.Damage.Newest[0].Kind != test.kind {
				t.Errorf("status: healthy %v, %+v", status.Healthy, status.Damage)
			}
		})
	}
}

// TestAcknowledge: operators and auditors take note of damage on our own page, with a
// reason; nobody else does. It stands on record.
func TestAcknowledge(t *testing.T) {
	f := newFixture(t)
	f.handler = viewer.New(viewer.Config{Objects: f.objects, Catalog: f.catalog, Corp: "ww1", Access: f.access, Auth: people{}, Visitors: visitor{}, Now: func() time.Time { return now }})
	lost := archive.Finding{Where: archive.InArchive, Kind: archive.Missing, Key: "messages/dt=2026-11-24/<b>.parquet", By: "scrub", Detail: "not found"}
	f.must(damage.New(f.objects, f.catalog.Table, "ww1", func() time.Time { return now }).Report(t.Context(), lost))
	post := func(role, site string, form url.Values) *httptest.ResponseRecorder {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/damage", strings.NewReader(form.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Test-Role", role)
		r.Header.Set("Sec-Fetch-Site", site)
		w := httptest.NewRecorder()
		f.handler.ServeHTTP(w, r)
		return w
	}
	good := url.Values{"id": {lost.ID()}, "reason": {"the disk of 2026"}}
	for _, role := range []string{"reader", "auditor", "operator"} {
		body := f.page(role, "/damage").Body.String()
		if !strings.Contains(body, "messages/dt=2026-11-24/&lt;b&gt;.parquet") || strings.Contains(body, "<form method=\"post\" action=\"/damage\"") == (role == "reader") {
			t.Errorf("%s sees %s", role, body)
		}
	}
	for _, refused := range []struct {
		role, site string
		form       url.Values
		want       int
	}{
		{"reader", "same-origin", good, http.StatusForbidden},
		{"", "same-origin", good, http.StatusSeeOther}, // to sign in
		{"operator", "cross-site", good, http.StatusForbidden},
		{"operator", "same-origin", url.Values{"id": {lost.ID()}}, http.StatusOK}, // asks for a reason
		{"operator", "same-origin", url.Values{"id": {lost.ID()}, "reason": {strings.Repeat("x", 1001)}}, http.StatusBadRequest},
		{"operator", "same-origin", url.Values{"id": {"nothing"}, "reason": {"x"}}, http.StatusNotFound},
	} {
		if w := post(refused.role, refused.site, refused.form); w.Code != refused.want || f.status().Damage.Archive != 1 {
			t.Errorf("%+v: %d, status %+v", refused, w.Code, f.status().Damage)
		}
	}
	if w := post("auditor", "same-origin", good); w.Code != http.StatusSeeOther {
		t.Fatalf("%d", w.Code)
	}
	if s := f.status(); s.Damage.Archive != 0 || s.Damage.Acknowledged != 1 {
		t.Errorf("status %+v", s.Damage)
	}
	list := into[struct {
		Damage []struct {
			By     string `json:"acknowledged_by"`
			Reason string
		}
	}](t, f.get("reader-token", "/v1/damage?state=acknowledged"))
	if len(list.Damage) != 1 || list.Damage[0].By != "the-auditor" || list.Damage[0].Reason != "the disk of 2026" {
		t.Errorf("%+v", list)
	}
	if body := f.page("reader", "/damage").Body.String(); !strings.Contains(body, "the disk of 2026") || !strings.Contains(body, "the-auditor") {
		t.Errorf("the page says %s", body)
	}
}

// TestDamageList goes through more findings than one answer holds.
func TestDamageList(t *testing.T) {
	f := newFixture(t)
	book := damage.New(f.objects, f.catalog.Table, "ww1", func() time.Time { return now })
	want := map[string]bool{}
	for _, key := range []string{"a", "b", "c", "d", "e"} {
		finding := archive.Finding{Where: archive.InDerived, Kind: archive.Altered, Key: key, By: "x"}
		f.must(book.Report(t.Context(), finding))
		want[key] = true
	}
	for cursor := ""; ; {
		a := into[struct {
			Damage     []struct{ Key string }
			NextCursor string `json:"next_cursor"`
		}](t, f.get("operator-token", "/v1/damage?limit=2&cursor="+cursor))
		for _, d := range a.Damage {
			if !want[d.Key] {
				t.Errorf("%s twice", d.Key)
			}
			delete(want, d.Key)
		}
		if cursor = a.NextCursor; cursor == "" {
			break
		}
		if w := f.get("operator-token", "/v1/damage?state=mended&limit=2&cursor="+cursor); w.Code == http.StatusOK {
			t.Error("a cursor of another list leads somewhere")
		}
	}
	if len(want) > 0 {
		t.Errorf("not listed: %v", want)
	}
}
