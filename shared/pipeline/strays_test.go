package pipeline_test

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/damage"
	"wecom-archive/shared/store"
	"wecom-archive/shared/store/storetest"
	"wecom-archive/shared/wecom/wecomtest"
)

// TestStrayPages: what nobody of the program puts below pages/ changes nothing but a
// finding, whoever meets it.
func TestStrayPages(t *testing.T) {
	base := newWorld(t, 40, 10, func(c *wecomtest.Config) { c.Unreadable = 0 })
	base.boot(nil).mustFinish(t)
	base.reindex(t, false)
	pages := base.read(t).pages
	second := pages[1]
	reply := func(from int) []byte {
		kept, err := rewriteReply(second.Reply, from)
		if err != nil {
			t.Fatal(err)
		}
		return kept
	}
	envelopes, err := archive.ParseStored(second)
	if err != nil {
		t.Fatal(err)
	}
	inside := second.Header
	inside.SeqAsked, inside.FirstSeq, inside.Count = uint64(envelopes[3].Seq), uint64(envelopes[4].Seq), inside.Count-4
	insideBody, err := archive.EncodePage(inside, reply(4))
	if err != nil {
		t.Fatal(err)
	}
	secondBody, err := store.ReadObject(t.Context(), base.objects, archive.PageKey(second.Header.SeqAsked))
	if err != nil {
		t.Fatal(err)
	}
	for name, stray := range map[string]struct {
		key  string
		body []byte
	}{
		"foreign name":            {"pages/foreign.txt", []byte("x")},
		"content of another page": {archive.PageKey(second.Header.SeqAsked + 1), secondBody},
		"far behind the end":      {archive.PageKey(99_999_999), secondBody},
		"inside of another page":  {archive.PageKey(inside.SeqAsked), insideBody},
		"alternate of nothing":    {archive.AlternateKey(second.Header.SeqAsked, 7), secondBody},
		"garbage inside":          {archive.PageKey(second.Header.SeqAsked + 1), []byte("garbage")},
	} {
		t.Run(name, func(t *testing.T) {
			w := base.copy(t)
			if err := w.objects.PutIfAbsent(t.Context(), stray.key, bytes.NewReader(stray.body)); err != nil {
				t.Fatal(err)
			}
			before := withoutFindings(t, w.index)
			objects := len(w.all(t))
			p := w.boot(nil)
			if err := p.archiver.Handle(t.Context(), stray.key); err != nil && name != "foreign name" {
				t.Error(err)
			}
			if after := withoutFindings(t, w.index); !slices.Equal(before, after) {
				t.Errorf("the archiver changed the index")
			}
			w.reindex(t, true)
			if after := withoutFindings(t, w.index); !slices.Equal(before, after) {
				t.Errorf("the rebuild gave\n%s\nbefore\n%s", strings.Join(after, "\n"), strings.Join(before, "\n"))
			}
			found, err := damage.New(w.objects, catalog.New(w.index).Table, corpID, w.Now).Summary(t.Context())
			if err != nil || len(found.Open) == 0 || found.Open[0].Finding.Key != stray.key {
				t.Errorf("findings %+v, %v", found.Open, err)
			}
			new := 0
			for _, key := range w.all(t) {
				if !strings.Contains(key, "/damage") {
					new++
				}
			}
			if new != objects {
				t.Errorf("%d objects, %d before", new, objects)
			}
			w.advance(time.Hour)
			w.boot(nil).mustFinish(t)
			w.checkHoled(t, w.served(t))
		})
	}
}

// withoutFindings are the facts of an index but what is not as it must be.
func withoutFindings(t *testing.T, index *storetest.Index) []string {
	t.Helper()
	return slices.DeleteFunc(facts(t, index), func(item string) bool { return strings.HasPrefix(item, "damage / ") })
}

// TestTwoRebuild: a hole that one notices while another fills it is one hole.
func TestTwoRebuild(t *testing.T) {
	w := holey(t)
	had := w.served(t)
	w.reindex(t, false)
	p := w.boot(nil)
	asking := notify(func() { _, _ = w.boot(nil).puller.Run(context.WithoutCancel(t.Context())) })
	if _, err := w.reindexer(asking).Run(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	p.mustFinish(t)
	w.boot(nil).mustFinish(t)
	w.checkHoled(t, had)
	w.mustBeFilled(t)
}

// rewriteReply is a reply without its first envelopes.
func rewriteReply(reply []byte, from int) ([]byte, error) {
	var page struct {
		Errcode  int               `json:"errcode"`
		Errmsg   string            `json:"errmsg"`
		Chatdata []json.RawMessage `json:"chatdata"`
	}
	if err := json.Unmarshal(reply, &page); err != nil {
		return nil, err
	}
	page.Chatdata = page.Chatdata[from:]
	return json.Marshal(page)
}
