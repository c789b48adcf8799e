package browser

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// printed is the text of each page that the browser prints.
func (b *tab) printed(t *testing.T) (pages []string) {
	t.Helper()
	doc := call(t, b, page.PrintToPDF, page.PrintToPDFParams{}).Data
	ctx, cancel := context.WithTimeout(b.ctx, stepTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, "pdftotext", "-raw", "-", "-")
	cmd.Stdin = bytes.NewReader(doc)
	text, err := cmd.Output()
	if err != nil {
		t.Fatalf("pdftotext (run `make test-browser`, which installs it): %v", err)
	}
	for page := range strings.SplitSeq(strings.TrimSuffix(string(text), "\f"), "\f") {
		pages = append(pages, strings.Join(strings.Fields(page), ""))
	}
	return pages
}

// TestPrint: each page of a printed transcript or record says who printed it; nothing of
// the navigation is on it, and all messages are.
func TestPrint(t *testing.T) {
	a := startArchive(t, 500)
	b := openTab(t, 1200, 800)
	b.signIn(t, a, "auditor", "/")
	const search = "/search?q=%E7%9A%84" // 的
	for deadline := time.Now().Add(stepTime); ; {
		b.open(t, a.base+search)
		if b.count(t, ".hit") > 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("nothing is archived")
		}
	}
	b.follow(t, ".hit .tools a")
	messages := b.count(t, ".m")
	record := get(t, b, chromedp.Evaluate[string](`document.querySelector(".m a[href^='/record/']").href`))
	transcript, _, _ := strings.Cut(b.address(t), "#")
	for _, address := range []string{transcript, record, a.base + search} {
		b.open(t, address)
		pages := b.printed(t)
		t.Logf("%s: %d pages, %d messages", address, len(pages), messages)
		if len(pages) == 0 {
			t.Fatalf("%s: nothing is printed", address)
		}
		for n, text := range pages {
			if !strings.Contains(text, "Auditor") || !strings.Contains(text, "Asia/Shanghai") {
				t.Errorf("%s: page %d of %d does not say who printed it: %s", address, n+1, len(pages), text)
			}
			for _, never := range []string{"Signout", "Jumpto", "Overview"} {
				if strings.Contains(text, never) {
					t.Errorf("%s: page %d has %s", address, n+1, never)
				}
			}
		}
	}
}

// TestReason: who does not say why sees no content, by keyboard and on a phone too.
func TestReason(t *testing.T) {
	a := startLocal(t, "--messages", "200", "--ask-reason")
	for _, width := range widths {
		b := openTab(t, width, 900)
		b.signIn(t, a, "reader", "/c")
		for _, dark := range []bool{false, true} {
			b.dark(t, dark)
			b.fits(t)
			b.axe(t)
		}
		b.screenshot(t, fmt.Sprintf("reason-%d", width))
		if b.count(t, ".people") != 0 {
			t.Error("content is shown unasked")
		}
		get(t, b, chromedp.Evaluate[bool](`window.left = false, document.querySelector("input[name=reason]").focus(), true`))
		b.do(t, chromedp.KeyEvent("投诉 117"), chromedp.KeyEvent("\r"))
		b.until(t, `window.left === undefined && document.readyState === "complete" && document.querySelector(".people") !== null`)
	}
}
