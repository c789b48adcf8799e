package awsstore_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"wecom-archive/shared/awsstore"
	"wecom-archive/shared/store"
)

// script answers requests with what S3 answers rarely, one reply after another,
// and records them.
type script struct {
	replies  []reply
	requests []*http.Request
	bodies   []string
}

type reply struct {
	method string // of the request that it is for
	status int
	code   string // of an error
	body   string // of a success
	made   string // version id that a put made
	lost   bool   // the server does it, and the connection breaks before the reply
}

func (s *script) Do(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	var body []byte
	if r.Body != nil {
		body, _ = io.ReadAll(r.Body)
	}
	s.requests, s.bodies = append(s.requests, r), append(s.bodies, string(body))
	if len(s.requests) > len(s.replies) {
		return nil, fmt.Errorf("request %d was not expected", len(s.requests))
	}
	next := s.replies[len(s.requests)-1]
	if next.method != r.Method {
		return nil, fmt.Errorf("request %d is a %s, want %s", len(s.requests), r.Method, next.method)
	}
	if next.lost {
		return nil, io.ErrUnexpectedEOF
	}
	text := next.body
	if next.code != "" && r.Method != http.MethodHead {
		text = "<Error><Code>" + next.code + "</Code><Message>m</Message></Error>"
	}
	header := http.Header{"Content-Type": {"application/xml"}}
	if next.made != "" {
		header.Set("X-Amz-Version-Id", next.made)
	}
	return &http.Response{
		StatusCode: next.status, Header: header,
		Body: io.NopCloser(strings.NewReader(text)), ContentLength: int64(len(text)), Request: r,
	}, nil
}

func (s *script) objects() *awsstore.Objects {
	client := s.client()
	return awsstore.NewObjects(client, s3.NewPresignClient(client), "bucket")
}

func (s *script) client() *s3.Client {
	return s3.New(s3.Options{
		BaseEndpoint: aws.String("https://s3.example"), Region: "cn-north-1", UsePathStyle: true, HTTPClient: s,
		Credentials: credentials.NewStaticCredentialsProvider("id", "secret", ""),
		Retryer: retry.NewStandard(func(o *retry.StandardOptions) {
			o.Backoff = retry.BackoffDelayerFunc(func(int, error) (time.Duration, error) { return 0, nil })
		}),
	})
}

func TestPutReplies(t *testing.T) {
	put := func(status int, code string) reply {
		return reply{method: http.MethodPut, status: status, code: code, made: "v1"}
	}
	ours, theirs, none := versions("", "pages/1 v1"), versions("", "pages/1 v0"), versions("")
	forbidden := reply{method: http.MethodGet, status: 403, code: "AccessDenied"}
	conflict := put(409, "ConditionalRequestConflict")
	for _, test := range []struct {
		name    string
		replies []reply
		want    error // nil: none; errAny: some other error
	}{
		{"stored", []reply{put(200, ""), ours}, nil},
		{"taken", []reply{put(412, "PreconditionFailed")}, store.ErrExists},
		{"over a delete marker", []reply{put(200, ""), versions("", "pages/1 v1", "!pages/1 m", "pages/1 v0")}, store.ErrExists},
		{"over a delete marker on nothing", []reply{put(200, ""), versions("", "pages/1 v1", "!pages/1 m")}, nil},
		{"over more than a listing holds", []reply{put(200, ""), versions("pages/1 m", "pages/1 v1", "!pages/1 m"), versions("", "pages/1 v0", "pages/10 w")}, store.ErrExists},
		{"beside a longer key", []reply{put(200, ""), versions("pages/10 w", "pages/1 v1", "pages/10 w")}, nil},
		{"overwritten at once", []reply{put(200, ""), versions("", "pages/1 v2", "pages/1 v1")}, nil},
		{"stored, and no right to look", []reply{put(200, ""), forbidden}, errAny},
		{"a race that the other put won", []reply{conflict, theirs}, store.ErrExists},
		{"a race that the other put lost", []reply{conflict, none, put(200, ""), ours}, nil},
		{"two races", []reply{conflict, none, conflict, theirs}, store.ErrExists},
		{"then taken", []reply{conflict, none, put(412, "PreconditionFailed")}, store.ErrExists},
		{"a conflict, and no right to look", []reply{conflict, forbidden}, errAny},
		{"throttled, then stored", []reply{put(503, "SlowDown"), put(200, ""), ours}, nil},
		{"the reply got lost", []reply{{method: http.MethodPut, lost: true}, put(412, "PreconditionFailed")}, store.ErrExists},
		{"forbidden", []reply{put(403, "AccessDenied")}, errAny},
		{"no bucket", []reply{put(404, "NoSuchBucket")}, errAny},
		{"the body arrived damaged", []reply{put(400, "BadDigest")}, errAny},
		{"endless races", []reply{
			conflict, none, conflict, none, conflict, none,
			conflict, none, conflict, none, conflict, none,
		}, errAny},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { testPutReplies(t, test.replies, test.want) })
		})
	}
}

