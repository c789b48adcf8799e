package storetest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"wecom-archive/shared/store"
)

// testListOrder: byte order of whole keys, which is not the order in which one
// walks a directory tree ("a-b" comes before "a/b").
func testListOrder(t *testing.T, objects store.Objects) {
	keys := []string{
		"a-b", "a/b", "a0", "a/b-c", "a/b/c", "a/b0", "a.b/c", "a!/x", "a/!", "A/b", "~", "z", "é", "会",
		"a/bc/d", "a/b.c", "aa/b", "\U0001F600", "\uFFFD", // UTF-16 would order the last two the other way round
	}
	// "a/b" and "a/b/c": a file system cannot hold both, so no adapter must.
	keys = slices.DeleteFunc(keys, func(k string) bool { return k == "a/b" })
	for _, key := range keys {
		put(t, objects, key, []byte("x"))
	}
	slices.Sort(keys)
	wantKeys(t, objects, "", "", keys)
	for i := range keys {
		wantKeys(t, objects, "", keys[i], keys[i+1:])
	}
}

func testListAfter(t *testing.T, objects store.Objects) {
	all := []string{"pages/0001", "pages/0002", "pages/0003", "pagesx/1", "rejects/0001"}
	for _, key := range all {
		put(t, objects, key, []byte("x"))
	}
	for _, test := range []struct {
		prefix, after string
		want          []string
	}{
		{"", "", all},
		{"pages/", "", all[:3]},
		{"pages", "", all[:4]},
		{"pages/000", "", all[:3]},
		{"pages/0002", "", all[1:2]},
		{"none/", "", nil},
		{"pages/", "pages/0001", all[1:3]},
		{"pages/", "pages/0001a", all[1:3]}, // after need not be there
		{"pages/", "pages/0003", nil},
		{"pages/", "pages/", all[:3]},
		{"pages/", "a", all[:3]}, // before the prefix
		{"pages/", "q", nil},     // past the prefix
		{"", "pages/0003", all[3:]},
	} {
		wantKeys(t, objects, test.prefix, test.after, test.want)
	}
}

