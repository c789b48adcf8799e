//go:build aws

package awstest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/segment"
	"wecom-archive/shared/store"
	"wecom-archive/shared/wecom/wecomtest"
)

// workerVariable holds the stack that a process of this test is to work on.
const workerVariable = "WECOM_ARCHIVE_TEST_WORKER"

func TestMain(m *testing.M) {
	text := os.Getenv(workerVariable)
	if text == "" {
		os.Exit(m.Run())
	}
	var s stack
	err := json.Unmarshal([]byte(text), &s)
	if err == nil {
		err = s.work(context.Background())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// TestPipeline archives what a simulated corp says, with every port on the AWS
// adapters, and finds each message as it was said.
func TestPipeline(t *testing.T) {
	s, _ := newStack(t, 250) // more pages than a real puller makes of so few messages
	if err := s.work(t.Context()); err != nil {
		t.Fatal(err)
	}
	checkArchive(t, s)
}

const (
	kills   = 10 // that TestPipelineKilled makes
	perKill = 6  // objects that a process may store before, at most: so that work is left for the last one
)

// TestPipelineKilled kills the process that pulls and archives (kill -9) again and
// again, at random moments shortly after it has stored something.
func TestPipelineKilled(t *testing.T) {
	s, root := newStack(t, 50)
	text, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	start := func() (*exec.Cmd, *bytes.Buffer) {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), workerVariable+"="+string(text))
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		return cmd, &stderr
	}
	segments := 0
	for killed := range kills {
		before, segmentsBefore := stored(t, root)
		cmd, stderr := start()
		ended := make(chan error, 1)
		go func() { ended <- cmd.Wait() }()
		enough := before + 1 + rand.IntN(perKill)
		if !waitFor(ended, func() bool { now, _ := stored(t, root); return now >= enough }) {
			t.Fatalf("process %d ended by itself: %v\n%s", killed, <-ended, stderr)
		}
		time.Sleep(time.Duration(rand.IntN(20)) * time.Millisecond) // not just after an object appears
		if err := cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
			t.Fatal(err)
		}
		if err := <-ended; err == nil {
			t.Fatalf("all was archived after %d kills: it works too fast, or this test kills too late", killed)
		}
		if _, now := stored(t, root); now > segmentsBefore {
			segments++
		}
	}
	if segments < kills/3 {
		t.Errorf("of %d processes killed %d had stored a segment; want %d", kills, segments, kills/3)
	}
	t.Logf("%d processes killed, %d of them had stored segments", kills, segments)

	cmd, stderr := start()
	if err := cmd.Wait(); err != nil {
		t.Fatalf("the last process: %v\n%s", err, stderr)
	}
	checkArchive(t, s)
}

// waitFor polls until done, or until the process has ended.
func waitFor(ended chan error, done func() bool) bool {
	for !done() {
		select {
		case err := <-ended:
			ended <- err
			return false
		case <-time.After(5 * time.Millisecond):
		}
	}
	return true
}

// stored counts the pages and segments in the bucket, and the segments alone.
func stored(t *testing.T, root string) (all, segments int) {
	t.Helper()
	count := func(folder string) (n int) {
		err := filepath.WalkDir(filepath.Join(root, bucket, folder), func(_ string, d fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			if err == nil && !d.IsDir() {
				n++
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	segments = count(archive.SegmentsPrefix)
	return count(archive.PagesPrefix) + segments, segments
}

// checkArchive compares the segments with what was said, and the index with the
// segments.
func checkArchive(t *testing.T, s stack) {
	t.Helper()
	ctx := t.Context()
	objects, index, _ := s.stores()
	corp, _, err := s.corp(ctx, s.ring(objects, index))
	if err != nil {
		t.Fatal(err)
	}
	truth := map[int64]wecomtest.Message{}
	for i := range corp.Len() {
		m, err := corp.Served(i)
		if err != nil {
			t.Fatal(err)
		}
		truth[int64(m.Seq)] = m
	}
	rows, conversations := map[int64]int{}, map[string]int{}
	for info, err := range objects.List(ctx, archive.SegmentsPrefix, "") {
		if err != nil {
			t.Fatal(err)
		}
		body, err := store.ReadObject(ctx, objects, info.Key)
		if err != nil {
			t.Fatal(err)
		}
		_, segment, err := segment.Decode(body)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range segment {
			rows[r.Seq]++
			said := truth[r.Seq]
			if r.Readable() != (said.Unreadable == "") || r.Readable() && string(r.Raw) != string(said.Raw) {
				t.Errorf("seq %d is %s, not what was said (%q)", r.Seq, r.Outcome, said.Unreadable)
			}
			if r.Readable() {
				conversations[r.Conversation]++
			}
		}
	}
	for seq := range truth {
		if rows[seq] != 1 {
			t.Errorf("seq %d has %d rows", seq, rows[seq])
		}
	}
	if len(truth) != messages || len(rows) != messages {
		t.Errorf("%d messages were said, %d are archived, want %d", len(truth), len(rows), messages)
	}
	for conversation, want := range conversations {
		places, err := index.Conversations.Places(ctx, catalog.PlaceQuery{Conversation: conversation, Limit: messages})
		if err != nil || len(places) != want {
			t.Errorf("%s: %d places in the index, %v; want %d", conversation, len(places), err, want)
		}
	}
	cursor, err := index.Pages.Cursor(ctx)
	pending, pendingErr := index.Pages.PendingPages(ctx, 0, 10)
	if err != nil || pendingErr != nil || cursor.Envelopes != messages || cursor.Pages != int64(messages/s.PageSize) || len(pending) > 0 {
		t.Errorf("cursor %+v, %v; pending %+v, %v", cursor, err, pending, pendingErr)
	}
}
