package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestCommandLine(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name   string
		args   []string
		status int
		says   string // on stdout or stderr
	}{
		{"help", []string{"--help"}, 0, "企业微信会话内容存档"},
		{"help of local", []string{"local", "--help"}, 0, "--corpus"},
		{"nothing", nil, 2, "expected"},
		{"unknown flag", []string{"local", "--sed", "1"}, 2, "--seed"},
		{"not a number", []string{"local", "--messages", "many"}, 2, "--messages"},
		{"negative", []string{"local", "--messages=-1"}, 2, "--messages"},
		{"no messages in a page", []string{"local", "--limit", "0"}, 2, "--limit"},
		{"more than WeCom gives", []string{"local", "--limit", "1001"}, 2, "--limit"},
		{"no such corpus", []string{"local", "--corpus", "/nowhere"}, 2, "--corpus"},
		{"folder is a file", []string{"local", "--once", "--dir", file}, 1, "--dir"},
		{"address taken", []string{"local", "--once", "--messages", "1", "--dir", t.TempDir(), "--listen", taken.Addr().String()}, 1, "--listen"},
		{"takeover of which folder", []string{"takeover"}, 2, "--dir"},
		{"takeover of nothing", []string{"takeover", "--dir", t.TempDir()}, 1, "no archive is there"},
		{"nowhere to write the truth", []string{"local", "--once", "--messages", "1", "--dir", t.TempDir(), "--truth", "/nowhere/truth"}, 1, "--truth"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var out bytes.Buffer
			status := run(t.Context(), test.args, nil, &out, &out)
			if status != test.status || !strings.Contains(out.String(), test.says) {
				t.Errorf("status %d, want %d; it says %q, want %q in it", status, test.status, out.String(), test.says)
			}
		})
	}
}

// output collects what the program prints while it runs.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

// TestServesUntilInterrupted starts the program as README says, waits until all
// is archived, reads a conversation through the API, and interrupts it.
func TestServesUntilInterrupted(t *testing.T) {
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	var out, errOut output
	status := make(chan int)
	go func() {
		status <- run(ctx, []string{"local", "--json", "--messages", "200", "--dir", t.TempDir(), "--listen", "127.0.0.1:0"}, nil, &out, &errOut)
	}()

	deadline := time.Now().Add(30 * time.Second)
	var base, token string
	for base == "" || token == "" {
		if time.Now().After(deadline) {
			t.Fatalf("it did not say where it listens: %s", errOut.String())
		}
		time.Sleep(10 * time.Millisecond)
		base = firstMatch(errOut.String(), `http://127\.0\.0\.1:\d+`)
		token = strings.TrimPrefix(firstMatch(errOut.String(), `Token: \w+`), "Token: ")
	}
	var health struct {
		Archived int
		Cursor   struct{ Envelopes int }
		Pending  struct{ Pages int }
	}
	for health.Cursor.Envelopes < 200 || health.Pending.Pages > 0 {
		if time.Now().After(deadline) {
			t.Fatalf("not archived in time: %+v", health)
		}
		time.Sleep(10 * time.Millisecond)
		call(t, base+"/v1/status", token, &health)
	}

	read := 0
	for back := range 6 {
		day := time.Now().UTC().AddDate(0, 0, -back).Format(time.DateOnly)
		var list struct{ Conversations []struct{ ID string } }
		call(t, base+"/v1/conversations?day="+day, token, &list)
		if len(list.Conversations) == 0 {
			continue
		}
		var page struct{ Messages []struct{ Seq int64 } }
		call(t, base+"/v1/conversations/"+url.PathEscape(list.Conversations[0].ID)+"/messages", token, &page)
		read += len(page.Messages)
	}
	if read == 0 {
		t.Error("no message could be read")
	}

	interrupt()
	if got := <-status; got != 0 {
		t.Errorf("status %d after an interruption: %s", got, errOut.String())
	}
	if sum := summaryOf(t, []byte(out.String())); sum.Pulled != 200 || sum.Archived+sum.Quarantined != 200 || !sum.Complete {
		t.Errorf("summary %+v", sum)
	}
}

// TestInterruptedAtStart: what is interrupted before it begins has no summary, and
// says so, too.
func TestInterruptedAtStart(t *testing.T) {
	ctx, interrupt := context.WithCancel(t.Context())
	interrupt()
	var out, errOut bytes.Buffer
	status := run(ctx, []string{"local", "--once", "--json", "--messages", "10", "--dir", t.TempDir()}, nil, &out, &errOut)
	if status != 130 || out.Len() > 0 || !strings.Contains(errOut.String(), "interrupted") {
		t.Errorf("status %d, out %q, err %q", status, out.String(), errOut.String())
	}
}

// TestCorpus: a corpus is archived line by line; empty lines are counted aloud.
func TestCorpus(t *testing.T) {
	dir := t.TempDir()
	corpus, data, truth := filepath.Join(dir, "corpus.jsonl"), filepath.Join(dir, "data"), filepath.Join(dir, "truth.jsonl")
	lines := "{\"msgid\":\"a\"}\n\n\nno JSON\n \n\n\r\n{\"msgid\":\"b\"}"
	if err := os.WriteFile(corpus, []byte(lines), 0o600); err != nil {
		t.Fatal(err)
	}
	var out, errOut bytes.Buffer
	args := []string{"local", "--once", "--json", "--corpus", corpus, "--truth", truth, "--dir", data, "--limit", "2", "--listen", "127.0.0.1:0"}
	if status := run(t.Context(), args, nil, &out, &errOut); status != 0 {
		t.Fatalf("status %d: %s", status, errOut.String())
	}
	if sum := summaryOf(t, out.Bytes()); sum != (summary{Pulled: 5, Archived: 5, Pages: 3, Segments: 3, Complete: true}) {
		t.Errorf("summary %+v", sum)
	}
	if !strings.Contains(errOut.String(), "3 empty lines are not served") {
		t.Errorf("it says %q", errOut.String())
	}
	compareWithTruth(t, data, truth)
}

func firstMatch(text, pattern string) string { return regexp.MustCompile(pattern).FindString(text) }

func call(t *testing.T, address, token string, into any) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("%s answers %s", address, resp.Status)
	}
	if err := json.NewDecoder(resp.Body).Decode(into); err != nil {
		t.Fatalf("%s: %v", address, err)
	}
}
