package awsstore_test

import (
	"net/url"
	"testing"
	"time"
)

// TestPresignedURL: the URL says what the browser is to make of the file, and
// carries a signature over that.
func TestPresignedURL(t *testing.T) {
	raw, err := (&script{replies: []reply{versions("", "media/a b v1")}}).objects().PresignGet(t.Context(), "media/a b", "报价.pdf", 90*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	if u.Path != "/bucket/media/a b" {
		t.Errorf("path %q", u.Path)
	}
	for name, want := range map[string]string{
		"response-content-type":        "application/octet-stream",
		"response-content-disposition": "attachment; filename*=utf-8''%E6%8A%A5%E4%BB%B7.pdf",
		"X-Amz-Expires":                "90",
		"versionId":                    "v1",
	} {
		if got := u.Query().Get(name); got != want {
			t.Errorf("%s = %q, want %q", name, got, want)
		}
	}
}
