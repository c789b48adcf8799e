package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"html"
	mathrand "math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"text/tabwriter"
	"time"

	"wecom-archive/shared/access"
	"wecom-archive/shared/archive"
	"wecom-archive/shared/archive/archivetest"
	"wecom-archive/shared/viewer"
)

// Budgets of the issue.
const (
	mostRequests = 15
	mostSlower   = 1.5 // p95 of the large archive against that of the small one
)

// counted is an index that counts requests as DynamoDB would get them: 100 keys of a
// GetMany are one.
type counted struct {
	archive.Index
	n atomic.Int64
}

func (c *counted) Get(ctx context.Context, partition, sort string) (archive.Item, error) {
	c.n.Add(1)
	return c.Index.Get(ctx, partition, sort)
}

func (c *counted) GetMany(ctx context.Context, items ...archive.Item) ([]archive.Item, error) {
	c.n.Add(int64(len(items)+99) / 100)
	return c.Index.GetMany(ctx, items...)
}

func (c *counted) Query(ctx context.Context, q archive.IndexQuery) ([]archive.Item, error) {
	c.n.Add(1)
	return c.Index.Query(ctx, q)
}

func (c *counted) Put(ctx context.Context, items ...archive.Item) error {
	c.n.Add(int64(len(items)))
	return c.Index.Put(ctx, items...)
}

func (c *counted) PutIf(ctx context.Context, item archive.Item) error {
	c.n.Add(1)
	return c.Index.PutIf(ctx, item)
}

// site serves the pages of one archive.
type site struct {
	*load
	index   *counted
	objects *archivetest.RequestCounter
}

// somebody is signed in.
type somebody struct{}

func (somebody) Visitor(http.ResponseWriter, *http.Request) (viewer.Person, error) {
	return viewer.Person{Subject: "load", Roles: []viewer.Role{viewer.RoleReader, viewer.RoleAuditor}}, nil
}

func (l *load) site() *site {
	return &site{load: l, index: &counted{Index: l.index}, objects: archivetest.NewRequestCounter()}
}

// handler is what a process serves that has just started: nothing is remembered.
func (s *site) handler() http.Handler {
	objects := s.objects.Objects(s.load.objects)
	return viewer.New(viewer.Config{
		Objects: objects, Derived: s.objects.Derived(s.derived), Catalog: archive.NewCatalog(s.index), Visitors: somebody{},
		Access: &access.Recorder{Objects: objects, Now: time.Now, NewID: rand.Text},
	})
}

// screen is what one page took.
type screen struct {
	index, objects int
	took           time.Duration
	body           string
}

// get asks for a page as a process does that has just started, and follows redirects.
// What the way there took is not counted: it is an answer of its own.
func (s *site) get(path string) (screen, error) {
	for range 3 {
		s.index.n.Store(0)
		s.objects.Reset()
		s.objects.Forget()
		handler := s.handler()
		runtime.GC() // of what the start of the process left over
		began := time.Now()
		w := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodGet, path, nil)
		r.Header.Set("Accept-Language", "zh")
		handler.ServeHTTP(w, r)
		switch w.Code {
		case http.StatusSeeOther:
			path, _, _ = strings.Cut(w.Header().Get("Location"), "#")
		case http.StatusOK:
			return screen{int(s.index.n.Load()), s.objects.Count().Total(), time.Since(began), w.Body.String()}, nil
		default:
			return screen{}, fmt.Errorf("%s: %d %.300s", path, w.Code, w.Body)
		}
	}
	return screen{}, fmt.Errorf("%s: no end of redirects", path)
}

var earlier = regexp.MustCompile(`rel="prev" href="([^"]+)"|href="([^"]+)" rel="prev"`)

