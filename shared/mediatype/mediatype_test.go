package mediatype_test

import (
	"strings"
	"testing"

	"wecom-archive/shared/mediatype"
)

func TestSniff(t *testing.T) {
	for head, want := range map[string]struct{ sniffed, safe string }{
		"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR":              {"image/png", "image/png"},
		"\xff\xd8\xff\xe0\x00\x10JFIF":                     {"image/jpeg", "image/jpeg"},
		"GIF89a\x01\x00\x01\x00":                           {"image/gif", "image/gif"},
		"\x00\x00\x00\x18ftypisom\x00\x00\x02\x00isomiso2": {"video/mp4", "video/mp4"},
		"#!AMR\n\x04aaaaaaaaaaaa":                          {"audio/amr", "audio/amr"},
		"#!AMR-WB\n\x04aaaaaaaaaaaa":                       {"audio/amr-wb", "audio/amr-wb"},
		"#!SILK_V3\x17\x00":                                {"audio/silk", "audio/silk"},
		"\x02#!SILK_V3\x17\x00":                            {"audio/silk", "audio/silk"},
		"%PDF-1.4\n":                                       {"application/pdf", mediatype.Binary},
		"<!DOCTYPE html><script>alert(1)</script>":         {"text/html", mediatype.Binary},
		"<svg xmlns=\"http://www.w3.org/2000/svg\">":       {"image/svg+xml", mediatype.Binary},
		"<?xml version=\"1.0\"?><x/>":                      {"text/xml", mediatype.Binary},
		"plain words":                                      {"text/plain", mediatype.Binary},
		"":                                                 {"text/plain", mediatype.Binary},
		"\x00\x01\x02\x03":                                 {mediatype.Binary, mediatype.Binary},
	} {
		got := mediatype.Sniff([]byte(head))
		if base, _, _ := strings.Cut(got, ";"); base != want.sniffed {
			t.Errorf("%q is %s, want %s", head, got, want.sniffed)
		}
		if safe := mediatype.Safe(got); safe != want.safe {
			t.Errorf("%q is served as %s, want %s", head, safe, want.safe)
		}
	}
	for _, claim := range []string{"", "text/html", "TEXT/HTML; charset=x", "image/svg+xml", "image/png\r\nX: y", "nonsense"} {
		if got := mediatype.Safe(claim); got != mediatype.Binary {
			t.Errorf("%q is served as %s", claim, got)
		}
	}
}

// FuzzSafe: whatever the bytes, what is served can hold no script.
func FuzzSafe(f *testing.F) {
	f.Add([]byte("<html>"))
	f.Add([]byte("\x89PNG\r\n\x1a\n<script>"))
	f.Fuzz(func(t *testing.T, head []byte) {
		safe := mediatype.Safe(mediatype.Sniff(head))
		for _, bad := range []string{"html", "xml", "svg", "text", "script", "pdf"} {
			if strings.Contains(safe, bad) {
				t.Errorf("%q is served as %s", head, safe)
			}
		}
	})
}
