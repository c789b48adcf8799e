package pages

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"wecom-archive/shared/show"
)

const accessTalks = 200 // conversations of a page that get their titles

// accessView is a page of the record.
type accessView struct {
	From, To, Who, Conversation string // as asked for: days of the readers' zone, both inclusive
	Bad                         bool
	Looks                       []shownLook
	Unreadable                  []string
	Next                        string // address
}

type shownLook struct {
	show.LookView
	Talks []titledTalk
}

// titledTalk is a conversation and how it is called now.
type titledTalk struct {
	ID string
	show.Titled
}

// show.AccessPage shows the looks of some days.
func (s *server) accessPage(_ http.ResponseWriter, r *http.Request) (page, error) {
	in := r.URL.Query()
	today := s.Now().In(s.show.Days(r.Context())).Format(time.DateOnly)
	v := accessView{From: in.Get("from"), To: in.Get("to"), Who: strings.TrimSpace(in.Get("who")), Conversation: strings.TrimSpace(in.Get("conversation"))}
	if v.From == "" {
		v.From = today
	}
	if v.To == "" {
		v.To = max(v.From, today)
		if from, err := time.Parse(time.DateOnly, v.From); err == nil {
			v.To = min(v.To, from.AddDate(0, 0, show.AccessDays-1).Format(time.DateOnly))
		}
	}
	p := page{Section: "access"}
	q := show.LooksQuery{Who: v.Who, Conversation: v.Conversation, After: in.Get("after"), Limit: show.AccessPage}
	var err error
	if q.From, q.Until, err = show.DaysBetween(v.From, v.To, s.show.Days(r.Context())); err != nil {
		v.Bad = true
		p.Content = v
		return p, nil
	}
	if q.After != "" && !q.Holds(q.After) {
		return page{}, show.NoPlace("no key of these days")
	}
	found, err := s.show.Looks.Find(r.Context(), q)
	if err != nil {
		return page{}, err
	}
	if v.Looks, err = s.entitled(r.Context(), found.Looks); err != nil {
		return page{}, err
	}
	v.Unreadable = found.Unreadable
	if found.Next != "" {
		v.Next = "/access?" + url.Values{"from": {v.From}, "to": {v.To}, "who": {v.Who}, "conversation": {v.Conversation}, "after": {found.Next}}.Encode()
	}
	p.Content = v
	return p, nil
}

// entitled finds how the conversations of looks are called. Names are no content.
func (s *server) entitled(ctx context.Context, looks []show.LookView) ([]shownLook, error) {
	var ids []string
	for _, l := range looks {
		ids = append(ids, l.Talks()...)
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	named := ids[:min(accessTalks, len(ids))]
	titles, err := s.show.People.Titles(ctx, named, func(int) time.Time { return time.Time{} })
	if err != nil {
		return nil, err
	}
	shown := make([]shownLook, len(looks))
	for i, l := range looks {
		shown[i].LookView = l
		for _, id := range l.Talks() {
			t := titledTalk{ID: id}
			if at, ok := slices.BinarySearch(named, id); ok {
				t.Titled = titles[at]
			}
			shown[i].Talks = append(shown[i].Talks, t)
		}
	}
	return shown, nil
}

// searched is a search in words: what was looked for, and how.
func searched(lang language, search map[string]string) string {
	var parts []string
	for _, name := range searchFields {
		value := search[name]
		if value == "" || name == "cursor" {
			continue
		}
		label := say(lang, "search."+searchLabel(name))
		switch name {
		case "order":
			parts = append(parts, say(lang, "search."+value))
			continue
		case "variants":
			parts = append(parts, label)
			continue
		case "has_media":
			value = say(lang, map[string]string{"true": "search.media.yes", "false": "search.media.no"}[value])
		case "type":
			value = sayKnown(lang, "type", value)
		case "sender_kind":
			value = sayKnown(lang, "kind", value)
		case "chat":
			value = sayKnown(lang, "chats", value)
		}
		parts = append(parts, say(lang, "search.part", label, value))
	}
	return strings.Join(parts, " · ")
}

// searchLabel is what the catalogue calls a field of the form.
func searchLabel(field string) string {
	switch field {
	case "q":
		return "words"
	case "sender_kind":
		return "senderkind"
	case "has_media":
		return "media"
	}
	return field
}
