package awsstore_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"golang.org/x/sync/errgroup"

	"wecom-archive/shared/store"
)

const leastPart = 5 << 20 // bytes; S3 takes no smaller one but the last

// TestOnePart: small objects in parts keep the promises of the port, as those of
// one put do.
func TestOnePart(t *testing.T) {
	objects := newBucket(t, 30).WithParts(1, leastPart)
	for _, body := range []string{"first", "second"} {
		if err := objects.PutIfAbsent(t.Context(), "a", strings.NewReader(body)); errors.Is(err, store.ErrExists) != (body == "second") || body == "first" && err != nil {
			t.Errorf("putting %s: %v", body, err)
		}
	}
	if body, err := store.ReadObject(t.Context(), objects, "a"); err != nil || string(body) != "first" {
		t.Errorf("%q, %v", body, err)
	}
	if part, err := objects.GetRange(t.Context(), "a", 1, 3); err != nil || string(part) != "irs" {
		t.Errorf("%q, %v", part, err)
	}
}

// TestManyParts: an object in several parts is the same as one in one, one of many
// that race wins, and nothing of the others is left.
func TestManyParts(t *testing.T) {
	name := bucketName(t, 30)
	objects := openBucket(name).WithParts(leastPart, leastPart)
	bodies := make([][]byte, 4)
	var won [4]bool
	var group errgroup.Group
	for i := range bodies {
		bodies[i] = make([]byte, 2*leastPart+100+i)
		_, _ = rand.NewChaCha8([32]byte{byte(i)}).Read(bodies[i]) // never fails
		group.Go(func() error {
			err := objects.PutIfAbsent(t.Context(), "media/2026-11/a", bytes.NewReader(bodies[i]))
			won[i] = err == nil
			if errors.Is(err, store.ErrExists) {
				err = nil
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	winner := strings.Index(fmt.Sprint(won), "true")
	stored, err := store.ReadObject(t.Context(), objects, "media/2026-11/a")
	if err != nil || winner < 0 || strings.Count(fmt.Sprint(won), "true") != 1 {
		t.Fatalf("%v, %v", won, err)
	}
	for i := range won {
		if won[i] && !bytes.Equal(stored, bodies[i]) {
			t.Errorf("what won is not what is stored: %d bytes", len(stored))
		}
	}
	left, err := server.Client().ListMultipartUploads(t.Context(), &s3.ListMultipartUploadsInput{Bucket: aws.String(name)})
	if err != nil || len(left.Uploads) != 0 {
		t.Errorf("%d uploads are left, %v", len(left.Uploads), err)
	}
}

// TestPartsNeedPlaces: a body that can only be read in order is refused, not stored
// in part.
func TestPartsNeedPlaces(t *testing.T) {
	objects := newBucket(t, 30).WithParts(1, leastPart)
	body := struct{ io.ReadSeeker }{strings.NewReader("abc")}
	if err := objects.PutIfAbsent(t.Context(), "a", body); err == nil {
		t.Error("it was stored")
	}
	if _, err := objects.Head(t.Context(), "a"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("something is stored: %v", err)
	}
}
