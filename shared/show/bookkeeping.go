package show

import (
	"context"
	"encoding/binary"
	"errors"
	"time"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/store"
)

// What the archive knows of itself: pages, quarantine, runs, gaps, incidents and
// keys. None of it holds content.

type listInput struct {
	Cursor string `query:"cursor" maxLength:"2048" doc:"next_cursor of the page before"`
	Limit  int    `query:"limit" minimum:"1" maximum:"1000" default:"100" doc:"Most entries to return"`
}

type pageState struct {
	Key        string                  `json:"key" doc:"Of the archive's object"`
	SeqAsked   uint64                  `json:"seq_asked" doc:"WeCom was asked for what comes after it"`
	LastSeq    uint64                  `json:"last_seq" doc:"Last seq of the page: the next one was asked after it"`
	Count      int                     `json:"count" doc:"Envelopes"`
	PulledAt   time.Time               `json:"pulled_at"`
	Archived   bool                    `json:"archived" doc:"Its segment is stored"`
	ArchivedAt string                  `json:"archived_at,omitempty" format:"date-time"`
	Parts      int                     `json:"parts" doc:"Objects of the segment"`
	Damaged    []string                `json:"damaged,omitempty" doc:"Keys of those that cannot be read; what they should hold is stored again"`
	Readable   int                     `json:"readable" doc:"Envelopes that hold their message"`
	Unreadable map[archive.Outcome]int `json:"unreadable,omitempty" doc:"Envelopes by reason"`
	RedriveAt  string                  `json:"redrive_at,omitempty" format:"date-time" doc:"When somebody last asked to try it again"`
}

func pageView(p catalog.PageState) pageState {
	return pageState{
		Key: p.Key, SeqAsked: p.SeqAsked, LastSeq: p.LastSeq, Count: p.Count, PulledAt: p.PulledAt.UTC(),
		Archived: p.Archived, ArchivedAt: formatTime(p.ArchivedAt), Parts: p.Parts, Damaged: p.Damaged,
		Readable: p.OK, Unreadable: p.Unreadable, RedriveAt: formatTime(p.RedriveAt),
	}
}

type pagesOutput struct {
	Body struct {
		Pages      []pageState `json:"pages" nullable:"false" doc:"In order of seq"`
		NextCursor string      `json:"next_cursor,omitempty" doc:"Absent at the end"`
	}
}

type pageInput struct {
	Seq uint64 `path:"seq" doc:"The seq that the page was asked after"`
}

type pageOutput struct{ Body pageState }

type quarantineInput struct {
	Reason string `query:"reason" maxLength:"64" example:"unknown_key_version" doc:"Only pages with envelopes that cannot be read for this reason. A page of the list may have fewer then, and still a next_cursor"`
	Cursor string `query:"cursor" maxLength:"2048" doc:"next_cursor of the page before"`
	Limit  int    `query:"limit" minimum:"1" maximum:"1000" default:"100" doc:"Most pages to look at"`
}

type runsOutput struct {
	Body struct {
		Runs       []run  `json:"runs" nullable:"false" doc:"Of the puller, newest first"`
		NextCursor string `json:"next_cursor,omitempty" doc:"Absent at the end"`
	}
}

type gapsOutput struct {
	Body struct {
		Gaps       []gap  `json:"gaps" nullable:"false" doc:"Newest first. They stay for ever"`
		NextCursor string `json:"next_cursor,omitempty" doc:"Absent at the end"`
	}
}

type incident struct {
	Key      string    `json:"key" doc:"Of the archive's object"`
	Kind     string    `json:"kind" enum:"delete_marker,later_version"`
	Version  string    `json:"version" doc:"The store's id of the marker or version"`
	Modified time.Time `json:"modified" doc:"When it was put"`
	Size     int64     `json:"size" doc:"Bytes"`
}

type incidentsOutput struct {
	Body struct {
		Incidents  []incident `json:"incidents" nullable:"false" doc:"Newest first. The truth is unharmed: it is the earliest version"`
		NextCursor string     `json:"next_cursor,omitempty" doc:"Absent at the end"`
	}
}

type keysOutput struct {
	Body struct {
		Keys []key `json:"keys" nullable:"false" doc:"In order of their making"`
	}
}

type key struct {
	ID          string    `json:"id"`
	Fingerprint string    `json:"fingerprint" doc:"SHA-256 of the public key's DER, hex"`
	PublicPEM   string    `json:"public_pem" doc:"As pasted into the WeCom console"`
	Imported    bool      `json:"imported" doc:"Made elsewhere"`
	CreatedAt   time.Time `json:"created_at"`
	Versions    []int64   `json:"versions" nullable:"false" doc:"publickey_ver whose messages it opens, as far as proved"`
}

// Pages lists pages, and what became of them.
func (s *Books) Pages(ctx context.Context, in *listInput) (*pagesOutput, error) {
	return s.pageList(ctx, *in, querySum("pages"), s.config.Catalog.Pages.From, func(catalog.PageState) bool { return true })
}

// Quarantine lists pages with envelopes that cannot be read, or with damaged segments.
func (s *Books) Quarantine(ctx context.Context, in *quarantineInput) (*pagesOutput, error) {
	wanted := func(p catalog.PageState) bool {
		return in.Reason == "" || p.Unreadable[archive.Outcome(in.Reason)] > 0
	}
	return s.pageList(ctx, listInput{in.Cursor, in.Limit}, querySum("quarantine", in.Reason), s.config.Catalog.Pages.Quarantined, wanted)
}

