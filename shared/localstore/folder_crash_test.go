//go:build unix

package localstore_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"wecom-archive/shared/localstore"
	"wecom-archive/shared/store"
)

// bodyOf is what is put at a key: its length and bytes follow from the key.
func bodyOf(key string) string {
	return strings.Repeat(key+"\n", 1+len(key)*37%400)
}

// wantWhole: all that is listed is there, whole. It returns the keys.
func wantWhole(t *testing.T, dir string) []string {
	t.Helper()
	f := openFolder(t, dir)
	keys := listed(t, f.Objects())
	for _, key := range keys {
		wantObject(t, f.Objects(), key, bodyOf(key))
	}
	for _, key := range listed(t, f.Derived()) {
		if body, err := store.ReadObject(t.Context(), f.Derived(), key); err != nil || string(body) != bodyOf(key) && string(body) != bodyOf(key)+"new" {
			t.Errorf("derived %s: %.60q, %v", key, body, err)
		}
	}
	var versions []string
	for v, err := range f.Objects().ListVersions(t.Context(), "", "") {
		if err != nil || !v.Earliest {
			t.Errorf("%+v, %v", v, err)
		}
		versions = append(versions, v.Key)
	}
	if !slices.Equal(versions, keys) {
		t.Errorf("versions of %q, listed are %q", versions, keys)
	}
	return keys
}

// countSteps is how often a put of either bucket stops to ask.
func countSteps(t *testing.T) (steps []string) {
	t.Helper()
	f := openFolder(t, t.TempDir())
	f.Steps(func(step string) error { steps = append(steps, step); return nil })
	if err := putBoth(t.Context(), f, "p/1"); err != nil {
		t.Fatal(err)
	}
	if len(steps) < 20 {
		t.Fatalf("steps %q", steps)
	}
	return steps
}

// putBoth puts an object into each bucket, over another one in the derived one.
func putBoth(ctx context.Context, f *localstore.Folder, key string) error {
	if err := f.Objects().PutIfAbsent(ctx, key, strings.NewReader(bodyOf(key))); err != nil {
		return err
	}
	return f.Derived().Put(ctx, key, strings.NewReader(bodyOf(key)+"new"))
}

// TestFailingSteps fails each step of a put once. What is listed is whole, and the
// same put again gets the object there.
func TestFailingSteps(t *testing.T) {
	errStep := errors.New("the disk says no")
	for at, step := range countSteps(t) {
		t.Run(fmt.Sprintf("%02d %s", at, step), func(t *testing.T) {
			dir := t.TempDir()
			f := openFolder(t, dir)
			if err := f.Derived().Put(t.Context(), "p/1", strings.NewReader(bodyOf("p/1"))); err != nil {
				t.Fatal(err)
			}
			putObject(t, f.Objects(), "p/0", bodyOf("p/0"))
			n := -1
			f.Steps(func(string) error {
				if n++; n == at {
					return errStep
				}
				return nil
			})
			if err := putBoth(t.Context(), f, "p/1"); !errors.Is(err, errStep) {
				t.Fatalf("the put = %v", err)
			}
			wantWhole(t, dir)
			if left, err := os.ReadDir(filepath.Join(dir, ".store", "staging")); err != nil || len(left) > 0 {
				t.Errorf("left beside: %v, %v", left, err)
			}
			if err := putBoth(t.Context(), f, "p/1"); err != nil && !errors.Is(err, store.ErrExists) {
				t.Errorf("again: %v", err)
			}
			if keys := wantWhole(t, dir); !slices.Equal(keys, []string{"p/0", "p/1"}) {
				t.Errorf("keys %q", keys)
			}
		})
	}
}

// child starts this test's binary as another process that does what mode says.
func child(t *testing.T, dir, mode string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestFolderChild$")
	cmd.Env = append(os.Environ(), "LOCALSTORE_CHILD="+mode, "LOCALSTORE_DIR="+dir)
	cmd.Stderr = os.Stderr
	return cmd
}

