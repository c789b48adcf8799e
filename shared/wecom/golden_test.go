package wecom_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"wecom-archive/shared/chat"
	"wecom-archive/shared/wecom"
)

var update = flag.Bool("update", false, "write testdata/samples.golden anew")

// pulledAt is later than every message of the samples.
var pulledAt = time.Date(2026, 1, 2, 3, 4, 5, 678_900_000, time.UTC)

// samples are one message of every type (docs/wecom.md, "Types").
func samples(t testing.TB) [][]byte {
	t.Helper()
	b, err := os.ReadFile("testdata/samples.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	lines := bytes.Split(bytes.TrimSuffix(b, []byte("\n")), []byte("\n"))
	if len(lines) != 34 {
		t.Fatalf("%d samples, want 34", len(lines))
	}
	return lines
}

// describe writes down everything that a reading says but Fields.
func describe(m wecom.Message) string {
	var b strings.Builder
	line := func(name, value string) {
		if value != "" {
			fmt.Fprintf(&b, "  %-12s %s\n", name, value)
		}
	}
	person := func(p chat.Participant) string {
		if p == (chat.Participant{}) {
			return ""
		}
		return fmt.Sprintf("%s %s", p.Kind, p.ID)
	}
	kind := m.MsgType
	if kind == "" {
		kind = "(no type)"
	}
	if !m.Parsed {
		kind = "(not parsed)"
	}
	fmt.Fprintln(&b, kind)
	line("msgid", m.MsgID)
	line("action", m.Action)
	line("from", person(m.From))
	for _, p := range m.To {
		line("to", person(p))
	}
	line("roomid", m.RoomID)
	line("conversation", m.Conversation)
	line("chat", m.ChatKind)
	line("time", m.Time.Format("2006-01-02T15:04:05.000Z07:00")+" "+m.TimeSource)
	line("ref", m.Ref)
	if m.Text != "" {
		line("text", fmt.Sprintf("%q", m.Text))
	}
	for _, f := range m.Media {
		line("media", fmt.Sprintf("%s kind=%s name=%q md5=%s size=%d fileid=%s", f.Path, f.Kind, f.Name, f.MD5, f.Size, f.FileID))
	}
	return b.String()
}

func TestSamples(t *testing.T) {
	var got strings.Builder
	fmt.Fprintf(&got, "parser version %d\n", wecom.ParserVersion)
	for _, raw := range samples(t) {
		got.WriteString(describe(wecom.Parse(raw, "", pulledAt)))
	}
	const path = "testdata/samples.golden"
	if *update {
		if err := os.WriteFile(path, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got.String() != string(want) {
		t.Errorf("readings differ from %s; if they should, raise ParserVersion and run with -update:\n%s", path, firstDifference(got.String(), string(want)))
	}
}

func BenchmarkParse(b *testing.B) {
	lines := samples(b)
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		wecom.Parse(lines[i%len(lines)], "", pulledAt)
	}
}

func firstDifference(got, want string) string {
	a, b := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return fmt.Sprintf("line %d\ngot  %s\nwant %s", i+1, a[i], b[i])
		}
	}
	return fmt.Sprintf("%d lines, want %d", len(a), len(b))
}
