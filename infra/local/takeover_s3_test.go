package local_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	locals3 "wecom-archive/infra/aws/s3"
	"wecom-archive/shared/awsstore"
	"wecom-archive/shared/localstore"
	"wecom-archive/shared/store"
)

// writeOld writes a folder as earlier versions did: with three objects as they were
// put, one with versions and a marker laid over it, and one that was deleted.
func writeOld(t *testing.T, dir string) {
	t.Helper()
	ctx, bucket := t.Context(), "objects"
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	defer t.Chdir(here) // the embedded S3 changes it
	server, err := locals3.Start(ctx, locals3.Config{Root: dir, NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	err = errors.Join(server.CreateBucket(ctx, bucket, 1), server.CreateBucket(ctx, "derived", 0))
	objects, derived := awsstore.NewObjects(server.Client(), server.Presigner(), bucket), awsstore.NewDerived(server.Client(), "derived")
	for _, key := range []string{"a/plain", "a/laid", "a/deleted", "b-c", "b/c"} {
		err = errors.Join(err, objects.PutIfAbsent(ctx, key, strings.NewReader("truth of "+key)))
	}
	laid, deleted := "a/laid", "a/deleted"
	for _, body := range []string{"a lie", "", "a longer lie than that"} {
		if body == "" {
			_, e := server.Client().DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &bucket, Key: &laid})
			err = errors.Join(err, e)
			continue
		}
		_, e := server.Client().PutObject(ctx, &s3.PutObjectInput{Bucket: &bucket, Key: &laid, Body: strings.NewReader(body)})
		err = errors.Join(err, e)
	}
	_, e := server.Client().DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &bucket, Key: &deleted})
	err = errors.Join(err, e, derived.Put(ctx, "d", strings.NewReader("first")), derived.Put(ctx, "d", strings.NewReader("derived")), server.Close())
	if err != nil {
		t.Fatal(err)
	}
}

// endsAfter is a context that ends when it was asked so many times.
type endsAfter struct {
	context.Context
	left *atomic.Int64
}

func (e endsAfter) Err() error {
	if e.left.Add(-1) < 0 {
		return context.Canceled
	}
	return nil
}

// TestTakeOverVersions: with attributes in files and in the file system, and broken
// off at any time, the earliest version of each key is the object.
func TestTakeOverVersions(t *testing.T) {
	for _, sidecar := range []bool{false, true} {
		for stops := range 8 {
			t.Run(fmt.Sprintf("sidecar %v, %d", sidecar, stops), func(t *testing.T) {
				dir := t.TempDir()
				if sidecar {
					if err := os.MkdirAll(filepath.Join(dir, ".s3", "sidecar"), 0o700); err != nil {
						t.Fatal(err)
					}
				}
				writeOld(t, dir)
				if _, err := os.Stat(filepath.Join(dir, ".s3", "sidecar")); (err == nil) != sidecar {
					t.Skip("the file system has no extended attributes")
				}
				if stops > 0 {
					var left atomic.Int64
					left.Store(int64(stops * 3))
					if _, err := localstore.TakeOver(endsAfter{t.Context(), &left}, dir); err != nil && !errors.Is(localstore.CheckFolder(dir), localstore.ErrOldFolder) {
						t.Fatalf("broken off (%v) it is taken for whole", err)
					}
				}
				if err := localstore.CheckFolder(dir); err != nil {
					if taken, err := localstore.TakeOver(t.Context(), dir); err != nil || taken.Objects != 6 || taken.Laid != 4 {
						t.Fatalf("%+v, %v", taken, err)
					}
				}
				wantTakenOver(t, dir)
			})
		}
	}
}

func wantTakenOver(t *testing.T, dir string) {
	t.Helper()
	folder, err := localstore.OpenFolder(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer folder.Close()
	keys := []string{"a/deleted", "a/laid", "a/plain", "b-c", "b/c"}
	for _, key := range keys {
		if body, err := store.ReadObject(t.Context(), folder.Objects(), key); err != nil || string(body) != "truth of "+key {
			t.Errorf("%s: %q, %v", key, body, err)
		}
	}
	if body, err := store.ReadObject(t.Context(), folder.Derived(), "d"); err != nil || string(body) != "derived" {
		t.Errorf("derived: %q, %v", body, err)
	}
	found := map[string][]string{}
	for v, err := range folder.Objects().ListVersions(t.Context(), "", "") {
		if err != nil {
			t.Fatal(err)
		}
		found[v.Key] = append(found[v.Key], fmt.Sprintf("%v %v %d", v.Earliest, v.DeleteMarker, v.Size))
	}
	for key, versions := range found {
		slices.Sort(versions)
		want := []string{fmt.Sprintf("true false %d", len("truth of "+key))}
		switch key {
		case "a/deleted":
			want = append([]string{"false true 0"}, want...)
		case "a/laid":
			want = append([]string{"false false 22", "false false 5", "false true 0"}, want...)
		}
		if !slices.Equal(versions, want) {
			t.Errorf("%s: %q, want %q", key, versions, want)
		}
	}
	if got := slices.Sorted(maps.Keys(found)); !slices.Equal(got, keys) {
		t.Errorf("keys %q", got)
	}
}
