package awsstore_test

import (
	"context"
	"fmt"
	"os"
	"sync/atomic"
	"testing"

	"wecom-archive/infra/local/s3"
	"wecom-archive/shared/archive"
	"wecom-archive/shared/archive/archivetest"
	"wecom-archive/shared/awsstore"
)

// server is the one embedded S3 of this process.
var server *locals3.Server

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	root, err := os.MkdirTemp("", "awsstore-")
	if err == nil {
		defer os.RemoveAll(root)
		server, err = locals3.Start(context.Background(), locals3.Config{Root: root, NoSync: true})
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	code := m.Run()
	if err := server.Close(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

var buckets atomic.Int64

func newBucket(t testing.TB, lockDays int32) *awsstore.Objects {
	t.Helper()
	name := fmt.Sprintf("bucket-%d", buckets.Add(1))
	if err := server.CreateBucket(t.Context(), name, lockDays); err != nil {
		t.Fatal(err)
	}
	return awsstore.NewObjects(server.Client(), server.Presigner(), name)
}

func TestObjects(t *testing.T) {
	archivetest.TestObjects(t, func(t *testing.T) archive.Objects { return newBucket(t, 30) })
	archivetest.TestNotLocked(t, func(t *testing.T) archive.Objects { return newBucket(t, 0) })
}
