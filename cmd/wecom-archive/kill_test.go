package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/segment"
)

// What TestKilledAtRandom must have done.
const (
	wantKills        = 20 // after the start stored a page or a segment
	wantSegmentKills = 8  // after the start stored a segment
	maxStarts        = 60
)

// killedMessages are enough that each start leaves work: a start pulls ten pages
// at once, and nine more in each second.
const (
	killedMessages = "6000"
	killedLimit    = "10"
)

// TestKilledAtRandom kills the real process (kill -9) at random moments of one
// archive's making, each time while it stores pages and segments, starts it again
// with the same flags, and compares the archive with what was served.
func TestKilledAtRandom(t *testing.T) {
	dir := t.TempDir()
	data, truth := filepath.Join(dir, "data"), filepath.Join(dir, "truth.jsonl")
	start := func(limit string) (*exec.Cmd, *bytes.Buffer) {
		cmd := command(t, "local", "--once", "--json", "--messages", killedMessages, "--limit", limit,
			"--dir", data, "--truth", truth, "--listen", "127.0.0.1:0")
		var errOut bytes.Buffer
		cmd.Stderr = &errOut
		return cmd, &errOut
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))

	kills, segmentKills, torn, starts := 0, 0, 0, 0
	for ; (kills < wantKills || segmentKills < wantSegmentKills) && starts < maxStarts; starts++ {
		before := countTree(t, data)
		cmd, errOut := start(killedLimit)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		grew := killWhenGrown(t, cmd, data, before, time.Duration(random.IntN(200))*time.Millisecond)
		if err := cmd.Wait(); err == nil {
			t.Fatalf("after %d kills a start was done before it could be killed: there is too little to do", kills)
		} else if exit := (*exec.ExitError)(nil); !errors.As(err, &exit) || exit.Exited() {
			t.Fatalf("it failed instead of being killed: %v\n%s", err, errOut)
		}
		after := countTree(t, data)
		if grew {
			kills++
		}
		if after.segments > before.segments {
			segmentKills++
		}
		if after.pages > after.segments {
			torn++
		}
	}
	t.Logf("%d starts, %d killed after the tree grew, %d of them after a segment was stored; %d left a page without segment",
		starts, kills, segmentKills, torn)
	if kills < wantKills || segmentKills < wantSegmentKills {
		t.Errorf("want %d and %d kills that interrupt something", wantKills, wantSegmentKills)
	}

	cmd, errOut := start("1000") // the rest at once
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("the last start: %v\n%s", err, errOut)
	}
	if sum := summaryOf(t, out); !sum.Complete || sum.Pulled != 6000 || sum.Archived+sum.Quarantined != sum.Pulled {
		t.Errorf("summary: %+v", sum)
	}
	compareWithTruth(t, data, truth)
}

// tree is what is stored.
type tree struct{ pages, segments int }

func countTree(t *testing.T, data string) tree {
	t.Helper()
	return tree{count(t, data, "pages", ".json.zst"), count(t, data, "messages", ".parquet")}
}

// killWhenGrown kills the process a while after there is more than before, and
// says whether there was. It also stops waiting when the process seems stuck.
func killWhenGrown(t *testing.T, cmd *exec.Cmd, data string, before tree, wait time.Duration) (grew bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !grew && time.Now().Before(deadline); {
		time.Sleep(2 * time.Millisecond)
		now := countTree(t, data)
		grew = now.pages > before.pages || now.segments > before.segments
	}
	time.Sleep(wait) // the random moment itself
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	return grew
}

// compareWithTruth checks that the segments below data hold each message of the
// truth file once and unaltered, and nothing else.
func compareWithTruth(t *testing.T, data, truth string) {
	t.Helper()
	archived := map[int64][]byte{}
	unreadable := map[int64]bool{}
	for _, row := range readRows(t, data) {
		if !row.Readable() {
			unreadable[row.Seq] = true
			continue
		}
		if _, twice := archived[row.Seq]; twice {
			t.Errorf("seq %d has two readable rows", row.Seq)
		}
		archived[row.Seq] = row.Raw
	}
	f, err := os.Open(truth)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 64<<20)
	served := 0
	for lines.Scan() {
		var line struct {
			Seq        int64
			Raw        []byte
			Unreadable string
		}
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			t.Fatal(err)
		}
		served++
		raw, ok := archived[line.Seq]
		switch {
		case line.Unreadable != "" && (ok || !unreadable[line.Seq]):
			t.Errorf("seq %d cannot be read (%s): want one unreadable row, readable %v", line.Seq, line.Unreadable, ok)
		case line.Unreadable == "" && !ok:
			t.Errorf("seq %d is missing", line.Seq)
		case line.Unreadable == "" && !bytes.Equal(raw, line.Raw):
			t.Errorf("seq %d was altered", line.Seq)
		}
		delete(archived, line.Seq)
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	if served == 0 {
		t.Error("the truth file is empty")
	}
	for seq := range archived {
		t.Errorf("seq %d was never served", seq)
	}
}

// readRows reads all segments below data, as files.
func readRows(t *testing.T, data string) []archive.Row {
	t.Helper()
	var all []archive.Row
	err := filepath.WalkDir(filepath.Join(data, "objects", "messages"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		body, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		_, rows, err := segment.Decode(body)
		all = append(all, rows...)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}
