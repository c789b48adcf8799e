package archive_test

import (
	"mime"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"wecom-archive/shared/archive"
)

// FuzzAttachment: whatever a stranger calls a file, the header stays one header
// and the name stays a name.
func FuzzAttachment(f *testing.F) {
	for _, name := range []string{"", "a.pdf", "报价 (最终).xlsx", "a\r\nX: y", `"; filename=evil`, "\xff\xfe", "../x", strings.Repeat("长", 500) + ".pdf", strings.Repeat("a", 300), "." + strings.Repeat("b", 300), "\u202Egpj.exe"} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		header := archive.Attachment(name)
		if strings.ContainsFunc(header, func(r rune) bool { return r < ' ' || r > '~' }) {
			t.Fatalf("header %q", header)
		}
		kind, params, err := mime.ParseMediaType(header)
		got := params["filename"]
		if err != nil || kind != "attachment" || len(params) != 1 || got == "" || len(got) > 200 || !utf8.ValidString(got) {
			t.Fatalf("header %q is %q, %q, %v", header, kind, params, err)
		}
		if strings.ContainsAny(got, `/\`) || strings.ContainsFunc(got, func(r rune) bool {
			return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r)
		}) {
			t.Fatalf("name %q", got)
		}
	})
}
