package browser

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// TestWatches: the watching itself works, or clean pages would prove nothing.
func TestWatches(t *testing.T) {
	const head = `<!doctype html><html lang="en"><title>t</title><main><h1>t</h1>`
	pages := map[string]string{
		"/clean":   head + `<p>clean`,
		"/inline":  head + `<script>document.title = "ran"</script>`,
		"/handler": head + `<img src="x" alt="" onerror="alert(1)">`,
		"/style":   head + `<p style="color: red">red`,
		"/remote":  head + `<img alt="" src="http://elsewhere.invalid/x.png">`,
		"/blind":   head + `<img src="/clean"><a href="/clean"></a>`,
		"/wide":    head + `<pre>` + strings.Repeat("wide", 1000),
		"/dialog":  head,
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/dialog" {
			w.Header().Set("Content-Security-Policy", "default-src 'self'")
		}
		body, found := pages[r.URL.Path]
		if !found {
			w.WriteHeader(http.StatusNotFound)
			body = head
		}
		if r.URL.Path == "/dialog" {
			body += `<script>alert("here")</script>`
		}
		fmt.Fprint(w, body)
	}))
	defer server.Close()
	for path, want := range map[string]string{
		"/clean": "", "/inline": "Content Security Policy", "/handler": "Content Security Policy", "/style": "Content Security Policy",
		"/remote": "another machine", "/dialog": "dialog",
	} {
		b := openTab(t, 800, 600)
		if status := b.open(t, server.URL+path); status != http.StatusOK {
			t.Errorf("%s: status %d", path, status)
		}
		var faults string
		for deadline := time.Now().Add(5 * time.Second); want != "" && !strings.Contains(faults, want) && time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
			faults += strings.Join(b.takeFaults(), "\n")
		}
		if want == "" {
			faults = strings.Join(b.takeFaults(), "\n")
		}
		if !strings.Contains(faults, want) || want == "" && faults != "" {
			t.Errorf("%s: %q, want %q", path, faults, want)
		}
		b.takeFaults()
	}
	b := openTab(t, 360, 640)
	b.open(t, server.URL+"/blind")
	if faults := strings.Join(b.axeFaults(t), "\n"); !strings.Contains(faults, "image-alt") || !strings.Contains(faults, "link-name") {
		t.Errorf("axe finds %q", faults)
	}
	b.open(t, server.URL+"/clean")
	if faults := b.axeFaults(t); len(faults) > 0 {
		t.Errorf("axe finds %q", faults)
	}
	b.open(t, server.URL+"/wide")
	if !b.overflows(t) {
		t.Error("a page that is too wide fits")
	}
	if status := b.open(t, server.URL+"/nowhere"); status != http.StatusNotFound {
		t.Errorf("status %d", status)
	}
	b.takeFaults() // the browser complains of the 404, too
}
