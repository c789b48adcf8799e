package wecomtest_test

import (
	"archive/zip"
	"bytes"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"image"
	_ "image/gif"
	_ "image/jpeg"
	_ "image/png"
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