// TestFolderChild is the other process.
func TestFolderChild(t *testing.T) {
	mode, dir := os.Getenv("LOCALSTORE_CHILD"), os.Getenv("LOCALSTORE_DIR")
	if mode == "" {
		t.Skip("other tests start it")
	}
	f := openFolder(t, dir)
	kind, argument, _ := strings.Cut(mode, " ")
	number, _ := strconv.Atoi(argument)
	switch kind {
	case "die": // at this step
		n := -1
		f.Steps(func(string) error {
			if n++; n == number {
				_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
				select {}
			}
			return nil
		})
		t.Errorf("it lives: %v", putBoth(t.Context(), f, "p/1"))
	case "put": // until it is killed, and says what it has put
		for i := number; ; i++ {
			key := fmt.Sprintf("p/%03d/%06d", i/50, i)
			if err := putBoth(t.Context(), f, key); err != nil && !errors.Is(err, store.ErrExists) {
				t.Fatal(err)
			}
			fmt.Println("put", key)
		}
	case "race": // against another one, and says what it has won
		for i := range number {
			key := fmt.Sprintf("p/%06d", i)
			switch err := f.Objects().PutIfAbsent(t.Context(), key, strings.NewReader(bodyOf(key))); {
			case err == nil:
				fmt.Println("put", key)
			case !errors.Is(err, store.ErrExists):
				t.Fatal(err)
			}
			if err := f.Derived().Put(t.Context(), "same", strings.NewReader(bodyOf("same")+[]string{"", "new"}[i%2])); err != nil {
				t.Fatal(err)
			}
			if body, err := store.ReadObject(t.Context(), f.Derived(), "same"); err != nil || !strings.HasPrefix(string(body), bodyOf("same")) {
				t.Fatalf("%.60q, %v", body, err)
			}
		}
	}
}

// TestKilledSteps kills a process at each step of a put.
func TestKilledSteps(t *testing.T) {
	for at, step := range countSteps(t) {
		t.Run(fmt.Sprintf("%02d %s", at, step), func(t *testing.T) {
			dir := t.TempDir()
			f := openFolder(t, dir)
			putObject(t, f.Objects(), "p/0", bodyOf("p/0"))
			if err := f.Derived().Put(t.Context(), "p/1", strings.NewReader(bodyOf("p/1"))); err != nil {
				t.Fatal(err)
			}
			err := child(t, dir, fmt.Sprint("die ", at)).Run()
			if exit := (*exec.ExitError)(nil); !errors.As(err, &exit) || exit.Exited() {
				t.Fatalf("it was not killed: %v", err)
			}
			before := wantWhole(t, dir)
			if err := putBoth(t.Context(), f, "p/1"); err != nil && !errors.Is(err, store.ErrExists) {
				t.Errorf("again: %v", err)
			}
			if keys := wantWhole(t, dir); !slices.Equal(keys, []string{"p/0", "p/1"}) || len(before) > len(keys) {
				t.Errorf("keys %q, before %q", keys, before)
			}
		})
	}
}

// TestKilledWhilePutting kills a process at random. What it said it had put is there,
// what was listed once stays, and all is whole.
func TestKilledWhilePutting(t *testing.T) {
	dir := t.TempDir()
	var said, before []string
	for range 12 {
		cmd := child(t, dir, fmt.Sprint("put ", len(said)))
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		read := func() bool {
			if !lines.Scan() {
				return false
			}
			if key, ok := strings.CutPrefix(lines.Text(), "put "); ok {
				said = append(said, key)
			}
			return true
		}
		if !read() {
			t.Fatal("it puts nothing")
		}
		timer := time.AfterFunc(time.Duration(rand.IntN(300_000))*time.Microsecond, func() { _ = cmd.Process.Kill() })
		for read() {
		}
		timer.Stop()
		if err := cmd.Wait(); err == nil {
			t.Fatal("it was not killed")
		}
		keys := wantWhole(t, dir)
		for _, key := range slices.Concat(said, before) {
			if _, ok := slices.BinarySearch(keys, key); !ok {
				t.Fatalf("%s is gone", key)
			}
		}
		before = keys
	}
	t.Logf("%d objects were put", len(said))
}

// TestTwoProcesses: of two that put the same keys one wins each.
func TestTwoProcesses(t *testing.T) {
	dir := t.TempDir()
	const keys = 150
	var outs [2]bytes.Buffer
	var cmds [2]*exec.Cmd
	for i := range cmds {
		cmds[i] = child(t, dir, fmt.Sprint("race ", keys))
		cmds[i].Stdout = &outs[i]
		if err := cmds[i].Start(); err != nil {
			t.Fatal(err)
		}
	}
	won := map[string]int{}
	for i := range cmds {
		if err := cmds[i].Wait(); err != nil {
			t.Errorf("%v\n%s", err, outs[i].String())
		}
		n := 0
		for line := range strings.Lines(outs[i].String()) {
			if key, ok := strings.CutPrefix(strings.TrimSpace(line), "put "); ok {
				won[key]++
				n++
			}
		}
		t.Logf("process %d won %d", i, n)
	}
	if got := wantWhole(t, dir); len(got) != keys || len(won) != keys {
		t.Errorf("%d objects, %d were won, want %d", len(got), len(won), keys)
	}
	for key, n := range won {
		if n != 1 {
			t.Errorf("%s was won %d times", key, n)
		}
	}
}
