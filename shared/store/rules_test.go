package store_test

import (
	"mime"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"wecom-archive/shared/store"
)

// FuzzAttachment: whatever a stranger calls a file, the header stays one header
// and the name stays a name.
func FuzzAttachment(f *testing.F) {
	for _, name := range []string{"", "a.pdf", "报价 (最终).xlsx", "a\r\nX: y", `"; filename=evil`, "\xff\xfe", "../x", strings.Repeat("长", 500) + ".pdf", strings.Repeat("a", 300), "." + strings.Repeat("b", 300), "\u202Egpj.exe", "CON", "com1.txt", "a.exe. .", strings.Repeat("a", 190) + "....txt....."} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		header := store.Attachment(name)
		if strings.ContainsFunc(header, func(r rune) bool { return r < ' ' || r > '~' }) {
			t.Fatalf("header %q", header)
		}
		kind, params, err := mime.ParseMediaType(header)
		got := params["filename"]
		if err != nil || kind != "attachment" || len(params) != 1 || got == "" || len(got) > 200 || !utf8.ValidString(got) {
			t.Fatalf("header %q is %q, %q, %v", header, kind, params, err)
		}
		if strings.ContainsAny(got, `/\<>:"|?*`) || strings.HasSuffix(got, ".") || strings.TrimSpace(got) != got || strings.ContainsFunc(got, func(r rune) bool {
			return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) && r != 0x200D || r == 0x2028 || r == 0x2029
		}) {
			t.Fatalf("name %q", got)
		}
	})
}

func TestAttachment(t *testing.T) {
	for claimed, want := range map[string]string{
		"报价 (最终).xlsx":            "报价 (最终).xlsx",
		"合同.v2.pdf":               "合同.v2.pdf",
		"":                        "download",
		"..":                      "download",
		" . ":                     "download",
		"../../etc/passwd":        ".._.._etc_passwd",
		`C:\x\y.exe`:              "C__x_y.exe",
		"a.txt:hidden.exe":        "a.txt_hidden.exe",
		"a\r\nX: y":               "a__X_ y",
		"invoice\u202Efdp.exe":    "invoice_fdp.exe",
		"a\u200B\uFEFF\u2066.pdf": "a___.pdf",
		"a\u2028b":                "a_b",
		"👩\u200D💻.png":            "👩\u200D💻.png",
		"CON":                     "_CON",
		"nul.txt":                 "_nul.txt",
		"Aux .c":                  "_Aux .c",
		"com1.tar.gz":             "_com1.tar.gz",
		"lpt².x":                  "_lpt².x",
		"COM10.txt":               "COM10.txt",
		"console.log":             "console.log",
		"setup.exe. . ":           "setup.exe",
		".bashrc":                 ".bashrc",
		`"; filename="evil.html`:  "_; filename=_evil.html",
	} {
		_, params, err := mime.ParseMediaType(store.Attachment(claimed))
		if err != nil || params["filename"] != want {
			t.Errorf("%q is saved as %q (%v), want %q", claimed, params["filename"], err, want)
		}
	}
	_, params, _ := mime.ParseMediaType(store.Attachment(strings.Repeat("长", 300) + ".pdf"))
	if got := params["filename"]; len(got) > 200 || !strings.HasSuffix(got, "长.pdf") {
		t.Errorf("300 characters are saved as %q", got)
	}
}
