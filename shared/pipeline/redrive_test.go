package pipeline_test

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/decode"
	"wecom-archive/shared/rebuild"
	"wecom-archive/shared/segment"
	"wecom-archive/shared/store"
	"wecom-archive/shared/wecom"
	"wecom-archive/shared/wecom/wecomtest"
)

// TestRedriveOfCrashes: an envelope that the library died of is offered to it
// again only after somebody asked for it, and each request is a fact that a
// rebuild knows.
func TestRedriveOfCrashes(t *testing.T) {
	w := pulled(t, 10, 10)
	deadly := &counted{Library: wecomtest.Library{}}
	p := w.boot(func(c *decode.Config) { c.Library = deadly })
	w.plantCrash(t, 0)
	try := func() int {
		before := deadly.messages
		if err := p.archiver.Handle(t.Context(), archive.PageKey(0)); err != nil {
			t.Fatal(err)
		}
		return deadly.messages - before
	}
	if n := try(); n != 0 {
		t.Errorf("%d messages are offered again though nobody asked", n)
	}
	w.advance(time.Hour)
	zero := uint64(0)
	if pages := w.redrive(t, rebuild.Selection{Page: &zero}); pages != 1 {
		t.Fatalf("%d pages redriven", pages)
	}
	state, err := p.catalog.Pages.Page(t.Context(), 0)
	if err != nil || state.Unreadable[archive.OutcomeCrash] != 0 || !state.RedriveAt.Equal(w.Now()) {
		t.Errorf("after the redrive: %+v, %v", state, err)
	}
	missing := uint64(999)
	r := &rebuild.Redriver{Corp: corpID, Objects: w.objects, Pages: p.catalog.Pages, Media: p.catalog.Media, Queue: p.queue, Now: w.Now, NewID: func() string { return "x" }}
	if _, err := r.Run(t.Context(), rebuild.Selection{Page: &missing}, "me"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("redrive of a page that is not there: %v", err)
	}
}

// counted counts what is decrypted.
type counted struct {
	decode.Library
	messages int
}

// plantCrash stores a page's segment as an archiver does whose library died of
// every message.
func (w *world) plantCrash(t *testing.T, asked uint64) {
	t.Helper()
	body, err := store.ReadObject(t.Context(), w.objects, archive.PageKey(asked))
	if err != nil {
		t.Fatal(err)
	}
	page, err := archive.DecodePage(body)
	if err != nil {
		t.Fatal(err)
	}
	envelopes, err := archive.ParseStored(page)
	if err != nil {
		t.Fatal(err)
	}
	var rows []archive.Row
	for _, e := range envelopes {
		rows = append(rows, archive.Row{
			Position: e.Position, Seq: e.Seq, HasSeq: e.HasSeq, MsgID: e.MsgID, PublicKeyVer: e.PublicKeyVer,
			PulledAt: page.Header.PulledAt, Outcome: archive.OutcomeCrash,
		})
	}
	segment, err := segment.Encode(segment.Meta{
		Corp: corpID, PageKey: archive.PageKey(asked), PageSHA256: page.Header.SHA256, Program: "test", WrittenAt: w.Now(),
	}, rows)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.objects.PutIfAbsent(t.Context(), archive.SegmentKey(page.Header.PulledAt, asked, 0), bytes.NewReader(segment)); err != nil {
		t.Fatal(err)
	}
}

func (c *counted) DecryptData(ctx context.Context, batch []wecom.Sealed) ([]wecom.Opened, error) {
	c.messages += len(batch)
	return c.Library.DecryptData(ctx, batch)
}
