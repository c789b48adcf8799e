package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"wecom-archive/shared/archive"
)

// kills is how often TestKilledAtRandom kills the program.
const kills = 20

// TestKilledAtRandom kills the real process (kill -9) at random moments of one
// archive's making, starts it again with the same flags each time, and compares
// the archive with what was served.
func TestKilledAtRandom(t *testing.T) {
	program := filepath.Join(t.TempDir(), "wecom-archive")
	if out, err := exec.Command("go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	dir := t.TempDir()
	truth := filepath.Join(dir, "truth.jsonl")
	data := filepath.Join(dir, "data")
	start := func() (*exec.Cmd, *bytes.Buffer) {
		cmd := exec.Command(program, "local", "--once", "--json", "--messages", "9000", "--dir", data, "--truth", truth)
		var errOut bytes.Buffer
		cmd.Stderr = &errOut
		return cmd, &errOut
	}

	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	early := 0
	for range kills {
		cmd, errOut := start()
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(150+random.IntN(400)) * time.Millisecond) // the random moment itself
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Wait(); err == nil {
			early++ // it was done before it could be killed
		} else if exit, ok := err.(*exec.ExitError); !ok || exit.Exited() {
			t.Fatalf("it failed instead of being killed: %v\n%s", err, errOut)
		}
	}
	if early > kills/4 {
		t.Errorf("%d of %d starts had nothing left to do: the test kills too late", early, kills)
	}

	cmd, errOut := start()
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("the last start: %v\n%s", err, errOut)
	}
	var sum struct{ Pulled, Archived, Quarantined int }
	if err := json.Unmarshal(out, &sum); err != nil {
		t.Fatalf("summary %q: %v", out, err)
	}
	if sum.Pulled != 9000 || sum.Archived+sum.Quarantined != sum.Pulled {
		t.Errorf("summary: %+v", sum)
	}
	compareWithTruth(t, data, truth)
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
		_, rows, err := archive.DecodeSegment(body)
		all = append(all, rows...)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}
