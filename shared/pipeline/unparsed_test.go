package pipeline_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/compaction"
	"wecom-archive/shared/health"
	"wecom-archive/shared/reading"
	"wecom-archive/shared/reparse"
	"wecom-archive/shared/store/storetest"
	"wecom-archive/shared/transcript"
	"wecom-archive/shared/wecom"
	"wecom-archive/shared/wecom/wecomtest"
)

// changedFormat is a world whose WeCom wrote one message of a day, and every fourth of the
// next, in a format that nobody knows, and one of each day of a type that nobody knows.
func changedFormat(t *testing.T, limit int) *world {
	t.Helper()
	var lines bytes.Buffer
	for i := range 120 {
		switch {
		case i >= 60 && i%4 == 0 || i == 3:
			fmt.Fprintf(&lines, "<message from=%q>hello %d</message>\n", "anna", i)
		case i%60 == 1:
			fmt.Fprintf(&lines, `{"msgid":"m%d","action":"send","from":"anna","tolist":["bert"],"msgtype":"hologram","hologram":{"title":"hello"}}`+"\n", i)
		default:
			fmt.Fprintf(&lines, `{"msgid":"m%d","action":"send","from":"anna","tolist":["bert"],"msgtype":"TEXT","text":{"content":"hello"}}`+"\n", i)
		}
	}
	file := filepath.Join(t.TempDir(), "corpus")
	if err := os.WriteFile(file, lines.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	corpus, err := wecomtest.OpenCorpus(file)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = corpus.Close() })
	w := newWorld(t, 120, limit, func(c *wecomtest.Config) {
		c.Corpus, c.Unreadable, c.KeyChanges = corpus, 0, []int{}
		c.Extents = []wecomtest.Extent{
			{Count: 60, From: start.Add(-72 * time.Hour), To: start.Add(-time.Hour)},
			{Count: 60, From: start.Add(5 * time.Hour), To: start.Add(20 * time.Hour)},
		}
	})
	w.boot(nil).mustFinish(t)
	w.advance(26 * time.Hour)
	w.boot(nil).mustFinish(t)
	return w
}

// understands is a parser that knows the new format.
func understands(raw []byte, msgid string, pulledAt time.Time) archive.Reading {
	r := reading.Read(raw, msgid, pulledAt)
	r.ParserVersion = wecom.ParserVersion + 1
	if bytes.HasPrefix(raw, []byte("<message")) {
		r.MsgType, r.FromID, r.Conversation, r.Text = "text", "anna", "pair:anna,anna", string(raw)
	}
	return r
}

func (w *world) parsed(t *testing.T) (counts string, alarms []health.AlarmCode) {
	t.Helper()
	days, err := catalog.New(w.index).Pages.ParsedDays(t.Context(), health.FirstParsedDay(w.Now()))
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, d := range days {
		out = append(out, fmt.Sprint(d.Day, " ", d.Messages, " ", d.Unparsed, " ", d.UnknownType))
	}
	for _, a := range health.Judge(w.Now(), health.Facts{Parsed: days}) {
		if a.Code == health.AlarmUnparsed || a.Code == health.AlarmTypes {
			alarms = append(alarms, a.Code)
		}
	}
	return strings.Join(out, ", "), alarms
}

func (w *world) wantParsed(t *testing.T, when, want string, unparsed bool) {
	t.Helper()
	alarms := []health.AlarmCode{health.AlarmTypes}
	if unparsed {
		alarms = []health.AlarmCode{health.AlarmUnparsed, health.AlarmTypes}
	}
	if counts, got := w.parsed(t); counts != want || !slices.Equal(got, alarms) {
		t.Errorf("%s: %s, alarms %v; want %s, %v", when, counts, got, want, alarms)
	}
}

const (
	changed    = "2026-11-23 60 1 1, 2026-11-24 60 15 1"
	understood = "2026-11-23 60 0 1, 2026-11-24 60 0 1"
)

// TestUnparsed: a changed format alarms, also in an index that was made again, until a
// parser that understands it has read the messages again. A page that is handled once
// more after that does not bring the alarm back.
func TestUnparsed(t *testing.T) {
	w := changedFormat(t, 10)
	w.wantParsed(t, "archived", changed, true)
	w.reopen(t, nil)
	w.wantParsed(t, "archived twice", changed, true)

	before := storetest.NewIndex()
	if err := before.Put(t.Context(), w.index.All()...); err != nil {
		t.Fatal(err)
	}
	w.reindex(t, true)
	wantSameFacts(t, w.index, before)

	w.reparse(t, understands, wecom.ParserVersion+1)
	w.wantParsed(t, "read again", understood, false)
	w.reopen(t, nil)
	w.wantParsed(t, "read again, and then handled once more", understood, false)
	w.reindex(t, true)
	w.wantParsed(t, "made again of segments, which stay as they are", changed, true)
	w.reparse(t, understands, wecom.ParserVersion+1)
	w.wantParsed(t, "and read again", understood, false)
}

// TestReparseKilledCounts kills a reparse before and after what it writes into the counts,
// and runs it again.
func TestReparseKilledCounts(t *testing.T) {
	w := changedFormat(t, 3) // 20 pages a day: after so many it saves how far it is
	index := w.index
	for _, when := range []storetest.When{storetest.Before, storetest.After} {
		for _, k := range []int{1, 20, 21, 22, 23, 42} { // around the save, and the last
			w.index, w.derived, w.faults = storetest.NewIndex(), storetest.NewDerived(), storetest.NewFaults()
			if err := w.index.Put(t.Context(), index.All()...); err != nil {
				t.Fatal(err)
			}
			cat := catalog.New(w.index)
			r := &reparse.Reparser{
				Objects: w.objects, Conversations: cat.Conversations, People: cat.People, Consents: cat.Consents, Journal: cat.Journal,
				Pages:     catalog.New(w.faults.Index(w.index)).Pages,
				Compactor: w.compactor(t, understands, wecom.ParserVersion+1),
				Transcript: transcript.New(transcript.Config{
					Objects: w.objects, Derived: w.derived, Conversations: cat.Conversations, Pages: cat.Pages, Compactions: compaction.NewIndex(cat.Table),
				}), Read: understands, Parser: wecom.ParserVersion + 1, Log: w.log,
			}
			w.faults.CrashAt(k, when)
			if _, err := r.Run(t.Context(), w.Now()); !errors.Is(err, storetest.ErrCrashed) {
				t.Fatalf("killed at write %d: %v", k, err)
			}
			w.faults.Restart()
			if _, err := r.Run(t.Context(), w.Now()); err != nil {
				t.Fatal(err)
			}
			w.wantParsed(t, fmt.Sprintf("killed at write %d (%v)", k, when), understood, false)
		}
	}
}
