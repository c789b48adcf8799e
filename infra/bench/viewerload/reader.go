package main

import (
	"context"
	"encoding/json"
	"fmt"
	"html"
	"math/rand/v2"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"wecom-archive/infra/local/idp"
	"wecom-archive/shared/person"
)

// reader is somebody who looks at one screen after another.
type reader struct {
	idp.Account
	base   string
	client *http.Client
	rng    *rand.Rand

	people, talks, seqs, files, older []string // that were seen on screens

	took   map[string][]time.Duration // by kind of screen
	looks  map[string]string          // kinds of screens that carried content, by request
	faults []string
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   string
}

func (r *reader) send(ctx context.Context, method, address, body string) (answer, error) {
	request, err := http.NewRequestWithContext(ctx, method, address, strings.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	request.Header.Set("Accept-Language", "zh")
	if method == http.MethodPost {
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if strings.HasPrefix(request.URL.Path, "/v1/") {
		request.Header.Set("Authorization", "Bearer "+r.Subject)
	}
	response, err := r.client.Do(request)
	if err != nil {
		return answer{}, err
	}
	doc, err := readAll(response.Body)
	return answer{response.StatusCode, response.Header, string(doc)}, err
}

// A look under way at the end is waited for: it may be recorded already.
func (r *reader) get(kind, path string, want int) (answer, bool) {
	began := time.Now()
	got, err := r.send(context.Background(), http.MethodGet, r.base+path, "")
	r.took[kind] = append(r.took[kind], time.Since(began))
	if err == nil && got.status != want {
		err = fmt.Errorf("%d %.300s", got.status, got.body)
	}
	if err != nil {
		r.faults = append(r.faults, fmt.Sprintf("%s: %s: %v", kind, path, err))
		return got, false
	}
	return got, true
}

func (r *reader) saw(kind string, a answer) { r.looks[a.header.Get("X-Request-Id")] = kind }

var (
	linksOf   = regexp.MustCompile(`(?:href|src|data-src)="([^"]+)"`)
	lookersOf = regexp.MustCompile(`Looker-\d+`)
	marksOf   = regexp.MustCompile(`(?s)<svg class="watermark".*?<text[^>]*>([^<]*)</text>`)
	readable  = regexp.MustCompile(`<article [^>]*class="m[ "]`)
	damagedOf = regexp.MustCompile(`<p class="bad">`)
)

// page gets a page, checks whose it is, and learns where it leads.
func (r *reader) page(kind, path string) {
	got, ok := r.get(kind, path, http.StatusOK)
	if !ok {
		return
	}
	for _, name := range lookersOf.FindAllString(got.body, -1) {
		if name != r.Name {
			r.faults = append(r.faults, fmt.Sprintf("%s: %s shows the name of %s", kind, path, name))
		}
	}
	mark := marksOf.FindStringSubmatch(got.body)
	messages := len(readable.FindAllString(got.body, -1)) - len(damagedOf.FindAllString(got.body, -1))
	content := kind == "search" && strings.Contains(path, "q=") || messages > 0
	if content {
		r.saw(kind, got)
		if mark == nil || !strings.HasPrefix(mark[1], r.Name+" ·") {
			r.faults = append(r.faults, fmt.Sprintf("%s: %s has the mark %q", kind, path, mark))
		}
	}
	for _, m := range linksOf.FindAllStringSubmatch(got.body, -1) {
		r.learn(html.UnescapeString(m[1]))
	}
}

// learn keeps where a link leads.
func (r *reader) learn(link string) {
	to, err := url.Parse(link)
	if err != nil || to.Host != "" {
		return
	}
	q := to.Query()
	switch first, rest, _ := strings.Cut(strings.TrimPrefix(to.Path, "/"), "/"); {
	case first == "c" && (q.Has("before") || q.Has("after")):
		keep(&r.older, link)
	case first == "c" && q.Has("id"):
		keep(&r.talks, q.Get("id"))
	case first == "c" && q.Has("person"):
		keep(&r.people, q.Get("person"))
	case first == "record":
		keep(&r.seqs, rest)
	case first == "media" && !to.Query().Has("save"):
		keep(&r.files, to.Path)
	}
}

// keep remembers few and the last: readers go on from what they saw.
func keep(seen *[]string, s string) {
	const most = 200
	if slices.Contains(*seen, s) {
		return
	}
	if *seen = append(*seen, s); len(*seen) > most {
		*seen = (*seen)[1:]
	}
}

// any is one of those that were seen; false: none was yet.
func (r *reader) any(seen []string) (string, bool) {
	if len(seen) == 0 {
		return "", false
	}
	return seen[r.rng.IntN(len(seen))], true
}

// step looks at one screen.
func (r *reader) step() {
	person, anyPerson := r.any(r.people)
	talk, anyTalk := r.any(r.talks)
	seq, anySeq := r.any(r.seqs)
	file, anyFile := r.any(r.files)
	turn, anyTurn := r.any(r.older)
	switch n := r.rng.IntN(100); {
	case n < 5 || !anyPerson:
		r.page("people", "/c?kind="+[]string{"", "employee", "external"}[r.rng.IntN(3)])
	case n < 8:
		r.page("overview", "/")
	case n < 20 || !anyTalk:
		r.page("conversations", "/c?"+url.Values{"person": {person}}.Encode())
	case n < 40:
		r.page("transcript", "/c?"+url.Values{"person": {person}, "id": {talk}}.Encode())
	case n < 50 && anyTurn:
		r.page("transcript", turn)
	case n < 58 && anySeq:
		r.permalink(seq)
	case n < 64 && anySeq:
		r.page("record", "/record/"+seq)
	case n < 74 && anyFile:
		r.file(file)
	case n < 76:
		r.page("search", "/search?"+url.Values{"q": {r.word()}}.Encode())
	case n < 78:
		r.api("search (API)", "/v1/search?limit=5&"+url.Values{"q": {r.word()}}.Encode())
	case n < 90:
		r.api("transcript (API)", "/v1/conversations/"+url.PathEscape(talk)+"/messages?order=desc&limit=20"+r.raw())
	case n < 95 && anySeq:
		r.api("message (API)", "/v1/messages/"+seq+strings.Replace(r.raw(), "&", "?", 1))
	case anySeq:
		r.api("media (API)", "/v1/messages/"+seq+"/media")
	default:
		r.page("transcript", "/c?"+url.Values{"id": {talk}}.Encode())
	}
}

func (r *reader) word() string {
	return []string{"合同", "报价", "你好", "客户", "明天", "no such words"}[r.rng.IntN(6)]
}

// raw asks for messages as decrypted, as an auditor may.
func (r *reader) raw() string {
	if slices.Contains(r.Roles, string(person.Auditor)) && r.rng.IntN(2) == 0 {
		return "&raw=true"
	}
	return ""
}

// permalink leads to a transcript.
func (r *reader) permalink(seq string) {
	got, ok := r.get("permalink", "/m/"+seq, http.StatusSeeOther)
	if !ok {
		return
	}
	path, _, _ := strings.Cut(got.header.Get("Location"), "#")
	r.page("transcript", path)
}

// file is content, or a link to it.
func (r *reader) file(path string) {
	began := time.Now()
	got, err := r.send(context.Background(), http.MethodGet, r.base+path, "")
	r.took["file"] = append(r.took["file"], time.Since(began))
	if err != nil || got.status != http.StatusOK && got.status != http.StatusSeeOther {
		r.faults = append(r.faults, fmt.Sprintf("file: %s: %d %v", path, got.status, err))
		return
	}
	r.saw("file", got)
}

// api counts an answer that has messages, files or what a search found.
func (r *reader) api(kind, path string) {
	got, ok := r.get(kind, path, http.StatusOK)
	if !ok {
		return
	}
	var body struct {
		Messages []struct{ Unreadable string }
		Files    []json.RawMessage
	}
	if err := json.Unmarshal([]byte(got.body), &body); err != nil {
		r.faults = append(r.faults, fmt.Sprintf("%s: %s: %v", kind, path, err))
		return
	}
	content := len(body.Files) > 0 || strings.HasPrefix(kind, "search")
	for _, m := range body.Messages {
		content = content || m.Unreadable == ""
	}
	if content {
		r.saw(kind, got)
	}
}