// kinds of screens: each makes the address of one. n is its number.
func (s *site) kinds(rng *mathrand.Rand) map[string]func() (string, error) {
	transcript := func(id string) string { return "/c?" + url.Values{"id": {id}}.Encode() }
	place := func(inRoom bool) string { // any message of the room, or one of a pair
		n := 2*(rng.IntN(s.messages/2-2)) + 1
		if inRoom {
			n++
		}
		return fmt.Sprintf("/m/%d", n)
	}
	before := func(path string) (string, error) { // the screen before that one
		got, err := s.get(path)
		if err != nil {
			return "", err
		}
		m := earlier.FindStringSubmatch(got.body)
		if m == nil {
			return path, nil // it is the first
		}
		return html.UnescapeString(m[1] + m[2]), nil
	}
	day := func() string { return archive.Day(first.AddDate(0, 0, rng.IntN(days))) }
	fixed := func(path string) func() (string, error) { return func() (string, error) { return path, nil } }
	return map[string]func() (string, error){
		"overview":                  fixed("/"),
		"people":                    fixed("/c"),
		"conversations of a day":    func() (string, error) { return "/c?day=" + day(), nil },
		"conversations of a person": func() (string, error) { return fmt.Sprintf("/c?person=u%04d", rng.IntN(people)), nil },
		"room, newest":              fixed(transcript("room:" + room)),
		"room, any place":           func() (string, error) { return place(true), nil },
		"room, before any place":    func() (string, error) { return before(place(true)) },
		"once a day, newest":        fixed(transcript(daily)),
		"once a day, a day":         func() (string, error) { return transcript(daily) + "&date=" + day(), nil },
		"any pair, any place":       func() (string, error) { return place(false), nil },
		"any pair, beside the columns": func() (string, error) {
			u := rng.IntN(people - 7)
			return fmt.Sprintf("/c?person=u%04d&id=%s", u, url.QueryEscape(fmt.Sprintf("pair:u%04d,u%04d", u, u+1))), nil
		},
		"record of a message":            func() (string, error) { return strings.Replace(place(true), "/m/", "/record/", 1), nil },
		"access record of the last days": fixed("/access"),
	}
}

// measure looks at both archives in turn.
func measure(_ context.Context, small, large *load, screens int) error {
	sites := []*site{small.site(), large.site()}
	rng := mathrand.New(mathrand.NewPCG(3, 4))
	names := slices.Sorted(func(yield func(string) bool) {
		for name := range sites[0].kinds(rng) {
			if !yield(name) {
				return
			}
		}
	})
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintf(table, "screen\tindex, at most\tobjects, at most\tp95 of %d\tp95 of %d\tratio\t\n", small.messages, large.messages)
	var failed []string
	var all [2][]time.Duration
	for _, name := range names {
		var took [2][]time.Duration
		var index, objects, together [2]int
		for range screens {
			for i, s := range sites {
				path, err := s.kinds(rng)[name]()
				if err != nil {
					return fmt.Errorf("%s: %w", name, err)
				}
				got, err := s.get(path)
				if err != nil {
					return fmt.Errorf("%s: %w", name, err)
				}
				took[i] = append(took[i], got.took)
				index[i], objects[i] = max(index[i], got.index), max(objects[i], got.objects)
				together[i] = max(together[i], got.index+got.objects)
			}
		}
		a, b := p95(took[0]), p95(took[1])
		fmt.Fprintf(table, "%s\t%d\t%d\t%.1f ms\t%.1f ms\t%.2f\t\n", name, index[1], objects[1], ms(a), ms(b), float64(b)/float64(a))
		if together[1] > mostRequests {
			failed = append(failed, fmt.Sprintf("%s: %d requests", name, together[1]))
		}
		all[0], all[1] = append(all[0], took[0]...), append(all[1], took[1]...)
	}
	ratio := float64(p95(all[1])) / float64(p95(all[0]))
	fmt.Fprintf(table, "all\t\t\t%.1f ms\t%.1f ms\t%.2f\t\n", ms(p95(all[0])), ms(p95(all[1])), ratio)
	table.Flush()
	if ratio > mostSlower {
		failed = append(failed, fmt.Sprintf("p95 is %.2f times that of the small archive", ratio))
	}
	if failed != nil {
		return fmt.Errorf("over the budget of %d requests and %.1f times: %s", mostRequests, mostSlower, strings.Join(failed, "; "))
	}
	return nil
}

func p95(all []time.Duration) time.Duration {
	sorted := slices.Sorted(slices.Values(all))
	return sorted[len(sorted)*95/100]
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