// pageList answers with those of in.Limit pages that are wanted.
func (s *Books) pageList(ctx context.Context, in listInput, sum [querySumSize]byte, list func(context.Context, uint64, int) ([]catalog.PageState, error), wanted func(catalog.PageState) bool) (*pagesOutput, error) {
	var from uint64
	if in.Cursor != "" {
		place, err := decodeCursor(in.Cursor, sum)
		if err == nil && len(place) != 8 {
			err = errBadCursor
		}
		if err != nil {
			return nil, refusedCursor(err, "reason")
		}
		from = binary.BigEndian.Uint64(place)
	}
	states, err := list(ctx, from, in.Limit+1)
	if err != nil {
		return nil, err
	}
	out := new(pagesOutput)
	out.Body.Pages = []pageState{}
	for _, p := range states[:min(in.Limit, len(states))] {
		if wanted(p) {
			out.Body.Pages = append(out.Body.Pages, pageView(p))
		}
	}
	if len(states) > in.Limit {
		out.Body.NextCursor = encodeCursor(sum, binary.BigEndian.AppendUint64(nil, states[in.Limit].SeqAsked))
	}
	return out, nil
}

// Page shows one page.
func (s *Books) Page(ctx context.Context, in *pageInput) (*pageOutput, error) {
	state, err := s.config.Catalog.Pages.Page(ctx, in.Seq)
	if errors.Is(err, store.ErrNotFound) {
		return nil, &Problem{Kind: NotThere, Detail: "No page was asked after this seq. /v1/messages/{seq} names the page of a message."}
	}
	if err != nil {
		return nil, err
	}
	return &pageOutput{Body: pageView(state)}, nil
}

// Runs lists runs of the puller, newest first.
func (s *Books) Runs(ctx context.Context, in *listInput) (*runsOutput, error) {
	out := new(runsOutput)
	out.Body.Runs = []run{}
	var err error
	out.Body.NextCursor, err = history(ctx, *in, "runs", func(ctx context.Context, before string, limit int) (string, error) {
		runs, next, err := s.config.Catalog.Journal.RunsBefore(ctx, pullerStage, before, limit)
		for _, r := range runs {
			out.Body.Runs = append(out.Body.Runs, runView(r))
		}
		return next, err
	})
	return out, err
}

// Gaps lists times of which messages may be missing, newest first.
func (s *Books) Gaps(ctx context.Context, in *listInput) (*gapsOutput, error) {
	out := new(gapsOutput)
	out.Body.Gaps = []gap{}
	var err error
	out.Body.NextCursor, err = history(ctx, *in, "gaps", func(ctx context.Context, before string, limit int) (string, error) {
		gaps, next, err := s.config.Catalog.Journal.GapsBefore(ctx, before, limit)
		for _, g := range gaps {
			out.Body.Gaps = append(out.Body.Gaps, gapView(g))
		}
		return next, err
	})
	return out, err
}

// Incidents lists what was laid over the archive, newest first.
func (s *Books) Incidents(ctx context.Context, in *listInput) (*incidentsOutput, error) {
	out := new(incidentsOutput)
	out.Body.Incidents = []incident{}
	var err error
	out.Body.NextCursor, err = history(ctx, *in, "incidents", func(ctx context.Context, before string, limit int) (string, error) {
		incidents, next, err := s.config.Catalog.Journal.IncidentsBefore(ctx, before, limit)
		for _, i := range incidents {
			out.Body.Incidents = append(out.Body.Incidents, incident{Key: i.Key, Kind: i.Kind, Version: i.Version, Modified: i.Modified.UTC(), Size: i.Size})
		}
		return next, err
	})
	return out, err
}

// history lists backwards from where the cursor says, and returns the next cursor.
func history(ctx context.Context, in listInput, name string, list func(ctx context.Context, before string, limit int) (next string, err error)) (cursor string, err error) {
	sum := querySum(name)
	before := ""
	if in.Cursor != "" {
		place, err := decodeCursor(in.Cursor, sum)
		if err == nil && (len(place) == 0 || !conversationID(string(place))) {
			err = errBadCursor
		}
		if err != nil {
			return "", refusedCursor(err, "path")
		}
		before = string(place)
	}
	next, err := list(ctx, before, in.Limit)
	if err != nil || next == "" {
		return "", err
	}
	return encodeCursor(sum, []byte(next)), nil
}

// Keys lists key pairs, their public halves, and the versions that they open.
func (s *Books) Keys(ctx context.Context, _ *struct{}) (*keysOutput, error) {
	bindings, err := s.config.Catalog.Keys.Bindings(ctx, setupKeys)
	if err != nil {
		return nil, err
	}
	known, err := s.config.Catalog.Keys.PublicKeys(ctx, setupKeys)
	if err != nil {
		return nil, err
	}
	out := new(keysOutput)
	out.Body.Keys = []key{}
	for _, public := range known {
		k := key{ID: public.ID, Fingerprint: public.Fingerprint, PublicPEM: public.PublicPEM, Imported: public.Imported, CreatedAt: public.CreatedAt.UTC(), Versions: []int64{}}
		for _, b := range bindings {
			if b.Key == public.ID {
				k.Versions = append(k.Versions, b.PublicKeyVer)
			}
		}
		out.Body.Keys = append(out.Body.Keys, k)
	}
	return out, nil
}
