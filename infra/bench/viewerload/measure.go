package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"html"
	"maps"
	mathrand "math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"wecom-archive/shared/access"
	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/person"
	"wecom-archive/shared/store/storetest"
	"wecom-archive/shared/viewer"
)

// Budgets of a screen.
const (
	mostRequests = 15
	mostSlower   = 1.5 // p95 of the large archive against that of the small one
)

// site serves the pages of one archive.
type site struct {
	*load
	index   *storetest.IndexCounter
	objects *storetest.RequestCounter
}

// somebody is signed in.
type somebody struct{}

func (somebody) Visitor(http.ResponseWriter, *http.Request) (person.Person, error) {
	return person.Person{Subject: "load", Roles: []person.Role{person.Reader, person.Auditor}}, nil
}

func (l *load) site() *site {
	return &site{load: l, index: &storetest.IndexCounter{Index: l.index}, objects: storetest.NewRequestCounter()}
}

// handler is what a process serves that has just started: nothing is remembered.
func (s *site) handler() http.Handler {
	objects := s.objects.Objects(s.load.objects)
	return viewer.New(viewer.Config{
		Objects: objects, Derived: s.objects.Derived(s.derived), Catalog: catalog.New(s.index), Visitors: somebody{},
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
		s.index.Reset()
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
			return screen{s.index.Count(), s.objects.Count().Total(), time.Since(began), w.Body.String()}, nil
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
		day := rng.IntN(days)
		before := s.messages * day / days // of the days before; every other message of a day is in the room
		n := 2 * rng.IntN(max(1, (s.messages*(day+1)/days-before)/2))
		if inRoom {
			n++
		}
		return fmt.Sprintf("/m/%d", before+n+1)
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

// otherScreens show no conversation: they are measured, too, but the budgets are not theirs.
var otherScreens = map[string]bool{"overview": true, "access record of the last days": true}

// rounds of which the median counts: the machine may have other things to do.
const rounds = 3

// measure looks at both archives in turn.
func measure(_ context.Context, small, large *load, screens int) error {
	sites := []*site{small.site(), large.site()}
	rng := mathrand.New(mathrand.NewPCG(3, 4))
	names := slices.Sorted(maps.Keys(sites[0].kinds(rng)))
	took := map[string]*[2][rounds][]time.Duration{} // of small and large
	most := map[string]*requests{}
	for _, name := range names {
		took[name], most[name] = new([2][rounds][]time.Duration), new(requests)
	}
	for round := range rounds {
		for _, name := range names {
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
					took[name][i][round] = append(took[name][i][round], got.took)
					if i == 1 {
						most[name].see(got)
					}
				}
			}
		}
	}
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintf(table, "screen\tindex\tobjects\ttogether\tp95 of %d\tp95 of %d\tratio\t\n", small.messages, large.messages)
	var failed []string
	var all [2][rounds][]time.Duration
	for _, name := range names {
		m, a, b := most[name], median(took[name][0]), median(took[name][1])
		fmt.Fprintf(table, "%s\t%d\t%d\t%d\t%.1f ms\t%.1f ms\t%.2f\t\n", name, m.index, m.objects, m.together, ms(a), ms(b), float64(b)/float64(a))
		if otherScreens[name] {
			continue
		}
		if m.together > mostRequests {
			failed = append(failed, fmt.Sprintf("%s: %d requests", name, m.together))
		}
		for i := range all {
			for round := range rounds {
				all[i][round] = append(all[i][round], took[name][i][round]...)
			}
		}
	}
	a, b := median(all[0]), median(all[1])
	ratio := float64(b) / float64(a)
	fmt.Fprintf(table, "all of conversations\t\t\t\t%.1f ms\t%.1f ms\t%.2f\t\n", ms(a), ms(b), ratio)
	table.Flush()
	if load, err := os.ReadFile("/proc/loadavg"); err == nil {
		fmt.Printf("load of the machine meanwhile: %s", load)
	}
	if ratio > mostSlower {
		failed = append(failed, fmt.Sprintf("p95 is %.2f times that of the small archive", ratio))
	}
	if failed != nil {
		return fmt.Errorf("over the budget of %d requests and %.1f times: %s", mostRequests, mostSlower, strings.Join(failed, "; "))
	}
	return nil
}

// requests of the most expensive screens of a kind.
type requests struct{ index, objects, together int }

func (r *requests) see(s screen) {
	r.index, r.objects, r.together = max(r.index, s.index), max(r.objects, s.objects), max(r.together, s.index+s.objects)
}

// median is that of the rounds' p95.
func median(all [rounds][]time.Duration) time.Duration {
	var of [rounds]time.Duration
	for i, took := range all {
		of[i] = p95(took)
	}
	slices.Sort(of[:])
	return of[rounds/2]
}

func p95(all []time.Duration) time.Duration {
	sorted := slices.Sorted(slices.Values(all))
	return sorted[len(sorted)*95/100]
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
