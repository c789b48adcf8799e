package locals3_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	locals3 "wecom-archive/infra/aws/s3"
)

func startServer(t testing.TB, root string, sync bool) *locals3.Server {
	t.Helper()
	server, err := locals3.Start(t.Context(), locals3.Config{Root: root, NoSync: !sync})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	return server
}

func createBucket(t testing.TB, server *locals3.Server, name string, days int32) {
	t.Helper()
	if err := server.CreateBucket(t.Context(), name, days); err != nil {
		t.Fatal(err)
	}
}

func get(t *testing.T, server *locals3.Server, bucket, key string) ([]byte, error) {
	t.Helper()
	out, err := server.Client().GetObject(t.Context(), &s3.GetObjectInput{
		Bucket: &bucket, Key: &key, ChecksumMode: types.ChecksumModeEnabled,
	})
	if err != nil {
		return nil, err
	}
	defer out.Body.Close()
	if aws.ToString(out.ETag) == "" || aws.ToString(out.VersionId) == "" {
		t.Errorf("%s has ETag %q, version %q", key, aws.ToString(out.ETag), aws.ToString(out.VersionId))
	}
	return io.ReadAll(out.Body)
}

func TestLayout(t *testing.T) {
	root := filepath.Join(t.TempDir(), "made by Start")
	server := startServer(t, root, true)
	createBucket(t, server, "objects", 30)
	createBucket(t, server, "derived", 0)
	for _, key := range []string{"pages/1.json.zst", "messages/dt=2026-11-23/1.parquet", "empty"} {
		if err := putOnce(t.Context(), server, "objects", key, childBody(key)); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(filepath.Join(root, "objects", filepath.FromSlash(key)))
		if err != nil || !bytes.Equal(got, childBody(key)) {
			t.Errorf("the file of %s has %d bytes, %v", key, len(got), err)
		}
	}
	got := slices.DeleteFunc(files(t, root), func(f string) bool { return strings.HasPrefix(f, ".s3/") })
	want := []string{"objects/empty", "objects/messages/dt=2026-11-23/1.parquet", "objects/pages/1.json.zst"}
	if !slices.Equal(got, want) {
		t.Errorf("files %q, want %q", got, want)
	}
	// The program's own files are not buckets.
	for _, name := range []string{"index.db", "wrapping.key"} {
		if err := os.WriteFile(filepath.Join(root, name), []byte("private"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(root, "other"), 0o700); err != nil {
		t.Fatal(err)
	}
	out, err := server.Client().ListBuckets(t.Context(), &s3.ListBucketsInput{})
	if err != nil || len(out.Buckets) != 2 || *out.Buckets[0].Name != "derived" || *out.Buckets[1].Name != "objects" {
		t.Errorf("buckets %+v, %v", out, err)
	}
	if _, err := get(t, server, "other", "x"); err == nil {
		t.Error("a directory beside the buckets can be read")
	}
	info, err := os.Stat(filepath.Join(root, "objects", "empty"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("an object's file has mode %v, %v", info.Mode(), err)
	}
}

func TestStopAndStart(t *testing.T) {
	root := t.TempDir()
	workDir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	var endpoint string
	for i := range 3 {
		server, err := locals3.Start(t.Context(), locals3.Config{Root: root})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := locals3.Start(t.Context(), locals3.Config{Root: t.TempDir()}); !errors.Is(err, locals3.ErrRunning) {
			t.Fatalf("starting a second server in one process = %v, want ErrRunning", err)
		}
		endpoint = server.Endpoint()
		createBucket(t, server, "objects", int32(30+i))
		for j := range i {
			key := fmt.Sprint("a/", j)
			if got, err := get(t, server, "objects", key); err != nil || string(got) != key {
				t.Errorf("start %d: %s is %q, %v", i, key, got, err)
			}
		}
		key := fmt.Sprint("a/", i)
		if err := putOnce(t.Context(), server, "objects", key, []byte(key)); err != nil {
			t.Fatal(err)
		}
		lock, err := server.Client().GetObjectLockConfiguration(t.Context(), &s3.GetObjectLockConfigurationInput{Bucket: aws.String("objects")})
		if err != nil || *lock.ObjectLockConfiguration.Rule.DefaultRetention.Days != int32(30+i) {
			t.Errorf("start %d: lock %+v, %v", i, lock, err)
		}
		if err := server.Close(); err != nil {
			t.Fatal(err)
		}
		if now, err := os.Getwd(); err != nil || now != workDir {
			t.Errorf("Close left the process in %s, %v", now, err)
		}
	}
	if conn, err := (&netDialer{}).dial(t.Context(), endpoint); err == nil {
		conn.Close()
		t.Error("it listens after Close")
	}
}

func TestStrangersRefused(t *testing.T) {
	server := startServer(t, t.TempDir(), false)
	createBucket(t, server, "objects", 30)
	for _, path := range []string{"/", "/objects", "/objects/?list-type=2", "/objects/x"} {
		if status := anonymousGet(t, server.Endpoint()+path); status != 403 {
			t.Errorf("GET %s without credentials: %d", path, status)
		}
	}
}

func TestBadStart(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := locals3.Start(t.Context(), locals3.Config{Root: file}); err == nil {
		t.Error("Start on a file works")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := locals3.Start(ctx, locals3.Config{Root: t.TempDir()}); !errors.Is(err, context.Canceled) {
		t.Errorf("Start with a cancelled context = %v", err)
	}
	server := startServer(t, t.TempDir(), false) // neither is in the way
	for _, name := range []string{"", ".", "..", ".s3", "a/b", "UPPER_case!", "x"} {
		if err := server.CreateBucket(t.Context(), name, 1); err == nil {
			t.Errorf("bucket %q was made", name)
		}
	}
	if err := server.CreateBucket(t.Context(), "objects", -1); err == nil {
		t.Error("a lock of -1 days was taken")
	}
}

// TestHalfMadeBucket: killed at any step of making a bucket, the next start makes
// it whole.
func TestHalfMadeBucket(t *testing.T) {
	for name, breakOff := range map[string]func(t *testing.T, root string){
		"a directory without attributes": func(t *testing.T, root string) {
			if err := os.MkdirAll(filepath.Join(root, ".s3", "buckets", "objects"), 0o700); err != nil {
				t.Fatal(err)
			}
		},
		"moved, not linked": func(t *testing.T, root string) {
			server := startServer(t, root, false)
			createBucket(t, server, "objects", 30)
			if err := errors.Join(server.Close(), os.Remove(filepath.Join(root, ".s3", "buckets", "objects"))); err != nil {
				t.Fatal(err)
			}
		},
		"not moved": func(t *testing.T, root string) {
			server := startServer(t, root, false)
			createBucket(t, server, "objects", 30)
			inside := filepath.Join(root, ".s3", "buckets", "objects")
			if err := errors.Join(server.Close(), os.Remove(inside), os.Rename(filepath.Join(root, "objects"), inside)); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			t.Run("before", func(t *testing.T) { breakOff(t, root) })
			server := startServer(t, root, false)
			createBucket(t, server, "objects", 30)
			if err := putOnce(t.Context(), server, "objects", "a", []byte("x")); err != nil {
				t.Fatal(err)
			}
			if got := files(t, filepath.Join(root, "objects")); !slices.Equal(got, []string{"a"}) {
				t.Errorf("files %q", got)
			}
		})
	}
}

func TestLeftovers(t *testing.T) {
	root := t.TempDir()
	t.Run("first", func(t *testing.T) { createBucket(t, startServer(t, root, false), "objects", 30) })
	temp := filepath.Join(root, "objects", ".sgwtmp")
	if err := os.MkdirAll(temp, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, age := range map[string]time.Duration{"old": 2 * time.Hour, "young": time.Minute} {
		path := filepath.Join(temp, name)
		when := time.Now().Add(-age)
		if err := errors.Join(os.WriteFile(path, nil, 0o600), os.Chtimes(path, when, when)); err != nil {
			t.Fatal(err)
		}
	}
	startServer(t, root, false)
	if got := files(t, temp); !slices.Equal(got, []string{"young"}) {
		t.Errorf("left over: %q, want the young one, which may be in use", got)
	}
}

func command(t *testing.T, root string, round int) (*exec.Cmd, *bytes.Buffer) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), exe)
	cmd.Env = append(os.Environ(), childRoot+"="+root, fmt.Sprint(childRound, "=", round))
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	return cmd, &stderr
}

// TestKill kills a process with the server in it while it writes, many times on
// the same directory. What it said was stored is there, whole, and nothing else
// is but whole objects.
func TestKill(t *testing.T) {
	const rounds = 6
	root := t.TempDir()
	var stored []string
	for round := range rounds {
		cmd, stderr := command(t, root, round)
		stdout, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := 0
		for scanner := bufio.NewScanner(stdout); scanner.Scan(); lines++ {
			if scanner.Text() != "ready" {
				stored = append(stored, scanner.Text())
			}
			if lines == round*13 { // at another moment each time, the first while starting to write
				if err := cmd.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := cmd.Wait(); err == nil || lines <= round*13 {
			t.Fatalf("round %d: ended by itself after %d lines: %s", round, lines, stderr)
		}
		if stderr.Len() > 0 {
			t.Errorf("round %d printed on stderr: %s", round, stderr)
		}
	}

	server := startServer(t, root, true)
	listed := map[string]int64{}
	pages := s3.NewListObjectsV2Paginator(server.Client(), &s3.ListObjectsV2Input{Bucket: aws.String("objects")})
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range page.Contents {
			listed[*o.Key] = *o.Size
		}
	}
	for _, key := range stored {
		if _, ok := listed[key]; !ok {
			t.Errorf("%s was stored and is gone", key)
		}
	}
	for key, size := range listed {
		body, err := get(t, server, "objects", key)
		if err != nil || !bytes.Equal(body, childBody(key)) || int64(len(body)) != size {
			t.Errorf("%s is listed with %d bytes, and has %d, %v", key, size, len(body), err)
		}
	}
	for _, file := range files(t, filepath.Join(root, "objects")) {
		if _, ok := listed[file]; !ok && !hasPart(file, ".sgwtmp") {
			t.Errorf("file %s is no object", file)
		}
	}
	t.Logf("%d objects were reported, %d are there", len(stored), len(listed))
}

// TestSilent: stdout belongs to the program.
func TestSilent(t *testing.T) {
	cmd, stderr := command(t, t.TempDir(), 0)
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var once sync.Once
	scanner := bufio.NewScanner(stdout)
	for first := true; scanner.Scan(); first = false {
		if line := scanner.Text(); first && line != "ready" || !first && !strings.HasPrefix(line, "dt=") {
			t.Errorf("printed: %q", line)
		}
		once.Do(func() {
			if err := cmd.Process.Signal(os.Interrupt); err != nil {
				t.Error(err)
			}
		})
	}
	if err := cmd.Wait(); err != nil || stderr.Len() > 0 {
		t.Errorf("the process ended with %v, printed on stderr: %s", err, stderr)
	}
}
