package viewer_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/compact"
	"wecom-archive/shared/compaction"
	"wecom-archive/shared/store/storetest"
	"wecom-archive/shared/viewer"
)

// TestOriginal: a hit whose original is gone or damaged says so, has no member that is not
// known, and says that nobody knows whether it was recalled. One of which only what is
// derived is lost is shown whole.
func TestOriginal(t *testing.T) {
	compacted := func(t *testing.T, objects *storetest.Objects) *fixture {
		f := newFixture(t)
		rows := []archive.Row{row(1, pair, at(time.Second), "请看合同"), row(2, pair, at(2*time.Second), "好")}
		for i := range rows {
			rows[i].PulledAt = now
		}
		f.store(0, rows...)
		derived := storetest.NewDerived()
		ids := serial("run")
		_, err := compact.New(compact.Config{
			Objects: f.objects, Derived: derived, Program: "test", Temp: t.TempDir(), NewID: func() string { return strings.ReplaceAll(ids(), "-", "") },
			Conversations: f.catalog.Conversations, People: f.catalog.People, Compactions: compaction.NewIndex(f.catalog.Table),
		}).Run(t.Context(), now.AddDate(0, 0, 1))
		f.must(err)
		for info, err := range derived.List(t.Context(), compaction.Prefix, "") {
			f.must(err)
			if strings.HasSuffix(info.Key, ".parquet") {
				f.must(derived.Delete(t.Context(), info.Key))
			}
		}
		if objects == nil {
			objects = f.objects
		}
		f.handler = viewer.New(viewer.Config{
			Objects: objects, Derived: derived, Catalog: f.catalog, Access: f.access, Auth: people{}, Visitors: visitor{},
			Now: func() time.Time { return now }, NewID: serial("request"), Log: slog.New(slog.NewJSONHandler(f.log, nil)),
		})
		return f
	}
	damaged := storetest.NewObjects()
	probe := newFixture(t)
	key := probe.store(0, row(1, pair, at(time.Second), "请看合同"))
	if err := damaged.PutIfAbsent(t.Context(), key, strings.NewReader("合同")); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		objects  *storetest.Objects
		original any
		zh, en   string
	}{
		"there":   {nil, nil, "", ""},
		"missing": {storetest.NewObjects(), "missing", "保存此消息的对象已不存在", "is gone"},
		"damaged": {damaged, "unread", "保存此消息的对象未能读取", "was not read"},
	} {
		t.Run(name, func(t *testing.T) {
			f := compacted(t, c.objects)
			hits := into[struct{ Hits []map[string]any }](t, f.get("reader-token", searchPath("q", "合同"))).Hits
			if len(hits) != 1 || hits[0]["text"] != "请看合同" || hits[0]["original"] != c.original {
				t.Fatalf("%v", hits)
			}
			for _, member := range []string{"msgid", "time_source", "raw_sha256", "parser_version", "publickey_ver"} {
				if _, there := hits[0][member]; there != (c.original == nil) && member != "parser_version" && member != "time_source" || hits[0][member] == "" || hits[0][member] == 0.0 {
					t.Errorf("%s: %v", member, hits[0][member])
				}
			}
			if (hits[0]["recall_unknown"] == true) != (c.original != nil) {
				t.Errorf("recall_unknown: %v", hits[0]["recall_unknown"])
			}
			for lang, want := range map[string][]string{"zh": {c.zh, "是否已撤回：未知"}, "en": {c.en, "Whether it was recalled is not known"}} {
				r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/search?"+queryOf("q", "合同"), nil)
				r.Header.Set("Accept-Language", lang)
				r.Header.Set("Test-Role", "reader")
				w := httptest.NewRecorder()
				f.handler.ServeHTTP(w, r)
				for _, words := range want {
					if strings.Contains(w.Body.String(), words) != (c.original != nil || words == "") {
						t.Errorf("page in %s: %q", lang, words)
					}
				}
			}
		})
	}
}

// TestFractions: the API rounds bounds of times up to whole milliseconds, of searches and
// of transcripts alike.
func TestFractions(t *testing.T) {
	f := searchFixture(t)
	seqs := func(path string) (got []int64) {
		body := into[struct {
			Hits, Messages []struct{ Seq int64 }
		}](t, f.get("reader-token", path))
		for _, m := range append(body.Hits, body.Messages...) {
			got = append(got, m.Seq)
		}
		return got
	}
	exact, fraction := at(2*time.Second).Format(time.RFC3339Nano), at(2*time.Second+300*time.Microsecond).Format(time.RFC3339Nano)
	list := "/v1/conversations/" + url.PathEscape(pair) + "/messages?"
	for _, c := range []struct {
		name, value string
		want        []int64
	}{{"from", exact, []int64{2, 3}}, {"from", fraction, []int64{3}}, {"to", exact, []int64{1}}, {"to", fraction, []int64{1, 2}}} {
		for _, path := range []string{searchPath("conversation", pair, "order", "asc", c.name, c.value), list + queryOf(c.name, c.value)} {
			if got := seqs(path); !slices.Equal(got, c.want) {
				t.Errorf("%s: %v, want %v", path, got, c.want)
			}
		}
	}
}
