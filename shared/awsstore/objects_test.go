package awsstore_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	locals3 "wecom-archive/infra/aws/s3"
	"wecom-archive/shared/awsstore"
	"wecom-archive/shared/store"
	"wecom-archive/shared/store/storetest"
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
	return openBucket(bucketName(t, lockDays))
}

func openBucket(name string) *awsstore.Objects {
	return awsstore.NewObjects(server.Client(), server.Presigner(), name)
}

// bucketName is the name of a new bucket.
func bucketName(t testing.TB, lockDays int32) string {
	t.Helper()
	name := fmt.Sprintf("bucket-%d", buckets.Add(1))
	if err := server.CreateBucket(t.Context(), name, lockDays); err != nil {
		t.Fatal(err)
	}
	return name
}

// versioned is a new bucket, with an intruder who has all rights in it.
func versioned(t *testing.T) storetest.VersionedBucket {
	name, client := bucketName(t, 30), server.Client()
	objects := openBucket(name)
	return storetest.VersionedBucket{
		Objects: objects, Versions: objects,
		Reopen: func() store.Objects { return openBucket(name) },
		DeleteMarker: func(ctx context.Context, key string) (string, error) {
			out, err := client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &name, Key: &key})
			if err != nil {
				return "", err
			}
			return aws.ToString(out.VersionId), nil
		},
		Overwrite: func(ctx context.Context, key string, body []byte) (string, error) {
			out, err := client.PutObject(ctx, &s3.PutObjectInput{
				Bucket: &name, Key: &key, Body: bytes.NewReader(body), ChecksumAlgorithm: types.ChecksumAlgorithmSha256,
			})
			if err != nil {
				return "", err
			}
			return aws.ToString(out.VersionId), nil
		},
	}
}

func TestDerived(t *testing.T) {
	storetest.TestDerived(t, func(t *testing.T) store.Derived {
		return awsstore.NewDerived(server.Client(), bucketName(t, 0))
	})
}

func TestVersions(t *testing.T) { storetest.TestVersions(t, versioned) }

func TestObjects(t *testing.T) {
	storetest.TestObjects(t, func(t *testing.T) store.Objects { return newBucket(t, 30) })
	storetest.TestLock(t,
		func(t *testing.T) store.Lock { return newBucket(t, 1) },
		func(t *testing.T) store.Lock { return newBucket(t, 0) })
}