func testPutReplies(t *testing.T, replies []reply, want error) {
	s := &script{replies: replies}
	err := s.objects().PutIfAbsent(t.Context(), "pages/1", strings.NewReader("body"))
	switch {
	case want == errAny && (err == nil || errors.Is(err, store.ErrExists) || errors.Is(err, store.ErrNotFound)):
		t.Errorf("PutIfAbsent = %v, want another error", err)
	case want != errAny && !errors.Is(err, want):
		t.Errorf("PutIfAbsent = %v, want %v", err, want)
	}
	if len(s.requests) != len(replies) {
		t.Errorf("%d requests, want %d", len(s.requests), len(replies))
	}
	for i, r := range s.requests {
		if r.Method == http.MethodPut {
			wantPut(t, r, s.bodies[i])
		}
	}
}

var errAny = errors.New("any other error")

// bodySHA256 is what `printf body | openssl dgst -sha256 -binary | base64` prints.
const bodySHA256 = "Iw2DWNyOiJC0xY3utikS7i8gNXrpKlzIYbmOaP4xrLU="

// wantPut: every try is whole, conditional, with a checksum and without lock.
func wantPut(t *testing.T, r *http.Request, body string) {
	t.Helper()
	if body != "body" || r.Header.Get("If-None-Match") != "*" || r.Header.Get("X-Amz-Checksum-Sha256") != bodySHA256 {
		t.Errorf("put of %q with If-None-Match %q, checksum %q", body, r.Header.Get("If-None-Match"), r.Header.Get("X-Amz-Checksum-Sha256"))
	}
	for name := range r.Header {
		if strings.HasPrefix(name, "X-Amz-Object-Lock") || strings.HasPrefix(name, "X-Amz-Bypass") {
			t.Errorf("the put has a lock header: %s", name)
		}
	}
}

// TestPutFromHere: the body is what is left of the reader, at every try.
func TestPutFromHere(t *testing.T) {
	body := bytes.NewReader([]byte("headbody"))
	if _, err := body.Seek(4, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	s := &script{replies: []reply{
		{method: http.MethodPut, status: 409, code: "ConditionalRequestConflict"},
		versions(""),
		{method: http.MethodPut, status: 503, code: "SlowDown"},
		{method: http.MethodPut, status: 200, made: "v"},
		versions("", "a v"),
	}}
	if err := s.objects().PutIfAbsent(t.Context(), "a", body); err != nil {
		t.Fatal(err)
	}
	for i, r := range s.requests {
		if r.Method == http.MethodPut {
			wantPut(t, r, s.bodies[i])
		}
	}
}

func TestPutCancelledBetweenTries(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	s := &script{replies: []reply{
		{method: http.MethodPut, status: 409, code: "ConditionalRequestConflict"},
		versions(""),
	}}
	hook := &cancelAfter{script: s, n: 2, cancel: cancel}
	client := s3.New(s3.Options{
		BaseEndpoint: aws.String("https://s3.example"), Region: "x", UsePathStyle: true, HTTPClient: hook,
		Credentials: credentials.NewStaticCredentialsProvider("id", "secret", ""),
	})
	objects := awsstore.NewObjects(client, s3.NewPresignClient(client), "bucket")
	if err := objects.PutIfAbsent(ctx, "a", strings.NewReader("body")); !errors.Is(err, context.Canceled) {
		t.Errorf("PutIfAbsent = %v, want context.Canceled", err)
	}
}

// cancelAfter cancels once n requests were answered.
type cancelAfter struct {
	*script
	n      int
	cancel func()
}

func (c *cancelAfter) Do(r *http.Request) (*http.Response, error) {
	resp, err := c.script.Do(r)
	if len(c.requests) == c.n {
		c.cancel()
	}
	return resp, err
}

func TestCheckLockReplies(t *testing.T) {
	const enabled = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"
	lock := func(enabled, rule string) string {
		return "<ObjectLockConfiguration><ObjectLockEnabled>" + enabled + "</ObjectLockEnabled>" + rule + "</ObjectLockConfiguration>"
	}
	rule := func(retention string) string {
		return "<Rule><DefaultRetention>" + retention + "</DefaultRetention></Rule>"
	}
	ok := func(body string) reply { return reply{method: http.MethodGet, status: 200, body: body} }
	for _, test := range []struct {
		name    string
		replies []reply
		want    error
	}{
		{"days", []reply{ok(enabled), ok(lock("Enabled", rule("<Mode>GOVERNANCE</Mode><Days>1</Days>")))}, nil},
		{"years", []reply{ok(enabled), ok(lock("Enabled", rule("<Mode>COMPLIANCE</Mode><Years>7</Years>")))}, nil},
		{"no versioning", []reply{ok("<VersioningConfiguration/>")}, store.ErrNotLocked},
		{"suspended", []reply{ok("<VersioningConfiguration><Status>Suspended</Status></VersioningConfiguration>")}, store.ErrNotLocked},
		{"no lock", []reply{ok(enabled), {method: http.MethodGet, status: 404, code: "ObjectLockConfigurationNotFoundError"}}, store.ErrNotLocked},
		{"not enabled", []reply{ok(enabled), ok(lock("", rule("<Mode>COMPLIANCE</Mode><Years>7</Years>")))}, store.ErrNotLocked},
		{"no rule", []reply{ok(enabled), ok(lock("Enabled", ""))}, store.ErrNotLocked},
		{"empty rule", []reply{ok(enabled), ok(lock("Enabled", "<Rule/>"))}, store.ErrNotLocked},
		{"no period", []reply{ok(enabled), ok(lock("Enabled", rule("<Mode>COMPLIANCE</Mode>")))}, store.ErrNotLocked},
		{"zero days", []reply{ok(enabled), ok(lock("Enabled", rule("<Mode>COMPLIANCE</Mode><Days>0</Days>")))}, store.ErrNotLocked},
		{"no mode", []reply{ok(enabled), ok(lock("Enabled", rule("<Days>5</Days>")))}, store.ErrNotLocked},
		{"empty reply", []reply{ok(enabled), ok("")}, store.ErrNotLocked},
		{"no bucket", []reply{{method: http.MethodGet, status: 404, code: "NoSuchBucket"}}, errAny},
		{"bucket goes away", []reply{ok(enabled), {method: http.MethodGet, status: 404, code: "NoSuchBucket"}}, errAny},
		{"no right", []reply{ok(enabled), {method: http.MethodGet, status: 403, code: "AccessDenied"}}, errAny},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := &script{replies: test.replies}
			err := s.objects().CheckLock(t.Context())
			switch {
			case test.want == errAny && (err == nil || errors.Is(err, store.ErrNotLocked)):
				t.Errorf("CheckLock = %v, want another error", err)
			case test.want != errAny && !errors.Is(err, test.want):
				t.Errorf("CheckLock = %v, want %v", err, test.want)
			}
		})
	}
}