// testListMany: S3 lists 1,000 keys a request.
func testListMany(t *testing.T, objects store.Objects) {
	var keys []string
	var g errgroup.Group
	g.SetLimit(16)
	for i := range 1105 {
		key := fmt.Sprintf("pages/%06d", i*7919%100003)
		keys = append(keys, key)
		g.Go(func() error { return objects.PutIfAbsent(t.Context(), key, strings.NewReader("x")) })
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	slices.Sort(keys)
	wantKeys(t, objects, "pages/", "", keys)
	wantKeys(t, objects, "pages/", keys[50], keys[51:])
	wantKeys(t, objects, "", keys[len(keys)-2], keys[len(keys)-1:])
}

func testListStops(t *testing.T, objects store.Objects) {
	for i := range 5 {
		put(t, objects, fmt.Sprintf("a/%d", i), nil)
	}
	seq := objects.List(t.Context(), "a/", "")
	for range 2 { // a sequence can be run again
		var got []string
		for info, err := range seq {
			if err != nil {
				t.Fatal(err)
			}
			if got = append(got, info.Key); len(got) == 2 {
				break
			}
		}
		if !slices.Equal(got, []string{"a/0", "a/1"}) {
			t.Errorf("the first two are %q", got)
		}
	}
}

func testObjectsCancelled(t *testing.T, objects store.Objects) {
	put(t, objects, "a", []byte("x"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	check := func(call string, err error) {
		t.Helper()
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s = %v, want context.Canceled", call, err)
		}
	}
	check("PutIfAbsent", objects.PutIfAbsent(ctx, "b", strings.NewReader("x")))
	_, _, err := objects.Get(ctx, "a")
	check("Get", err)
	_, err = objects.GetRange(ctx, "a", 0, 1)
	check("GetRange", err)
	_, err = objects.Head(ctx, "a")
	check("Head", err)
	_, err = keysOf(ctx, objects, "", "")
	check("List", err)
	wantKeys(t, objects, "", "", []string{"a"})
}

func presign(t *testing.T, objects store.Objects, key, fileName string, ttl time.Duration) string {
	t.Helper()
	url, err := objects.PresignGet(t.Context(), key, fileName, ttl)
	if err != nil {
		t.Fatalf("PresignGet(%q): %v", key, err)
	}
	return url
}

// fetch is what somebody without credentials gets.
func fetch(t *testing.T, method, url, rangeHeader string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if rangeHeader != "" {
		req.Header.Set("Range", rangeHeader)
	}
	req.Close = true // no connection outlives the test and keeps a server from closing
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}

func testPresign(t *testing.T, objects store.Objects) {
	for _, key := range []string{"media/2026-11/abc", "dt=1/a b+c%20/会话&x=1"} {
		put(t, objects, key, []byte("<script>content</script>"))
		url := presign(t, objects, key, "report.pdf", time.Minute)

		resp, body := fetch(t, http.MethodGet, url, "")
		if resp.StatusCode != http.StatusOK || body != "<script>content</script>" {
			t.Errorf("GET of %q: %s, %.200q", key, resp.Status, body)
		}
		if got := resp.Header.Get("Content-Type"); got != "application/octet-stream" {
			t.Errorf("Content-Type = %q, want application/octet-stream", got)
		}
		resp, body = fetch(t, http.MethodGet, url, "bytes=1-6")
		if resp.StatusCode != http.StatusPartialContent || body != "script" {
			t.Errorf("GET of a range of %q: %s, %.200q", key, resp.Status, body)
		}
		for _, method := range []string{http.MethodPut, http.MethodDelete, http.MethodPost} {
			if resp, _ := fetch(t, method, url, ""); resp.StatusCode < 400 {
				t.Errorf("%s of a URL for reading: %s", method, resp.Status)
			}
		}
		wantBody(t, objects, key, []byte("<script>content</script>"))
	}
	if url, err := objects.PresignGet(t.Context(), "", "x", time.Minute); err == nil {
		t.Errorf("PresignGet of no key = %s", url)
	}
	if url, err := objects.PresignGet(t.Context(), "none", "x", time.Minute); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("PresignGet of a key without object = %s, %v; want ErrNotFound", url, err)
	}
}

// testPresignNames: names come from strangers' messages. They must arrive as
// they are if they can, and never break out of the header.
func testPresignNames(t *testing.T, objects store.Objects) {
	put(t, objects, "a", []byte("x"))
	for name, want := range map[string]string{
		"报价单 (最终).xlsx":              "报价单 (最终).xlsx",
		`a "quoted" \ name.txt`:      `a _quoted_ _ name.txt`,
		"semi;colon=1, filename=x.y": "semi;colon=1, filename=x.y",
		"100%25.txt":                 "100%25.txt",
		"😀.gif":                      "😀.gif",
		"a\r\nSet-Cookie: x=1.txt":   "a__Set-Cookie_ x=1.txt", // control characters become _
		"nul\x00tab\tdel\x7f":        "nul_tab_del_",
		"bad\xffutf8":                "bad\uFFFDutf8",
		"👩\u200d💻.png":               "👩\u200d💻.png",
		"../../etc/passwd":           ".._.._etc_passwd", // a name is no path
		`..\..\boot.ini`:             ".._.._boot.ini",
		"":                           "download",
		"  ":                         "download",
		"\u202Egpj.exe":              "_gpj.exe", // must not turn the reading direction
	} {
		resp, _ := fetch(t, http.MethodGet, presign(t, objects, "a", name, time.Minute), "")
		if resp.StatusCode != http.StatusOK {
			t.Errorf("name %q: %s", name, resp.Status)
			continue
		}
		header := resp.Header.Get("Content-Disposition")
		kind, params, err := mime.ParseMediaType(header)
		if err != nil || kind != "attachment" || params["filename"] != want {
			t.Errorf("name %q: Content-Disposition %q has %q, %q, %v; want attachment and %q",
				name, header, kind, params["filename"], err, want)
		}
		if len(resp.Cookies()) > 0 || strings.ContainsFunc(header, func(r rune) bool { return r < ' ' || r > '~' }) {
			t.Errorf("name %q got into the headers: %q", name, header)
		}
	}
	long := strings.Repeat("长", 5000) + ".pdf"
	resp, _ := fetch(t, http.MethodGet, presign(t, objects, "a", long, time.Minute), "")
	_, params, err := mime.ParseMediaType(resp.Header.Get("Content-Disposition"))
	if err != nil || resp.StatusCode != http.StatusOK || !strings.HasSuffix(params["filename"], "长.pdf") {
		t.Errorf("a name of %d bytes: %s, %q, %v", len(long), resp.Status, params["filename"], err)
	}
}

func testPresignExpires(t *testing.T, objects store.Objects) {
	put(t, objects, "a", []byte("x"))
	url := presign(t, objects, "a", "a", time.Second)
	lasting := presign(t, objects, "a", "a", time.Minute)
	deadline := time.Now().Add(10 * time.Second)
	for {
		resp, body := fetch(t, http.MethodGet, url, "")
		if resp.StatusCode == http.StatusForbidden {
			break
		}
		if resp.StatusCode != http.StatusOK || body != "x" {
			t.Fatalf("before it expired: %s, %q", resp.Status, body)
		}
		if time.Now().After(deadline) {
			t.Fatal("a URL for one second still works after ten")
		}
		time.Sleep(50 * time.Millisecond) // between polls
	}
	if resp, _ := fetch(t, http.MethodGet, lasting, ""); resp.StatusCode != http.StatusOK {
		t.Errorf("the URL for a minute: %s", resp.Status)
	}
	for _, ttl := range []time.Duration{0, -time.Second, 8 * 24 * time.Hour} {
		if url, err := objects.PresignGet(t.Context(), "a", "a", ttl); err == nil {
			t.Errorf("PresignGet for %v = %s, want an error", ttl, url)
		}
	}
}
