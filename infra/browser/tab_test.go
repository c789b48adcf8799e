package browser

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// tab is a window of the browser with cookies of its own, as of another person.
type tab struct {
	ctx context.Context

	mu        sync.Mutex
	faults    []string // what no page may do
	downloads int      // that began, and were denied
}

// stepTime bounds one step in the browser.
const stepTime = 20 * time.Second

// launch starts one browser for the tests of a binary's run.
var launch = sync.OnceValues(func() (context.Context, error) {
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath("chromium"),
		chromedp.NoSandbox, // CI runs as root
		chromedp.Flag("lang", "zh-CN"),
		// Nobody but this machine is asked, not even by mistake.
		chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND , EXCLUDE 127.0.0.1"),
		chromedp.Flag("autoplay-policy", "no-user-gesture-required"),
	)
	ctx, _ := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, _ = chromedp.NewContext(ctx)
	return ctx, chromedp.Do(ctx)
})

// TestMain ends the browser.
func TestMain(m *testing.M) {
	status := m.Run()
	if ctx, err := launch(); err == nil {
		_ = chromedp.Cancel(ctx)
	}
	os.Exit(status)
}

// openTab opens a window of this size, in CSS pixels. When the test ends, whatever a
// page did that no page may do fails it.
func openTab(t *testing.T, width, height int) *tab {
	t.Helper()
	browserCtx, err := launch()
	if err != nil {
		t.Fatalf("starting chromium (run `make test-browser`, which installs it): %v", err)
	}
	ctx, cancel := chromedp.NewContext(browserCtx, chromedp.WithNewBrowserContext())
	b := &tab{ctx: ctx}
	t.Cleanup(func() {
		cancel()
		for _, fault := range b.takeFaults() {
			t.Error(fault)
		}
	})
	// The first step opens the window, and must not be under a deadline.
	if err := errors.Join(chromedp.Do(ctx), chromedp.Listen(ctx, b.watch)); err != nil {
		t.Fatalf("opening a window: %v", err)
	}
	call(t, b, log.Enable, cdp.Empty{})
	call(t, b, network.Enable, network.EnableParams{})
	call(t, b, runtime.Enable, cdp.Empty{})
	call(t, b, page.Enable, page.EnableParams{})
	call(t, b, emulation.SetTimezoneOverride, emulation.SetTimezoneOverrideParams{TimezoneID: "Asia/Shanghai"})
	events := true
	if err := chromedp.ListenBrowser(ctx, b.watchDownloads); err != nil {
		t.Fatal(err)
	}
	callBrowser(t, b, browser.SetDownloadBehavior, browser.SetDownloadBehaviorParams{
		Behavior: browser.SetDownloadBehaviorBehaviorDeny, BrowserContextID: chromedp.FromContext(ctx).BrowserContextID, EventsEnabled: &events,
	})
	b.do(t, chromedp.EmulateViewport(int64(width), int64(height)))
	return b
}

// watch notes scripts that ask (as an injected alert does), faults of scripts, and
// what the browser itself complains of: the content security policy above all.
func (b *tab) watch(event any) {
	switch e := event.(type) {
	case *page.EventJavascriptDialogOpening:
		b.fault("a script opened a dialog: %q on %s", e.Message, e.URL)
		go func() {
			_, _ = chromedp.Call(b.ctx, page.HandleJavaScriptDialog, page.HandleJavaScriptDialogParams{})
		}()
	case *runtime.EventExceptionThrown:
		b.fault("a script failed: %v", e.ExceptionDetails)
	case *log.EventEntryAdded:
		if e.Entry.Source == log.EntrySourceSecurity || e.Entry.Source == log.EntrySourceViolation || e.Entry.Source == log.EntrySourceIntervention {
			b.fault("the browser complains: %s (%s)", e.Entry.Text, e.Entry.URL)
		}
	case *network.EventRequestWillBeSent:
		u, err := url.Parse(e.Request.URL)
		if err != nil || (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() != "127.0.0.1" {
			b.fault("a page asked another machine: %s", e.Request.URL)
		}
	}
}

// watchDownloads counts files that a page had the browser save.
func (b *tab) watchDownloads(event any) {
	if _, ok := event.(*browser.EventDownloadWillBegin); ok {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.downloads++
	}
}

func (b *tab) downloaded() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.downloads
}

func (b *tab) fault(format string, args ...any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.faults = append(b.faults, fmt.Sprintf(format, args...))
}

