package wecomtest_test

import (
	"archive/zip"
	"bytes"
	"crypto/md5"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	_ "image/gif"
	_ "image/jpeg"
	_ "image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"wecom-archive/shared/wecom"
	"wecom-archive/shared/wecom/wecomtest"
)

// fetch gets a whole file, as a wrapper of the library does.
func fetch(t *testing.T, c *wecomtest.Corp, id string) ([]byte, error) {
	t.Helper()
	var file []byte
	for index := ""; ; {
		s, err := c.GetMediaData(t.Context(), id, index)
		if err != nil {
			return nil, err
		}
		if len(s.Data) > wecomtest.MediaSlice {
			t.Fatalf("a slice of %d bytes", len(s.Data))
		}
		file = append(file, s.Data...)
		if s.Last {
			return file, nil
		}
		index = s.Next
	}
}

// TestMediaBytes: every file that a message refers to comes as the message says, is
// what its kind promises, and is the same each time.
func TestMediaBytes(t *testing.T) {
	s := surveyed(t)
	corp := s.corp
	fates := map[wecomtest.Fate]int{}
	forms := map[string]int{}
	for _, p := range s.readings {
		for _, m := range p.Media {
			truth, size, fate, ok := wecomtest.MediaTruth(m.FileID)
			if !ok {
				t.Fatalf("%s: its sdkfileid leads nowhere", m.Path)
			}
			fates[fate]++
			if m.Size >= 0 && m.Size != size {
				t.Errorf("%s: %d bytes, the message says %d", m.Path, size, m.Size)
			}
			if fates[fate] > 2500 && fate == wecomtest.Plain {
				continue
			}
			file, err := fetch(t, corp, m.FileID)
			var refused *wecom.Error
			switch fate {
			case wecomtest.Expired:
				if !errors.As(err, &refused) || refused.Code != 10010 {
					t.Errorf("an expired file: %v", err)
				}
				continue
			case wecomtest.Never, wecomtest.Late:
				tries := 1
				for ; tries < 20 && err != nil; tries++ {
					file, err = fetch(t, corp, m.FileID)
				}
				if fate == wecomtest.Never {
					if !errors.As(err, &refused) || refused.Code != 10002 {
						t.Errorf("a file that never comes: %v", err)
					}
					continue
				}
				if tries != 6 {
					t.Errorf("a late file comes at try %d", tries)
				}
			}
			if err != nil {
				t.Fatalf("%s: %v", m.Path, err)
			}
			md, sha := md5.Sum(file), sha256.Sum256(file)
			if hex.EncodeToString(sha[:]) != truth || m.MD5 != "" && (hex.EncodeToString(md[:]) == m.MD5) == (fate == wecomtest.Lying) {
				t.Errorf("%s: fate %d, SHA-256 %x, want %s; MD5 %x, the message says %s", m.Path, fate, sha, truth, md, m.MD5)
			}
			forms[form(t, file)]++
		}
	}
	for _, want := range []string{"png", "jpeg", "gif", "mp4", "amr", "pdf", "xlsx", "html", "svg"} {
		if forms[want] == 0 {
			t.Errorf("no %s among %v", want, forms)
		}
	}
	for _, fate := range []wecomtest.Fate{wecomtest.Plain, wecomtest.Lying, wecomtest.Late, wecomtest.Never, wecomtest.Expired} {
		if fates[fate] == 0 {
			t.Errorf("no file of fate %d", fate)
		}
	}
}

// form is what a reader of the form takes the file for.
func form(t *testing.T, file []byte) string {
	t.Helper()
	if _, name, err := image.Decode(bytes.NewReader(file)); err == nil {
		return name
	}
	switch {
	case bytes.HasPrefix(file, []byte("#!AMR\n")):
		if (len(file)-6)%13 != 0 || file[6] != 4 || len(file) > 19 && file[19] != 4 {
			t.Errorf("AMR of %d bytes", len(file))
		}
		return "amr"
	case len(file) > 8 && string(file[4:8]) == "ftyp":
		checkBoxes(t, file)
		return "mp4"
	case bytes.HasPrefix(file, []byte("%PDF-")) && bytes.HasSuffix(file, []byte("%%EOF\n")):
		return "pdf"
	case bytes.HasPrefix(file, []byte("PK")):
		if z, err := zip.NewReader(bytes.NewReader(file), int64(len(file))); err != nil || len(z.File) != 4 {
			t.Errorf("a workbook: %v", err)
		}
		return "xlsx"
	case strings.HasPrefix(string(file), "<!DOCTYPE html>"):
		return "html"
	case strings.HasPrefix(string(file), "<svg "):
		return "svg"
	}
	return "binary"
}

