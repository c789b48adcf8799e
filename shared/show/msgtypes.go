package show

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/wecom"
)

// PlotDays is how many days the overview looks back, today with it.
const PlotDays = 14

// typesPages bounds the pages that a count by type reads. A pull makes at least one if
// there are messages; with one every five minutes they are those of 14 days.
const typesPages = 5_000

// typesStatus counts the messages of the last days by type.
type typesStatus struct {
	Since     time.Time   `json:"since" doc:"Counted are messages that were pulled from then on"`
	Cut       bool        `json:"cut,omitempty" doc:"since is later than 14 days ago: there were too many pages"`
	Counts    []TypeCount `json:"counts" nullable:"false" doc:"Readable messages, most frequent type first"`
	Uncounted int64       `json:"uncounted,omitempty" doc:"Readable messages archived by a version that did not count types; reindex counts them"`
}

// TypeCount is how many messages of a type there are.
type TypeCount struct {
	Type  string `json:"type" example:"text" doc:"msgtype; switch for that action; other for what a page has too many of"`
	Count int64  `json:"count"`

	Unknown bool `json:"unknown,omitempty" doc:"The program does not know this type: it shows and finds such messages by the words in them"`

	Permille int64 `json:"-"` // of all that are counted
}

// types counts the messages of the days that the plot shows. A page that is not archived
// yet has none.
func (s *Books) types(ctx context.Context) (t typesStatus, err error) {
	today := s.config.Now().In(s.Days(ctx))
	year, month, day := today.Date()
	from := time.Date(year, month, day+1-PlotDays, 0, 0, 0, 0, today.Location())
	t.Since = from.UTC()
	sum, before := catalog.MsgTypes{}, ""
	for n := 0; ; n += statusBatch {
		pages, next, err := s.config.Catalog.Pages.PagesBefore(ctx, before, statusBatch)
		if err != nil {
			return t, fmt.Errorf("counting messages by type: %w", err)
		}
		for _, page := range pages {
			if page.PulledAt.Before(from) {
				next = ""
				break
			}
			t.add(sum, page)
		}
		if next == "" {
			break
		}
		if n+statusBatch >= typesPages {
			t.Since, t.Cut = pages[len(pages)-1].PulledAt.UTC(), true
			break
		}
		before = next
	}
	t.Counts = ranked(sum)
	return t, nil
}

func (t *typesStatus) add(sum catalog.MsgTypes, page catalog.PageState) {
	uncounted := page.OK
	for name, n := range page.Types {
		sum[name] += n
		uncounted -= n
	}
	t.Uncounted += int64(uncounted)
}

// maxTypes are listed; what WeCom names beyond them is shown as others.
const maxTypes = 100

func ranked(sum catalog.MsgTypes) []TypeCount {
	counts, all := []TypeCount{}, int64(0)
	for name, n := range sum {
		counts = append(counts, TypeCount{Type: name, Count: int64(n), Unknown: name != archive.OtherTypes && !wecom.Known(name)})
		all += int64(n)
	}
	slices.SortFunc(counts, func(a, b TypeCount) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Type, b.Type))
	})
	if len(counts) > maxTypes {
		rest := TypeCount{Type: archive.OtherTypes}
		for _, c := range counts[maxTypes-1:] {
			rest.Count += c.Count
		}
		counts = counts[:maxTypes-1]
		if i := slices.IndexFunc(counts, func(c TypeCount) bool { return c.Type == archive.OtherTypes }); i >= 0 {
			counts[i].Count += rest.Count
		} else {
			counts = append(counts, rest)
		}
	}
	for i := range counts {
		counts[i].Permille = counts[i].Count * 1000 / all
	}
	return counts
}
