package wecomtest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"wecom-archive/shared/wecom"
	"wecom-archive/shared/wecom/wecomtest"
)

func corpusOf(t testing.TB, content string) *wecomtest.FileCorpus {
	t.Helper()
	path := filepath.Join(t.TempDir(), "corpus.jsonl")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	corpus, err := wecomtest.OpenCorpus(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { corpus.Close() })
	return corpus
}

func lines(t testing.TB, c wecomtest.Corpus) []string {
	t.Helper()
	all := []string{}
	for i := range c.Len() {
		line, err := c.Line(i)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, string(line))
	}
	return all
}

func TestCorpusLines(t *testing.T) {
	long := strings.Repeat("长", 200_000) // longer than any buffer
	for name, tc := range map[string]struct {
		content string
		want    []string
		empty   int
	}{
		"empty file":         {"", []string{}, 0},
		"only empty lines":   {"\n\n\n", []string{}, 3},
		"one line":           {"a\n", []string{"a"}, 0},
		"no last newline":    {"a\nb", []string{"a", "b"}, 0},
		"empty lines":        {"\n\na\n\n\nb\n\n", []string{"a", "b"}, 5},
		"carriage returns":   {"a\r\nb\r\n\r\n", []string{"a\r", "b\r", "\r"}, 0},
		"control characters": {"{\"a\":\"\x00\x01\x1f\"}\n\x7f\n", []string{"{\"a\":\"\x00\x01\x1f\"}", "\x7f"}, 0},
		"invalid UTF-8":      {"\xff\xfe\n\xe4\xb8\n", []string{"\xff\xfe", "\xe4\xb8"}, 0},
		"spaces stay":        {"  a \t\n", []string{"  a \t"}, 0},
		"other separators":   {"a\u2028b\vc\u0085d\n", []string{"a\u2028b\vc\u0085d"}, 0},
		"long line":          {"x\n" + long + "\n\n" + long, []string{"x", long, long}, 1},
	} {
		corpus := corpusOf(t, tc.content)
		if got := lines(t, corpus); !slices.Equal(got, tc.want) || corpus.Empty() != tc.empty {
			t.Errorf("%s: %.80q and %d empty lines, want %.80q and %d", name, got, corpus.Empty(), tc.want, tc.empty)
		}
	}
}

func TestCorpusAnyBytes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "corpus")
	rapid.Check(t, func(rt *rapid.T) {
		content := rapid.SliceOf(rapid.OneOf(rapid.Byte(), rapid.Just(byte('\n')))).Draw(rt, "content")
		if err := os.WriteFile(path, content, 0o600); err != nil {
			rt.Fatal(err)
		}
		corpus, err := wecomtest.OpenCorpus(path)
		if err != nil {
			rt.Fatal(err)
		}
		defer corpus.Close()
		want := slices.DeleteFunc(strings.Split(string(content), "\n"), func(s string) bool { return s == "" })
		got := []string{}
		for i := range corpus.Len() {
			line, err := corpus.Line(i)
			if err != nil {
				rt.Fatal(err)
			}
			got = append(got, string(line))
		}
		if !slices.Equal(got, want) {
			rt.Errorf("%q, want %q", got, want)
		}
	})
}