// checkBoxes walks over the boxes of an MP4, which fill the file exactly.
func checkBoxes(t *testing.T, file []byte) {
	t.Helper()
	var names []string
	size := uint64(len(file))
	for at := uint64(0); at < size; {
		if size-at < 16 {
			t.Errorf("%d bytes behind the last box", size-at)
			return
		}
		length := uint64(binary.BigEndian.Uint32(file[at:]))
		if length == 1 {
			length = binary.BigEndian.Uint64(file[at+8:])
		}
		names = append(names, string(file[at+4:at+8]))
		if at += length; length < 8 || at > size {
			t.Errorf("boxes %q: the last one has %d bytes", names, length)
			return
		}
	}
	if got := strings.Join(names, " "); got != "ftyp moov mdat free" {
		t.Errorf("boxes %s", got)
	}
}

// TestHostileFiles: testdata/files.jsonl is a corpus whose files have names and bytes
// that a browser must not act on, and voices and films of all kinds. infra/browser
// opens all of them.
func TestHostileFiles(t *testing.T) {
	var lines bytes.Buffer
	seq := 0
	say := func(kind string, fields map[string]any) {
		seq++
		at := 1_767_000_000_000 + int64(seq)*1000
		line, err := json.Marshal(map[string]any{
			"msgid": fmt.Sprintf("12%017d_%d", seq, at), "action": "send", "from": "li.na", "tolist": []string{"zhang.wei"},
			"roomid": "", "msgtime": at, "msgtype": kind, kind: fields,
		})
		if err != nil {
			t.Fatal(err)
		}
		lines.Write(append(line, '\n'))
	}
	number := uint64(0)
	made := func(form wecomtest.Form, size int64) (id, sum string) {
		number++
		return wecomtest.MakeFile(form, size, wecomtest.Plain, number)
	}
	for _, name := range []string{
		"../../etc/passwd.html", `..\..\windows\system32\x.exe`, "a\r\nSet-Cookie: x=1\r\n\r\n<script>alert(1)</script>.html",
		"invoice\u202elmth.exe", "\x00\x01\x02.svg", "CON", "nul.html", "a.txt:evil.html", "page.html. .", `"; filename="evil.html`,
		strings.Repeat("长", 300) + ".html", "<svg onload=alert(1)>.svg", "javascript:alert(1)", ".", "..", "",
	} {
		for _, form := range []wecomtest.Form{wecomtest.FormHTML, wecomtest.FormSVG} {
			id, sum := made(form, 400)
			say("file", map[string]any{"filename": name, "fileext": "html", "filesize": 400, "md5sum": sum, "sdkfileid": id})
		}
	}
	for _, form := range []wecomtest.Form{wecomtest.FormHTML, wecomtest.FormSVG, wecomtest.FormBinary, wecomtest.FormXLSX} {
		id, sum := made(form, 2000)
		say("image", map[string]any{"filesize": 2000, "md5sum": sum, "sdkfileid": id})
		say("emotion", map[string]any{"type": 1, "width": 10, "height": 10, "imagesize": 2000, "md5sum": sum, "sdkfileid": id}) // the same file again
		id, _ = made(form, 2000)
		say("video", map[string]any{"filesize": 2000, "play_length": 2, "md5sum": sum, "sdkfileid": id}) // another file with that MD5
	}
	id, sum := made(wecomtest.FormBinary, 0)
	say("file", map[string]any{"filename": "nothing.bin", "fileext": "bin", "filesize": 0, "md5sum": sum, "sdkfileid": id})
	id, sum = made(wecomtest.FormAMRWideband, 9+18*50)
	say("voice", map[string]any{"voice_size": 9 + 18*50, "play_length": 1, "md5sum": sum, "sdkfileid": id})
	id, sum = made(wecomtest.FormMP4, 8000)
	say("video", map[string]any{"filesize": 8000, "play_length": 2, "md5sum": sum, "sdkfileid": id})

	golden := filepath.Join("testdata", "files.jsonl")
	if *update {
		if err := os.WriteFile(golden, lines.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil || !bytes.Equal(lines.Bytes(), want) {
		t.Errorf("%s differs (%v); if that is meant: go test ./shared/wecom/wecomtest -run HostileFiles -update", golden, err)
	}
}
