package show

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"wecom-archive/shared/access"
	"wecom-archive/shared/archive"
	"wecom-archive/shared/store"
)

// The record of who looked at content, for auditors. It lies in the archive bucket by
// time; whose looks are asked for is found by reading those of the period, a batch at a
// time, until a page is full or the time is over.

const (
	AccessDays    = 31  // of a question
	AccessPage    = 100 // looks of a page
	accessBatch   = 128 // looks read at a time
	accessReaders = 16  // at once
	accessTime    = 8 * time.Second
)

type accessInput struct {
	From         string `query:"from" required:"true" format:"date" example:"2026-11-01" doc:"First UTC day"`
	To           string `query:"to" required:"true" format:"date" example:"2026-11-23" doc:"Last UTC day; at most 31 days with the first"`
	Who          string `query:"who" maxLength:"256" doc:"Only looks of this person: the subject, as the sign-in gives it"`
	Conversation string `query:"conversation" maxLength:"512" doc:"Only looks at this conversation, searches that showed it among them"`
	Cursor       string `query:"cursor" maxLength:"2048" doc:"next_cursor of the page before"`
	Limit        int    `query:"limit" minimum:"1" maximum:"100" default:"100" doc:"Most looks to return. A page may have fewer, even none, and still a next_cursor"`
}

type accessOutput struct {
	Body struct {
		Looks      []LookView `json:"looks" nullable:"false" doc:"In order of time"`
		Unreadable []string   `json:"unreadable,omitempty" doc:"Keys of objects that hold no look that this program reads"`
		NextCursor string     `json:"next_cursor,omitempty" doc:"Absent at the end"`
	}
}

// LookView is a look as the API shows it.
type LookView struct {
	Key           string            `json:"key" doc:"Of the archive's object"`
	At            time.Time         `json:"at"`
	Who           string            `json:"who"`
	Name          string            `json:"name,omitempty" doc:"The person's name as the sign-in gave it then; who it was says who"`
	How           string            `json:"how" example:"web"`
	What          string            `json:"what" example:"messages"`
	Conversation  string            `json:"conversation,omitempty"`
	Conversations []string          `json:"conversations,omitempty" doc:"Of a search: those of what was shown"`
	Search        map[string]string `json:"search,omitempty" doc:"Of a search: its parameters"`
	First         int64             `json:"first_seq" doc:"Smallest seq that was shown; 0 if nothing was"`
	Last          int64             `json:"last_seq"`
	Count         int               `json:"count" doc:"Messages that were shown"`
	Seqs          []int64           `json:"seqs,omitempty" doc:"Every seq; absent above 1,000"`
	From          string            `json:"from,omitempty" format:"date-time" doc:"Begin of the period that was asked for"`
	To            string            `json:"to,omitempty" format:"date-time"`
	Remote        string            `json:"remote,omitempty" doc:"Address that the request came from"`
	Request       string            `json:"request" doc:"Id of the request, as in the program's log"`
	Reason        string            `json:"reason,omitempty" doc:"Why, as the person said"`
}

func viewLook(key string, l access.Look) LookView {
	return LookView{
		Key: key, At: l.At.UTC(), Who: l.Who, Name: l.Name, How: l.How, What: l.What, Conversation: l.Conversation, Conversations: l.Conversations, Search: l.Search,
		First: l.Seqs.First, Last: l.Seqs.Last, Count: l.Seqs.Count, Seqs: l.Seqs.List,
		From: formatTime(l.From), To: formatTime(l.To), Remote: l.Remote, Request: l.Request, Reason: l.Reason,
	}
}

// List lists looks of some days.
func (s *Looks) List(ctx context.Context, in *accessInput) (*accessOutput, error) {
	q := LooksQuery{Who: in.Who, Conversation: in.Conversation, Limit: in.Limit}
	var err error
	if q.From, q.Until, err = DaysBetween(in.From, in.To, time.UTC); err != nil {
		return nil, BadParameter("query.to", err.Error())
	}
	sum := querySum("access", in.From, in.To, in.Who, in.Conversation)
	if in.Cursor != "" {
		place, err := decodeCursor(in.Cursor, sum)
		if err == nil && !q.Holds(string(place)) {
			err = errBadCursor
		}
		if err != nil {
			return nil, refusedCursor(err, "from, to, who and conversation")
		}
		q.After = string(place)
	}
	found, err := s.Find(ctx, q)
	if err != nil {
		return nil, err
	}
	out := new(accessOutput)
	out.Body.Looks, out.Body.Unreadable = found.Looks, found.Unreadable
	if out.Body.Looks == nil {
		out.Body.Looks = []LookView{}
	}
	if found.Next != "" {
		out.Body.NextCursor = encodeCursor(sum, []byte(found.Next))
	}
	return out, nil
}

