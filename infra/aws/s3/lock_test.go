package locals3_test

import (
	"io"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"wecom-archive/shared/awsstore"
)

// TestLock: what our adapter stores, without any lock header, is locked by the
// bucket: even the root account cannot delete that version, and a delete marker
// or a later version leaves it readable.
func TestLock(t *testing.T) {
	server := startServer(t, t.TempDir(), false)
	createBucket(t, server, "objects", 1)
	ctx, client, key := t.Context(), server.Client(), "pages/1"
	objects := awsstore.NewObjects(client, server.Presigner(), "objects")
	if err := objects.PutIfAbsent(ctx, key, strings.NewReader("the truth")); err != nil {
		t.Fatal(err)
	}
	head, err := client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: aws.String("objects"), Key: &key})
	if err != nil {
		t.Fatal(err)
	}
	first := head.VersionId

	if _, err := client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: aws.String("objects"), Key: &key, VersionId: first}); err == nil {
		t.Error("the locked version was deleted")
	}
	// The port cannot do these; an intruder with the bucket's rights can.
	if _, err := client.PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String("objects"), Key: &key, Body: strings.NewReader("a lie"), ChecksumAlgorithm: types.ChecksumAlgorithmSha256}); err != nil {
		t.Errorf("putting a later version: %v", err)
	}
	if _, err := client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: aws.String("objects"), Key: &key}); err != nil {
		t.Errorf("laying a delete marker on it: %v", err)
	}
	if _, err := client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: aws.String("objects"), Key: &key, VersionId: first}); err == nil {
		t.Error("the locked version was deleted once others lay on it")
	}
	out, err := client.GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String("objects"), Key: &key, VersionId: first})
	if err != nil {
		t.Fatalf("the first version after all that: %v", err)
	}
	defer out.Body.Close()
	text, err := io.ReadAll(out.Body)
	if err != nil || string(text) != "the truth" {
		t.Errorf("the first version reads %q, %v", text, err)
	}
}
