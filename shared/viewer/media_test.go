package viewer_test

import (
	"bytes"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"
	"testing"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/mediatype"
)

type filesAnswer struct {
	Files []struct {
		Path, Kind, Name, State, Reason, Type, Key, URL string
		Size, ClaimedSize                               *int64
		MD5Verdict                                      string `json:"md5_verdict"`
		SizeVerdict                                     string `json:"size_verdict"`
		Inline                                          string `json:"inline_type"`
		Code                                            int
	}
	Waiting bool
}

// withFiles stores a message that refers to files, as the page asked at 10.
func (f *fixture) withFiles(refs ...archive.MediaRef) {
	f.tb.Helper()
	r := row(11, pair, at(0), "look at this")
	r.Media = refs
	f.store(10, r)
	header := archive.PageHeader{SeqAsked: 10, LastSeq: 15, Count: 1, PulledAt: now}
	state := catalog.PageState{Key: archive.PageKey(10), SeqAsked: 10, LastSeq: 15, Count: 1, PulledAt: now, Parts: 1, OK: 1}
	if err := errors.Join(f.catalog.Pages.NotePage(f.tb.Context(), header), f.catalog.Pages.FinishPage(f.tb.Context(), state)); err != nil {
		f.tb.Fatal(err)
	}
}

// fetched stores a file as the media stage does.
func (f *fixture) fetched(idHash string, body []byte) (md5Hex string) {
	f.tb.Helper()
	sum, sum5 := sha256.Sum256(body), md5.Sum(body)
	file := catalog.MediaFile{
		FileIDSHA256: idHash, State: archive.MediaStored, Key: archive.MediaKey(now, hex.EncodeToString(sum[:])), SHA256: hex.EncodeToString(sum[:]),
		MD5: hex.EncodeToString(sum5[:]), Size: int64(len(body)), Type: mediatype.Sniff(body), At: now,
	}
	if err := errors.Join(f.objects.PutIfAbsent(f.tb.Context(), file.Key, bytes.NewReader(body)), f.catalog.Media.PutMediaFile(f.tb.Context(), file)); err != nil {
		f.tb.Fatal(err)
	}
	return file.MD5
}

func ref(path, kind, name, hash string, size int64, md5 string) archive.MediaRef {
	return archive.MediaRef{Path: path, Kind: kind, Name: name, Size: size, MD5: md5, FileIDSHA256: strings.Repeat(hash, 64)}
}

func TestMedia(t *testing.T) {
	f := newFixture(t)
	picture := []byte("\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR....")
	sum := f.fetched(strings.Repeat("a", 64), picture)
	f.withFiles(
		ref("image", "image", "", "a", int64(len(picture)), sum),
		ref("item[0].image", "image", "again.png", "a", 5, strings.Repeat("0", 32)),
		ref("file", "file", "late.pdf", "b", -1, ""), ref("video", "video", "", "c", 10, ""),
	)
	if err := f.catalog.Media.PutMediaFile(t.Context(), catalog.MediaFile{
		FileIDSHA256: strings.Repeat("c", 64), State: archive.MediaLost, Reason: archive.ReasonExpired, Code: 10010, At: now,
	}); err != nil {
		t.Fatal(err)
	}
	a := into[filesAnswer](t, f.get("reader-token", "/v1/messages/11/media"))
	if len(a.Files) != 4 {
		t.Fatalf("%+v", a)
	}
	stored, again, late, lost := a.Files[0], a.Files[1], a.Files[2], a.Files[3]
	if stored.State != "stored" || stored.Type != "image/png" || stored.Inline != "image/png" || *stored.Size != int64(len(picture)) || stored.MD5Verdict != "match" || stored.SizeVerdict != "match" {
		t.Errorf("%+v", stored)
	}
	if again.MD5Verdict != "mismatch" || again.SizeVerdict != "mismatch" || again.Key != stored.Key {
		t.Errorf("%+v", again)
	}
	if late.State != "pending" || late.URL != "" || late.ClaimedSize != nil {
		t.Errorf("%+v", late)
	}
	if lost.State != "lost" || lost.Reason != "expired" || lost.Code != 10010 || lost.URL != "" {
		t.Errorf("%+v", lost)
	}
	resp, body := download(t, stored.URL)
	if resp.StatusCode != http.StatusOK || !bytes.Equal(body, picture) || resp.Header.Get("Content-Type") != "application/octet-stream" {
		t.Errorf("status %d, %s, %q", resp.StatusCode, resp.Header.Get("Content-Type"), body)
	}
	looks := f.looks()
	if len(looks) != 1 || looks[0].What != "media" || looks[0].Conversation != pair || looks[0].Seqs.Count != 1 || looks[0].Who != "the-reader" {
		t.Errorf("looks %+v", looks)
	}
	if strings.Contains(f.log.String(), stored.URL) {
		t.Error("the log holds the link")
	}
}