// TestCompliance: only the mode that nobody can undo counts.
func TestCompliance(t *testing.T) {
	rule := func(mode string) reply {
		return reply{method: http.MethodGet, status: 200, body: "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled>" + mode + "</ObjectLockConfiguration>"}
	}
	for _, test := range []struct {
		name  string
		reply reply
		want  bool
		fails bool
	}{
		{"compliance", rule("<Rule><DefaultRetention><Mode>COMPLIANCE</Mode><Years>6</Years></DefaultRetention></Rule>"), true, false},
		{"governance", rule("<Rule><DefaultRetention><Mode>GOVERNANCE</Mode><Days>1</Days></DefaultRetention></Rule>"), false, false},
		{"no rule", rule(""), false, false},
		{"empty rule", rule("<Rule/>"), false, false},
		{"no lock", reply{method: http.MethodGet, status: 404, code: "ObjectLockConfigurationNotFoundError"}, false, false},
		{"no right", reply{method: http.MethodGet, status: 403, code: "AccessDenied"}, false, true},
	} {
		s := &script{replies: []reply{test.reply}}
		if got, err := s.objects().Compliance(t.Context()); got != test.want || (err != nil) != test.fails {
			t.Errorf("%s: %v, %v", test.name, got, err)
		}
	}
}

// TestLockHolds: the bucket's default retention locks what PutIfAbsent stores.
func TestLockHolds(t *testing.T) {
	bucket := fmt.Sprintf("locked-%d", buckets.Add(1))
	if err := server.CreateBucket(t.Context(), bucket, 30); err != nil {
		t.Fatal(err)
	}
	client := server.Client()
	objects := awsstore.NewObjects(client, server.Presigner(), bucket)
	if err := objects.PutIfAbsent(t.Context(), "pages/1", strings.NewReader("body")); err != nil {
		t.Fatal(err)
	}
	info, err := objects.Head(t.Context(), "pages/1")
	if err != nil {
		t.Fatal(err)
	}
	_, err = client.DeleteObject(t.Context(), &s3.DeleteObjectInput{
		Bucket: &bucket, Key: aws.String("pages/1"), VersionId: &info.Version,
	})
	if err == nil {
		t.Error("a locked version can be deleted")
	}
	// Its checksum is stored: what a damaged file would be found by.
	head, err := client.HeadObject(t.Context(), &s3.HeadObjectInput{
		Bucket: &bucket, Key: aws.String("pages/1"), ChecksumMode: types.ChecksumModeEnabled,
	})
	if err != nil || aws.ToString(head.ChecksumSHA256) != bodySHA256 {
		t.Errorf("stored checksum %q, %v", aws.ToString(head.ChecksumSHA256), err)
	}
}