func (b *tab) takeFaults() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	faults := b.faults
	b.faults = nil
	return faults
}

// do makes steps in the tab.
func (b *tab) do(t *testing.T, steps ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	get(t, b, chromedp.Steps(steps...))
}

// get makes a step that has a result.
func get[T any](t *testing.T, b *tab, step chromedp.Action[T]) T {
	t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, stepTime)
	defer cancel()
	value, err := chromedp.Run(ctx, step)
	if err != nil {
		t.Fatalf("in the browser: %v", err)
	}
	return value
}

// call gives a command of the DevTools protocol.
func call[P, R any](t *testing.T, b *tab, command cdp.Command[P, R], params P) R {
	t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, stepTime)
	defer cancel()
	result, err := chromedp.Call(ctx, command, params)
	if err != nil {
		t.Fatalf("in the browser: %v", err)
	}
	return result
}

// callBrowser gives a command to the browser, not to the page.
func callBrowser[P, R any](t *testing.T, b *tab, command cdp.Command[P, R], params P) {
	t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, stepTime)
	defer cancel()
	if _, err := chromedp.CallBrowser(ctx, command, params); err != nil {
		t.Fatalf("in the browser: %v", err)
	}
}

// open goes to a page and returns its HTTP status.
func (b *tab) open(t *testing.T, address string) int {
	t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, stepTime)
	defer cancel()
	resp, err := chromedp.RunResponse(ctx, chromedp.Navigate(address))
	if err != nil {
		t.Fatalf("opening %s: %v", address, err)
	}
	if resp == nil {
		t.Fatalf("opening %s: no answer", address)
	}
	return int(resp.Status)
}

// text is what a reader sees of the first element that matches.
func (b *tab) text(t *testing.T, selector string) string {
	t.Helper()
	return get(t, b, chromedp.Text(chromedp.CSS(selector)))
}

// dark switches the browser to dark colours, or back.
func (b *tab) dark(t *testing.T, on bool) {
	t.Helper()
	value := "light"
	if on {
		value = "dark"
	}
	call(t, b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: value}},
	})
}

// screenshot keeps a picture of what is visible as name.png in the folder SCREENSHOTS,
// if that is set.
func (b *tab) screenshot(t *testing.T, name string) {
	t.Helper()
	folder := os.Getenv("SCREENSHOTS")
	if folder == "" {
		return
	}
	picture := get(t, b, chromedp.CaptureScreenshot())
	if err := os.WriteFile(filepath.Join(folder, name+".png"), picture, 0o644); err != nil {
		t.Fatal(err)
	}
}

// fits fails if the page is wider than the window: readers would have to scroll
// sideways.
func (b *tab) fits(t *testing.T) {
	t.Helper()
	if b.overflows(t) {
		t.Errorf("%s is wider than the window", b.address(t))
	}
}

func (b *tab) overflows(t *testing.T) bool {
	t.Helper()
	return get(t, b, chromedp.Evaluate[bool](`document.documentElement.scrollWidth > document.documentElement.clientWidth`))
}

func (b *tab) address(t *testing.T) string {
	t.Helper()
	return get(t, b, chromedp.Location())
}

// axe fails with what axe-core finds wrong for people who cannot see, or use no
// mouse.
func (b *tab) axe(t *testing.T) {
	t.Helper()
	for _, fault := range b.axeFaults(t) {
		t.Error(fault)
	}
}

func (b *tab) axeFaults(t *testing.T) (faults []string) {
	t.Helper()
	script, err := os.ReadFile(os.Getenv("WECOM_ARCHIVE_TEST_AXE"))
	if err != nil {
		t.Fatalf("axe-core (run `make test-browser`, which installs it): %v", err)
	}
	type violation struct {
		ID, Help string
		Nodes    []string
	}
	get(t, b, chromedp.Evaluate[chromedp.Void](string(script)))
	violations := get(t, b, chromedp.Evaluate[[]violation](
		`axe.run(document, {resultTypes: ["violations"]}).then(r => r.violations.map(v => ({ID: v.id, Help: v.help, Nodes: v.nodes.slice(0, 3).map(n => n.html)})))`,
		chromedp.EvalAwaitPromise))
	address := b.address(t)
	for _, v := range violations {
		faults = append(faults, fmt.Sprintf("%s: axe %s: %s: %s", address, v.ID, v.Help, strings.Join(v.Nodes, " ")))
	}
	return faults
}
