package pages

import (
	"cmp"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"wecom-archive/shared/show"
	"wecom-archive/shared/wecom"
)

// searchView is the search page.
type searchView struct {
	url.Values // of the address
	Bad        string
	Answer     *show.SearchBody // nil: nothing was asked yet
	Hits       []shownHit
	Contents   []contentCount
	Next       string // address
}

type shownHit struct {
	show.Hit
	At    time.Time
	Parts []markedText
	Cut   bool // there is more of the text than is shown
	Files []show.MediaRef
}

// markedText is a part of a text.
type markedText struct {
	Text   string
	Marked bool
}

type contentCount struct {
	Kind  string
	Count int64
}

// Narrowed says whether a field beside the words is set.
func (v searchView) Narrowed() bool {
	return slices.ContainsFunc(searchFields, func(name string) bool {
		switch name {
		case "q", "cursor":
			return false
		case "order":
			return v.Get(name) == "asc"
		}
		return v.Get(name) != ""
	})
}

// Types are those that the form offers: any, WeCom's, and the one that was asked for,
// should it be new.
func (v searchView) Types() []string {
	types := []string{""}
	for _, known := range wecom.Types() {
		if !known.Action {
			types = append(types, known.Name)
		}
	}
	if asked := v.Get("type"); !slices.Contains(types, asked) {
		types = append(types, asked)
	}
	return types
}

// Kinds are those of senders.
func (searchView) Kinds() []string { return []string{"employee", "external", "robot"} }

// Chats are the kinds of chats.
func (searchView) Chats() []string { return []string{"internal", "external", "updown_stream"} }

// Everything says whether all that could be meant was looked at.
func (v searchView) Everything() bool {
	n := v.Answer.NotLookedAt
	return v.Answer.Complete && len(v.Contents) == 0 && n.Unreadable == 0 && n.WaitingPages == 0 && n.Unopened == 0 && len(n.Damaged) == 0
}

// searchPage is the form and, once something is asked, a page of what was found.
func (s *server) searchPage(_ http.ResponseWriter, r *http.Request) (page, error) {
	v := searchView{Values: r.URL.Query()}
	p := page{Section: "search"}
	if len(v.Values) == 0 {
		p.Content = v
		return p, nil
	}
	in, err := searchOf(v.Values, s.show.Days(r.Context()))
	var out *show.SearchOutput
	if err == nil {
		out, err = s.show.Content.Search(r.Context(), &in)
	}
	if problem, ok := errors.AsType[*show.Problem](err); ok && problem.Kind == show.NotUnderstood {
		v.Bad = problem.Detail
		p.Content = v
		return p, nil
	}
	if err != nil {
		return page{}, err
	}
	v.Answer = &out.Body
	for _, h := range out.Body.Hits {
		v.Hits = append(v.Hits, showHit(h))
	}
	contents := out.Body.NotLookedAt.Contents
	for _, kind := range slices.SortedFunc(maps.Keys(contents), func(a, b string) int { return cmp.Or(cmp.Compare(contents[b], contents[a]), cmp.Compare(a, b)) }) {
		v.Contents = append(v.Contents, contentCount{kind, contents[kind]})
	}
	if cursor := out.Body.NextCursor; cursor != "" {
		q := r.URL.Query()
		q.Set("cursor", cursor)
		v.Next = "/search?" + q.Encode()
	}
	p.Content = v
	return p, nil
}

// searchOf reads the form. Its dates are days of the readers' zone, both inclusive.
func searchOf(q url.Values, zone *time.Location) (show.SearchInput, error) {
	in := show.SearchInput{
		Q: q.Get("q"), Conversation: strings.TrimSpace(q.Get("conversation")), Person: strings.TrimSpace(q.Get("person")), Sender: strings.TrimSpace(q.Get("sender")),
		SenderKind: q.Get("sender_kind"), Chat: q.Get("chat"), Type: q.Get("type"), File: q.Get("file"), Order: q.Get("order"), Cursor: q.Get("cursor"), Limit: searchPageHits,
	}
	for name := range q {
		if !slices.Contains(searchFields, name) {
			return in, show.BadParameter("query", "The address has a field that this search does not know.")
		}
	}
	for _, choice := range []struct {
		name, value string
		of          []string
	}{{"sender_kind", in.SenderKind, searchView{}.Kinds()}, {"chat", in.Chat, searchView{}.Chats()}} {
		if choice.value != "" && !slices.Contains(choice.of, choice.value) {
			return in, show.BadParameter("query."+choice.name, choice.name+" must be one of "+strings.Join(choice.of, ", ")+".")
		}
	}
	if q.Get("variants") != "" {
		in.Variants = "true"
	}
	if has := q.Get("has_media"); has == "true" || has == "false" {
		in.HasMedia = has
	}
	if in.Order != "asc" {
		in.Order = "desc"
	}
	for _, bound := range []struct {
		name string
		to   *string
		days int
	}{{"from", &in.From, 0}, {"to", &in.To, 1}} {
		value := q.Get(bound.name)
		if value == "" {
			continue
		}
		day, err := time.ParseInLocation(time.DateOnly, value, zone)
		if err != nil {
			return in, show.BadParameter("query."+bound.name, bound.name+" must be a date like 2026-11-23.")
		}
		*bound.to = day.AddDate(0, 0, bound.days).Format(time.RFC3339)
	}
	return in, nil
}

const searchPageHits = 20

// searchFields are those of the form, and the cursor.
var searchFields = []string{"q", "variants", "conversation", "person", "sender", "sender_kind", "chat", "type", "has_media", "file", "from", "to", "order", "cursor"}

// showHit is a hit as the page shows it: of a long text what stands around the first term.
func showHit(h show.Hit) shownHit {
	shown := shownHit{Hit: h, At: h.Message.At(), Files: h.Media}
	parts, left := marked(h.Text, h.Ranges), hitWeight
	if len(parts) > 0 && !parts[0].Marked && len(parts) > 1 {
		if text := parts[0].Text; len(text) > hitLead {
			parts[0].Text, shown.Cut = "…"+strings.ToValidUTF8(text[len(text)-hitLead:], ""), true
		}
	}
	for _, p := range parts {
		text, cut := clip(p.Text, &left)
		shown.Parts = append(shown.Parts, markedText{text, p.Marked})
		if left -= itemWeight; cut || left <= 0 {
			shown.Cut = true
			break
		}
	}
	for _, m := range []*show.Message{h.Before, h.After} {
		if m != nil {
			left := besideWeight
			m.Text, _ = clip(m.Text, &left)
		}
	}
	return shown
}

// hitLead is how much of a text, in bytes, stands before its first term.
const hitLead = 4 << 10

// marked cuts a text where marks begin and end.
func marked(text string, ranges []show.TextRange) (parts []markedText) {
	at := 0
	for _, r := range ranges {
		if r.Start > at {
			parts = append(parts, markedText{text[at:r.Start], false})
		}
		parts = append(parts, markedText{text[r.Start:r.End], true})
		at = r.End
	}
	if at < len(text) {
		parts = append(parts, markedText{text[at:], false})
	}
	return parts
}