func download(t *testing.T, url string) (*http.Response, []byte) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, body
}

// TestHostileFiles: whatever a file is and calls itself, the link is a harmless
// attachment, and no page is told to show it.
func TestHostileFiles(t *testing.T) {
	for _, name := range []string{
		"../../etc/passwd", `..\..\windows\system32\x.exe`, "a\r\nSet-Cookie: x=1\r\n\r\n<script>", "invoice\u202efdp.exe", "\x00\x01\x02.png", "CON", "nul.txt",
		strings.Repeat("长", 300) + ".pdf", strings.Repeat("x", 5000), "\xff\xfe.jpg", `"; filename=evil.html`, "<svg onload=alert(1)>.svg", ".", "..", "",
	} {
		for _, body := range []string{"<!DOCTYPE html><script>alert(1)</script>", `<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>`, "<?xml version=\"1.0\"?><?xml-stylesheet href=\"javascript:alert(1)\"?><a/>"} {
			f := newFixture(t)
			f.fetched(strings.Repeat("a", 64), []byte(body))
			f.withFiles(ref("image", "image", name, "a", -1, ""))
			a := into[filesAnswer](t, f.get("reader-token", "/v1/messages/11/media"))
			if len(a.Files) != 1 || a.Files[0].Inline != "" {
				t.Fatalf("%q: %+v", name, a)
			}
			resp, _ := download(t, a.Files[0].URL)
			disposition, params, err := mime.ParseMediaType(resp.Header.Get("Content-Disposition"))
			if err != nil || disposition != "attachment" || resp.Header.Get("Content-Type") != "application/octet-stream" || resp.Header.Get("Set-Cookie") != "" {
				t.Errorf("%q: %v, %v", name, resp.Header, err)
			}
			saved := params["filename"]
			if saved == "" || len(saved) > 300 || strings.ContainsAny(saved, "/\\\r\n\x00\u202e") || saved == "." || saved == ".." {
				t.Errorf("%q is saved as %q", name, saved)
			}
		}
	}
}

func TestMediaIsGuarded(t *testing.T) {
	f := newFixture(t)
	f.fetched(strings.Repeat("a", 64), []byte("GIF89a"))
	f.withFiles(ref("image", "image", "x.gif", "a", -1, ""))
	const path = "/v1/messages/11/media"
	refusal(t, f.get("", path), http.StatusUnauthorized)
	refusal(t, f.get("operator-token", path), http.StatusForbidden)
	refusal(t, f.get("reader-token", "/v1/messages/900/media"), http.StatusNotFound)
	f.access.err = errors.New("the bucket is full")
	if p := f.get("reader-token", path); p.Code != http.StatusServiceUnavailable || strings.Contains(p.Body.String(), "http") && strings.Contains(p.Body.String(), "127.0.0.1") {
		t.Errorf("without a record: %d %s", p.Code, p.Body)
	}
}
