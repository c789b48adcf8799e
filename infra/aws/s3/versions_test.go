package locals3_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// TestVersionPages lists the same bucket in pages of every size: in S3's order,
// nothing twice, nothing left out, and said to be cut only where it is.
func TestVersionPages(t *testing.T) {
	server := startServer(t, t.TempDir(), false)
	createBucket(t, server, "objects", 0)
	client, bucket := server.Client(), aws.String("objects")
	// "a/b" comes after "a-b", although a directory "a" comes before a file "a-b".
	keys := []string{"a!/x", "a-b", "a/b", "a/b-c", "a/bc/d", "a0", "b"}
	var want []string
	for _, key := range keys {
		var ids []string
		for i := range 3 {
			out, err := client.PutObject(t.Context(), &s3.PutObjectInput{Bucket: bucket, Key: &key, Body: strings.NewReader(fmt.Sprint(i))})
			if err != nil {
				t.Fatal(err)
			}
			ids = append(ids, key+" "+*out.VersionId)
		}
		slices.Reverse(ids) // the newest first
		want = append(want, ids...)
	}
	list := func(limit int32, prefix, after string) (got []string, pages int) {
		paginator := s3.NewListObjectVersionsPaginator(client, &s3.ListObjectVersionsInput{
			Bucket: bucket, Prefix: &prefix, KeyMarker: &after, MaxKeys: &limit,
		})
		for paginator.HasMorePages() {
			page, err := paginator.NextPage(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			pages++
			for _, v := range page.Versions {
				got = append(got, *v.Key+" "+*v.VersionId)
			}
		}
		return got, pages
	}
	for limit := range int32(len(want) + 2) {
		if limit == 0 {
			continue
		}
		got, pages := list(limit, "", "")
		if !slices.Equal(got, want) {
			t.Errorf("in pages of %d: %q,\nwant %q", limit, got, want)
		}
		if wantPages := (len(want) + int(limit) - 1) / int(limit); pages != wantPages {
			t.Errorf("%d pages of %d, want %d", pages, limit, wantPages)
		}
		if got, _ := list(limit, "a/b", "a/b"); !slices.Equal(got, want[9:15]) {
			t.Errorf("after a/b in pages of %d: %q", limit, got)
		}
		if got, _ := list(limit, "", "a-zzz"); !slices.Equal(got, want[6:]) {
			t.Errorf("after a-zzz in pages of %d: %q", limit, got)
		}
	}
	if _, err := client.ListObjectVersions(t.Context(), &s3.ListObjectVersionsInput{Bucket: bucket, Delimiter: aws.String("/")}); err == nil {
		t.Error("a delimiter is not refused")
	}
}
