package locals3_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"wecom-archive/shared/awsstore"
	"wecom-archive/shared/store"
	"wecom-archive/shared/store/storetest"
)

// TestSidecar: where there are no extended attributes. An empty sidecar directory
// says that this was found at the first start.
func TestSidecar(t *testing.T) {
	root := t.TempDir()
	if err := os.MkdirAll(filepath.Join(root, ".s3", "sidecar"), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Run("first", func(t *testing.T) {
		server := startServer(t, root, true)
		createBucket(t, server, "objects", 30)
		if err := putOnce(t.Context(), server, "objects", "a", []byte("body")); err != nil {
			t.Fatal(err)
		}
	})
	server := startServer(t, root, false)
	createBucket(t, server, "objects", 30)
	if got, err := get(t, server, "objects", "a"); err != nil || string(got) != "body" {
		t.Errorf("after a restart: %q, %v", got, err)
	}
	if got := files(t, filepath.Join(root, "objects")); !slices.Equal(got, []string{"a"}) {
		t.Errorf("files %q", got)
	}
	if len(files(t, filepath.Join(root, ".s3", "sidecar"))) == 0 {
		t.Error("no metadata in the sidecar")
	}
	buckets := 0
	newBucket := func(t *testing.T) string {
		buckets++
		name := fmt.Sprint("bucket-", buckets)
		createBucket(t, server, name, 30)
		return name
	}
	storetest.TestObjects(t, func(t *testing.T) store.Objects {
		return awsstore.NewObjects(server.Client(), server.Presigner(), newBucket(t))
	})
	// The rest of its contract asks nothing else of the sidecar.
	derived := awsstore.NewDerived(server.Client(), newBucket(t))
	for _, body := range []string{"first", "anew"} {
		if err := errors.Join(derived.Delete(t.Context(), "a"), derived.Put(t.Context(), "a", strings.NewReader(body))); err != nil {
			t.Fatal(err)
		}
		if got, err := store.ReadObject(t.Context(), derived, "a"); err != nil || string(got) != body {
			t.Errorf("put after a deletion: %q, %v", got, err)
		}
	}
	storetest.TestVersions(t, func(t *testing.T) storetest.VersionedBucket {
		name, client := newBucket(t), server.Client()
		objects := awsstore.NewObjects(client, server.Presigner(), name)
		return storetest.VersionedBucket{
			Objects: objects, Versions: objects,
			Reopen: func() store.Objects { return awsstore.NewObjects(client, server.Presigner(), name) },
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
	})
}
