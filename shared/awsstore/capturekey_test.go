package awsstore_test

import (
	"net/http"
	"strings"
	"testing"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/awsstore"
)

// TestCaptureKey: what the puller writes goes under the capture key, by name; the
// rest under the bucket's default, without a word. Lock headers are never sent.
func TestCaptureKey(t *testing.T) {
	const arn = "arn:aws-cn:kms:cn-north-1:123456789012:key/capture"
	for key, want := range map[string]string{
		"pages/1": arn, "rejects/1": arn, "media/2026-11/1": arn, "links/1": arn, "events/1": arn, "keys/1": arn, "directory/1": arn,
		"messages/1": "", "access/1": "", "directories/1": "", "pagesque/1": "",
	} {
		s := &script{replies: []reply{{method: http.MethodPut, status: 200, made: "v1"}, versions("", key+" v1")}}
		if err := s.objects().WithKey(arn, archive.CapturePrefixes()...).PutIfAbsent(t.Context(), key, strings.NewReader("x")); err != nil {
			t.Fatalf("%s: %v", key, err)
		}
		header := s.requests[0].Header
		if got := header.Get("X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id"); got != want || (header.Get("X-Amz-Server-Side-Encryption") == "aws:kms") != (want != "") {
			t.Errorf("%s: key %q, want %q", key, got, want)
		}
		if header.Get("X-Amz-Object-Lock-Mode") != "" {
			t.Errorf("%s: a lock header", key)
		}
	}
}

// TestJobListKey: of what is derived, only job lists go under the capture key.
func TestJobListKey(t *testing.T) {
	const arn = "arn:aws-cn:kms:cn-north-1:123456789012:key/capture"
	for key, want := range map[string]string{"fetch/dt=2026-11-23/1.json": arn, "compactions/1": "", "fetching/1": ""} {
		s := &script{replies: []reply{{method: http.MethodPut, status: 200, made: "v1"}}}
		if err := awsstore.NewDerived(s.client(), "derived").WithKey(arn, archive.FetchPrefix).Put(t.Context(), key, strings.NewReader("x")); err != nil {
			t.Fatalf("%s: %v", key, err)
		}
		if got := s.requests[0].Header.Get("X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id"); got != want {
			t.Errorf("%s: key %q, want %q", key, got, want)
		}
	}
}