// DaysBetween are the moments between which a zone has the days from to to, to inclusive.
func DaysBetween(from, to string, zone *time.Location) (begin, end time.Time, err error) {
	if begin, err = time.ParseInLocation(time.DateOnly, from, zone); err != nil {
		return begin, end, errors.New("from must be a date like 2026-11-01")
	}
	if end, err = time.ParseInLocation(time.DateOnly, to, zone); err != nil {
		return begin, end, errors.New("to must be a date like 2026-11-23")
	}
	if end.Before(begin) || !end.Before(begin.AddDate(0, 0, AccessDays)) {
		return begin, end, fmt.Errorf("to must be a day from the first to %d days after it", AccessDays-1)
	}
	return begin, end.AddDate(0, 0, 1), nil
}

// LooksQuery asks for looks from a moment until another.
type LooksQuery struct {
	From, Until       time.Time
	Who, Conversation string // empty: any
	After             string // key to go on after; empty: from the first
	Limit             int
}

// lookPlace is less than the keys of looks from this moment on, and greater than the others.
func lookPlace(at time.Time) string {
	return fmt.Sprintf("%sdt=%s/%013d", archive.AccessPrefix, archive.Day(at), at.UnixMilli())
}

// Holds says whether a key is one of the period.
func (q LooksQuery) Holds(key string) bool {
	return key > lookPlace(q.From) && key < lookPlace(q.Until)
}

func (q LooksQuery) wants(l access.Look) bool {
	return (q.Who == "" || q.Who == l.Who) &&
		(q.Conversation == "" || q.Conversation == l.Conversation || slices.Contains(l.Conversations, q.Conversation))
}

type foundLooks struct {
	Looks      []LookView
	Unreadable []string
	Next       string // key to go on after; empty: there is no more
}

// Find reads looks until there are enough, or the time is over.
func (s *Looks) Find(ctx context.Context, q LooksQuery) (found foundLooks, err error) {
	over := time.Now().Add(min(accessTime, s.config.SearchTime))
	after := q.After
	if after == "" {
		after = lookPlace(q.From)
	}
	var batch []string
	for info, err := range s.config.Objects.List(ctx, archive.AccessPrefix, after) {
		if err != nil {
			return found, fmt.Errorf("listing looks: %w", err)
		}
		if !q.Holds(info.Key) {
			break
		}
		if len(batch) == accessBatch {
			full, err := s.addLooks(ctx, q, batch, &found)
			if err != nil || full || time.Now().After(over) {
				return found, err
			}
			batch = batch[:0]
		}
		batch = append(batch, info.Key)
	}
	if _, err := s.addLooks(ctx, q, batch, &found); err != nil {
		return found, err
	}
	if len(batch) == 0 || found.Next == batch[len(batch)-1] {
		found.Next = ""
	}
	return found, nil
}

// addLooks adds those of the looks with these keys that are wanted, and says whether
// that made a page.
func (s *Looks) addLooks(ctx context.Context, q LooksQuery, keys []string, found *foundLooks) (full bool, err error) {
	looks, damage := make([]access.Look, len(keys)), make([]error, len(keys))
	readers, ctx := errgroup.WithContext(ctx)
	readers.SetLimit(accessReaders)
	for i, key := range keys {
		readers.Go(func() error {
			doc, err := store.ReadObject(ctx, s.config.Objects, key)
			if err == nil {
				looks[i], err = access.Decode(doc)
			}
			if errors.Is(err, store.ErrDamaged) || errors.Is(err, store.ErrNotFound) || errors.Is(err, archive.ErrNewFormat) {
				damage[i] = err
				return nil
			}
			if err != nil {
				return fmt.Errorf("reading a look: %w", err)
			}
			return nil
		})
	}
	if err := readers.Wait(); err != nil {
		return false, err
	}
	for i, key := range keys {
		found.Next = key
		switch {
		case damage[i] != nil:
			found.Unreadable = append(found.Unreadable, key)
			if errors.Is(damage[i], store.ErrDamaged) && !errors.Is(damage[i], store.ErrUnverified) { // of strays the scrub tells
				s.report(ctx, archive.Finding{Where: archive.InArchive, Kind: archive.Altered, Key: key, By: reader, Detail: damage[i].Error()})
			}
		case q.wants(looks[i]):
			found.Looks = append(found.Looks, viewLook(key, looks[i]))
		}
		if len(found.Looks)+len(found.Unreadable) >= q.Limit {
			return true, nil
		}
	}
	return false, nil
}

// Talks are the conversations of which something was shown.
func (l LookView) Talks() []string {
	if l.Conversation == "" || len(l.Conversations) > 0 {
		return l.Conversations
	}
	return []string{l.Conversation}
}
