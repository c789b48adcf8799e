package browser

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// TestStranger: who is not signed in sees nothing of the archive.
func TestStranger(t *testing.T) {
	a := startArchive(t, 200)
	b := openTab(t, 1440, 900)
	if status := b.open(t, a.base+"/v1/conversations"); status != http.StatusUnauthorized {
		t.Errorf("status %d", status)
	}
	b.takeFaults() // the browser complains of the status, too
	for _, path := range []string{"/", "/c", "/access", "/setup", "/m/1", "/record/1"} {
		b.open(t, a.base+path)
		if at := b.address(t); !strings.Contains(at, "/idp/authorize") {
			t.Errorf("%s leads a stranger to %s", path, at)
		}
	}
}

// signIn goes through the provider as this account, to a page.
func (b *tab) signIn(t *testing.T, a *archive, account, path string) {
	t.Helper()
	b.open(t, a.base+path)
	b.do(t, chromedp.Click(chromedp.CSS(fmt.Sprintf("button[value=%s]", account))))
	b.until(t, `!location.pathname.startsWith("/idp/") && document.readyState === "complete"`)
}

// until waits until an expression is true in the page.
func (b *tab) until(t *testing.T, expression string) {
	t.Helper()
	for deadline := time.Now().Add(stepTime); ; time.Sleep(20 * time.Millisecond) {
		if get(t, b, chromedp.Evaluate[bool](expression)) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s never: %s on %s", expression, b.text(t, "body"), b.address(t))
		}
	}
}

// count is how many elements match.
func (b *tab) count(t *testing.T, selector string) int {
	t.Helper()
	return get(t, b, chromedp.Evaluate[int](fmt.Sprintf("document.querySelectorAll(%q).length", selector)))
}

// widths of the pictures and checks: a phone and a desk.
var widths = []int{360, 1440}

// TestPages walks through the pages as each role, on a large screen too, in light and
// dark.
func TestPages(t *testing.T) {
	a := startArchive(t, 3000)
	for _, width := range append([]int{1920}, widths...) {
		for _, dark := range []bool{false, true} {
			name := fmt.Sprintf("%d-%s", width, map[bool]string{false: "light", true: "dark"}[dark])
			t.Run(name, func(t *testing.T) {
				b := openTab(t, width, 900)
				b.dark(t, dark)
				look := func(page string) {
					t.Helper()
					b.fits(t)
					b.axe(t)
					b.screenshot(t, page+"-"+name)
				}
				b.open(t, a.base+"/")
				look("signin")
				b.signIn(t, a, "auditor", "/")
				b.until(t, `document.querySelector(".state") !== null`)
				look("overview")
				for deadline := time.Now().Add(stepTime); b.count(t, ".types li") < 10; b.open(t, a.base+"/") { // the archive is filling
					if time.Now().After(deadline) {
						t.Fatalf("the overview counts %d types", b.count(t, ".types li"))
					}
				}
				get(t, b, chromedp.Evaluate[bool](`document.querySelector(".types").scrollIntoView({block: "center"}), true`))
				look("types")
				b.speak(t, "zh")
				for deadline := time.Now().Add(stepTime); ; { // the archive is filling
					if b.open(t, a.base+"/c?kind=employee"); b.count(t, ".people .list a") > 0 {
						break
					}
					if time.Now().After(deadline) {
						t.Fatal("nobody is listed")
					}
				}
				look("people")
				b.follow(t, ".people .list a")
				look("talks")
				b.follow(t, ".talks .list a")
				if b.count(t, ".m") == 0 {
					t.Fatal("no messages")
				}
				look("transcript")
				transcript := b.address(t)
				b.open(t, a.base+"/search?q=%E7%9A%84") // 的
				if b.count(t, "mark") == 0 {
					t.Errorf("nothing is marked: %s", b.text(t, "main"))
				}
				look("search")
				b.open(t, transcript)
				record := get(t, b, chromedp.Evaluate[string](`document.querySelector(".m a[href^='/record/']").href`))
				b.open(t, record)
				look("record")
				b.open(t, a.base+"/access")
				if b.count(t, "tbody tr") == 0 {
					t.Error("no look is recorded")
				}
				look("access")
				b.speak(t, "en")
				if h := b.text(t, "h1"); h != "Access record" {
					t.Errorf("in English: %q", h)
				}
				look("access-en")
			})
		}
	}
}

// speak chooses a language.
func (b *tab) speak(t *testing.T, lang string) {
	t.Helper()
	if b.count(t, fmt.Sprintf("button[name=lang][value=%s]", lang)) > 0 {
		b.follow(t, "button[name=lang]")
	}
}

// follow clicks the first that matches and waits for the page that follows.
func (b *tab) follow(t *testing.T, selector string) {
	t.Helper()
	get(t, b, chromedp.Evaluate[bool](`window.left = false, true`))
	b.do(t, chromedp.Evaluate[chromedp.Void](fmt.Sprintf("void document.querySelector(%q).click()", selector)))
	b.until(t, `window.left === undefined && document.readyState === "complete"`)
}

// TestRoles: each role sees its pages and no others.
func TestRoles(t *testing.T) {
	a := startArchive(t, 200)
	all := []string{"/", "/c", "/record/1", "/access", "/setup"}
	allowed := map[string]string{"reader": "/ /c /record/1", "auditor": "/ /c /record/1 /access", "operator": "/ /setup"}
	for role, pages := range allowed {
		b := openTab(t, 1440, 900)
		b.signIn(t, a, role, "/")
		for _, path := range all {
			status := b.open(t, a.base+path)
			ok := false
			for _, page := range strings.Fields(pages) {
				ok = ok || page == path
			}
			if refused := status == http.StatusForbidden; refused == ok {
				t.Errorf("%s on %s: %d", role, path, status)
			}
			b.axe(t)
			b.takeFaults() // the browser complains of refusals, too
		}
		if role == "operator" {
			b.open(t, a.base+"/setup")
			b.screenshot(t, "setup")
		}
		b.follow(t, "form[action='/signout'] button")
		// By way of the provider, which forgets them too.
		b.until(t, `location.pathname === "/signed-out" && document.readyState === "complete"`)
		if b.open(t, a.base+"/"); !strings.Contains(b.address(t), "/idp/authorize") {
			t.Errorf("%s signed out and still sees %s", role, b.address(t))
		}
	}
}
