package browser

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// ask asks the API with the token that the program prints.
func (a *archive) ask(t *testing.T, path string) string {
	t.Helper()
	token := regexp.MustCompile(`Token: (\w+)`)
	var found []string
	for deadline := time.Now().Add(stepTime); len(found) == 0; time.Sleep(20 * time.Millisecond) {
		if found = token.FindStringSubmatch(a.said()); len(found) == 0 && time.Now().After(deadline) {
			t.Fatal("no token is printed")
		}
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, a.base+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+found[1])
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// seqsOf finds a message of a type whose files fit, newest conversations first.
func (a *archive) seqsOf(t *testing.T, msgtype string, fits func(files string) bool) int64 {
	t.Helper()
	get := func(path string) string { return a.ask(t, path) }
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		for back := range 6 {
			var days struct{ Conversations []struct{ ID string } }
			day := time.Now().UTC().AddDate(0, 0, -back).Format(time.DateOnly)
			if json.Unmarshal([]byte(get("/v1/conversations?limit=200&day="+day)), &days) != nil {
				continue
			}
			for _, c := range days.Conversations {
				var page struct {
					Messages []struct {
						Seq  int64
						Type string
					}
				}
				if json.Unmarshal([]byte(get("/v1/conversations/"+strings.ReplaceAll(c.ID, ",", "%2C")+"/messages?limit=200")), &page) != nil {
					continue
				}
				for _, m := range page.Messages {
					if m.Type == msgtype && fits(get(fmt.Sprintf("/v1/messages/%d/media", m.Seq))) {
						return m.Seq
					}
				}
			}
		}
	}
	t.Fatalf("no %s; the API answers %.300s\n%s", msgtype, get("/v1/conversations?day="+time.Now().UTC().Format(time.DateOnly)), a.said())
	return 0
}

func stored(typ string) func(string) bool {
	return func(files string) bool { return strings.Contains(files, `"stored"`) && strings.Contains(files, typ) }
}

// TestFiles: a picture is seen, a voice is heard, and a drawing with a script in it
// that calls itself a picture is a file to save.
func TestFiles(t *testing.T) {
	a := startArchive(t, 3000)
	b := openTab(t, 1440, 900)
	b.signIn(t, a, "reader", "/")

	b.open(t, fmt.Sprintf("%s/m/%d", a.base, a.seqsOf(t, "image", stored("image/jpeg"))))
	b.until(t, `[...document.querySelectorAll("img.thumb")].some(i => i.complete && i.naturalWidth > 0)`)
	b.screenshot(t, "image")
	b.axe(t)

	b.open(t, fmt.Sprintf("%s/m/%d", a.base, a.seqsOf(t, "voice", stored("audio/amr"))))
	b.do(t, chromedp.Evaluate[chromedp.Void](`void document.querySelector("voice-player button").click()`))
	b.until(t, `document.querySelector("voice-player").dataset.state === "stop" && Number(document.querySelector("voice-player").dataset.at) > 0.2`)
	samples := get(t, b, chromedp.Evaluate[int](`Number(document.querySelector("voice-player").dataset.samples)`))
	peak := get(t, b, chromedp.Evaluate[float64](`Number(document.querySelector("voice-player").dataset.peak)`))
	if samples < 8000 || peak < 0.01 {
		t.Errorf("%d samples at 8 kHz, the loudest %v: nothing to hear", samples, peak)
	}
	b.screenshot(t, "voice")
	b.axe(t)
	b.do(t, chromedp.Evaluate[chromedp.Void](`void document.querySelector("voice-player button").click()`))
	b.until(t, `document.querySelector("voice-player").dataset.state === "play"`)

	// A drawing with a script in it. On the page it is no picture; the link of the API
	// downloads it, and nothing runs.
	seq := a.seqsOf(t, "image", stored("image/svg+xml"))
	b.open(t, fmt.Sprintf("%s/m/%d", a.base, seq))
	var files struct {
		Files []struct{ URL string }
	}
	if err := json.Unmarshal([]byte(a.ask(t, fmt.Sprintf("/v1/messages/%d/media", seq))), &files); err != nil || len(files.Files) == 0 {
		t.Fatalf("the API's files: %v", err)
	}
	for n, link := range []string{files.Files[0].URL, fmt.Sprintf("/media/%d/", seq)} {
		at := b.address(t)
		b.do(t, chromedp.Evaluate[chromedp.Void](fmt.Sprintf(
			`void (document.querySelector("a[href^='" + %[1]q + "']") || Object.assign(document.createElement("a"), {href: %[1]q})).click()`, link)))
		for deadline := time.Now().Add(stepTime); b.downloaded() <= n; time.Sleep(20 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("%s is no download", link)
			}
		}
		if now := b.address(t); now != at {
			t.Errorf("%s opened as %s", link, now)
		}
	}
}

// TestNames: people are shown by the names that the directory has found out, in both
// languages of the pages. These are README's pictures.
func TestNames(t *testing.T) {
	a := startArchive(t, 3000)
	b := openTab(t, 1440, 900)
	b.signIn(t, a, "auditor", "/")
	seq := a.seqsOf(t, "image", stored("image/"))
	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(time.Second) {
		b.open(t, fmt.Sprintf("%s/m/%d", a.base, seq))
		if get(t, b, chromedp.Evaluate[bool](`[...document.querySelectorAll(".m .name[title]")].some(n => n.title !== n.textContent && !/\s/.test(n.title))`)) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("no names")
		}
	}
	b.until(t, `[...document.querySelectorAll("img.thumb")].some(i => i.complete && i.naturalWidth > 0)`)
	for _, lang := range []string{"zh", "en"} {
		b.speak(t, lang)
		b.screenshot(t, "viewer-"+lang)
		b.axe(t)
	}
	b.open(t, a.base+"/")
	b.screenshot(t, "viewer-overview")
}