func TestCorpusMissing(t *testing.T) {
	if _, err := wecomtest.OpenCorpus(filepath.Join(t.TempDir(), "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("error %v", err)
	}
	if _, err := wecomtest.OpenCorpus(t.TempDir()); err == nil {
		t.Error("a folder is accepted")
	}
}

// The corp serves the lines as they are, under their own msgids where they have
// one.
func TestCorpusIsServed(t *testing.T) {
	content := "{\"msgid\":\"first_1\",\"msgtype\":\"text\"}\r\n" +
		"\n" +
		"not json \xff\n" +
		"{\"msgid\":\"third_3\",\"text\":{\"content\":\"a\x01b\tc\"}}\n" +
		"\ufeff{\"msgid\":\"fourth\"}\n" +
		"{\"msgid\":12500000000000000000000}\n" +
		"{\"msgid\":{\"no\":\"string\"}}\n" +
		"{\"msgid\":\"sev\\\"en\u4e03\"}"
	wantIDs := []string{"first_1", "", "third_3", "fourth", "12500000000000000000000", "", `sev"en七`}
	corpus := corpusOf(t, content)
	corp := openWithKeys(t, wecomtest.Config{Corpus: corpus, Extents: lastDays(100)}, 1)
	if corp.Len() != 7 || corp.Arrived() > 7 {
		t.Fatalf("Len %d, Arrived %d; want 7", corp.Len(), corp.Arrived())
	}
	envelopes := page(t, corp, 0, 100)
	if len(envelopes) != 7 {
		t.Fatalf("%d envelopes", len(envelopes))
	}
	var batch []wecom.Sealed
	for i, e := range envelopes {
		if e.MsgID != wantIDs[i] && wantIDs[i] != "" || e.MsgID == "" {
			t.Errorf("line %d: msgid %q, want %q", i, e.MsgID, wantIDs[i])
		}
		sealed, err := unwrap(e)
		if err != nil {
			t.Fatal(err)
		}
		batch = append(batch, sealed)
	}
	want := lines(t, corpus)
	for i, o := range openAll(t, batch) {
		if o.Err != nil || string(o.Raw) != want[i] {
			t.Errorf("line %d: %q, %v; want %q", i, o.Raw, o.Err, want[i])
		}
	}
}

// The samples (docs/wecom.md, "Types") are a corpus as users have it.
func TestSamplesAsCorpus(t *testing.T) {
	corpus, err := wecomtest.OpenCorpus(filepath.Join("..", "testdata", "samples.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer corpus.Close()
	corp := openWithKeys(t, wecomtest.Config{Corpus: corpus, Extents: lastDays(corpus.Len())}, 1)
	envelopes := page(t, corp, 0, 1000)
	if len(envelopes) != 34 || envelopes[31].MsgID != "125000000000000000032" {
		t.Errorf("%d envelopes, the last one %q", len(envelopes), envelopes[len(envelopes)-1].MsgID)
	}
}

type truth struct {
	Seq        uint64  `json:"seq"`
	MsgID      string  `json:"msgid"`
	Raw        []byte  `json:"raw"`
	Unreadable *string `json:"unreadable"`
}

func readTruth(t testing.TB, corp *wecomtest.Corp) []truth {
	t.Helper()
	var out bytes.Buffer
	if err := corp.WriteTruth(context.Background(), &out); err != nil {
		t.Fatal(err)
	}
	var all []truth
	for line := range strings.Lines(out.String()) {
		var one truth
		if err := json.Unmarshal([]byte(line), &one); err != nil {
			t.Fatal(err)
		}
		all = append(all, one)
	}
	return all
}

// The truth is what pulling and decrypting gives, for made-up messages and for a
// corpus.
func TestTruthIsWhatIsServed(t *testing.T) {
	const count = 250
	corpus := corpusOf(t, strings.Repeat("{\"msgid\":\"x\"}\r\n\x02\xff\n", count/2))
	for name, config := range map[string]wecomtest.Config{
		"made up": {Seed: 12, Extents: lastDays(count), Unreadable: 10},
		"corpus":  {Seed: 12, Extents: lastDays(count), Corpus: corpus},
	} {
		corp := openWithKeys(t, config, 2)
		all := readTruth(t, corp)
		if len(all) != count {
			t.Fatalf("%s: %d lines", name, len(all))
		}
		var seq uint64
		at, unreadable := 0, 0
		for {
			envelopes := page(t, corp, seq, 40)
			if len(envelopes) == 0 {
				break
			}
			for _, e := range envelopes {
				want := all[at]
				sealed, err := unwrap(e)
				opened := wecom.Opened{Err: err}
				if err == nil {
					opened = openAll(t, []wecom.Sealed{sealed})[0]
				}
				switch {
				case e.Seq != want.Seq || e.MsgID != want.MsgID:
					t.Fatalf("%s, message %d: %d %q, truth %d %q", name, at, e.Seq, e.MsgID, want.Seq, want.MsgID)
				case (opened.Err != nil) != (want.Unreadable != nil):
					t.Errorf("%s, message %d: %v, unreadable in truth: %v", name, at, opened.Err, want.Unreadable)
				case opened.Err == nil && !bytes.Equal(opened.Raw, want.Raw):
					t.Errorf("%s, message %d: %q, truth %q", name, at, opened.Raw, want.Raw)
				}
				if want.Unreadable != nil {
					unreadable++
				}
				seq = e.Seq
				at++
			}
		}
		if at != count || (unreadable == 0) != (config.Unreadable == 0) {
			t.Errorf("%s: %d of %d served, %d unreadable", name, at, count, unreadable)
		}
	}
}

func TestTruthEndsAtNow(t *testing.T) {
	now := noon.Add(-36 * time.Hour)
	corp := openWithKeys(t, wecomtest.Config{Extents: lastDays(200), Now: func() time.Time { return now }}, 1)
	if got, want := len(readTruth(t, corp)), corp.Arrived(); got != want || got < 95 || got > 105 {
		t.Errorf("%d lines, %d arrived; want about 100", got, want)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := corp.WriteTruth(ctx, &bytes.Buffer{}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	full := errors.New("disk full")
	if err := corp.WriteTruth(context.Background(), failingWriter{full}); !errors.Is(err, full) {
		t.Errorf("failing writer: %v", err)
	}
}

type failingWriter struct{ err error }

func (w failingWriter) Write([]byte) (int, error) { return 0, w.err }
