package show

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sync/errgroup"

	"wecom-archive/shared/catalog"
	"wecom-archive/shared/search"
	"wecom-archive/shared/segment"
	"wecom-archive/shared/store"
	"wecom-archive/shared/transcript"
)

// hits are what was found, each with its names and, if there is time, its neighbours.
func (s *Content) hits(ctx context.Context, found []search.Hit, aliases catalog.Aliases) ([]Hit, error) {
	all := make([]Hit, len(found))
	beside, cancel := context.WithTimeout(ctx, s.config.BesideTime)
	defer cancel()
	group, groupCtx := errgroup.WithContext(beside)
	group.SetLimit(8)
	conversations := make([]string, len(found))
	for i, f := range found {
		conversations[i] = f.Conversation
		group.Go(func() error {
			err := s.fillHit(groupCtx, &all[i], f, aliases)
			if err != nil && beside.Err() != nil && ctx.Err() == nil {
				all[i].Alone, err = true, nil
				if all[i].MsgID == "" {
					all[i].Original = originalUnread
				}
			}
			all[i].RecallUnknown = all[i].Original != ""
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	titles, err := s.people.Titles(ctx, conversations, func(i int) time.Time { return found[i].MsgTime })
	if err != nil {
		return nil, err
	}
	var named []Message // in order of the pointers below
	var into []*Message
	for i := range all {
		all[i].Titled = titles[i]
		for _, m := range []*Message{all[i].Before, &all[i].Message, all[i].After} {
			if m != nil {
				named, into = append(named, *m), append(into, m)
			}
		}
	}
	if _, err := s.people.nameMessages(ctx, named); err != nil {
		return nil, err
	}
	for i, m := range into {
		*m = named[i]
	}
	return all, s.markRecalled(ctx, all)
}

// markRecalled says of hits, and of what stands beside them, that they were recalled: one
// request for each conversation.
func (s *Content) markRecalled(ctx context.Context, all []Hit) error {
	of := map[string][]*Message{}
	for i := range all {
		for _, m := range []*Message{all[i].Before, &all[i].Message, all[i].After} {
			if m != nil && m.MsgID != "" {
				of[all[i].Conversation] = append(of[all[i].Conversation], m)
			}
		}
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(4)
	for conversation, messages := range of {
		group.Go(func() error {
			ids := make([]string, len(messages))
			for i, m := range messages {
				ids[i] = m.MsgID
			}
			slices.Sort(ids)
			recalls, err := s.config.Catalog.Conversations.RecallsOf(ctx, conversation, slices.Compact(ids)...)
			for _, m := range messages {
				m.LinkRecall(recalls, nil)
			}
			return err
		})
	}
	return group.Wait()
}

// fillHit reads a hit and its neighbours as the transcript has them. Of one whose
// neighbours cannot be read it shows what was found.
func (s *Content) fillHit(ctx context.Context, h *Hit, f search.Hit, aliases catalog.Aliases) (err error) {
	defer func() { // outside of the request's goroutine a panic would end the program
		if p := recover(); p != nil {
			err = errors.New("reading the messages beside a hit: panic")
		}
	}()
	at := f.Place.Position
	if f.MsgID == "" { // out of an extract, which does not say: 0 would be a version
		f.PublicKeyVer = -1
	}
	*h = Hit{
		Conversation: f.Conversation, Message: View(s.newest(transcript.Message{Row: f.Row, Place: f.Place}, aliases), false),
		Ranges: make([]TextRange, len(f.Ranges)), Link: "/m/" + strconv.FormatInt(f.Seq, 10), position: at, More: f.More,
	}
	h.Text = f.Text // that Ranges are of
	found := f.MsgID != ""
	for i, r := range f.Ranges {
		h.Ranges[i] = TextRange{r.Start, r.End}
	}
	ahead := at
	ahead.Envelope-- // the hit is the first behind it
	here, err := s.transcript.Messages(ctx, catalog.PlaceQuery{Conversation: f.Conversation, After: &ahead, Limit: 2})
	if err == nil && len(here) > 0 && here[0].Place.Compare(at) == 0 && here[0].Readable() {
		h.Message = View(s.newest(here[0], aliases), false)
		h.Text, found = f.Text, true
		here = here[1:]
	}
	if !found || f.Unread {
		why, m, err := s.original(ctx, h.Message, f, aliases)
		if err != nil {
			return err
		}
		h.Original, h.Message = why, m
	}
	before := []transcript.Message(nil)
	if err == nil {
		before, err = s.transcript.Messages(ctx, catalog.PlaceQuery{Conversation: f.Conversation, After: &at, Descending: true, Limit: 1})
	}
	if errors.Is(err, store.ErrDamaged) || errors.Is(err, store.ErrNotFound) {
		s.LogFailure(ctx, "reading the messages beside a hit", err)
		h.Alone = true
		return nil
	}
	if err != nil {
		return err
	}
	if len(here) > 0 {
		m := View(s.newest(here[0], aliases), false)
		h.After = &m
	}
	if len(before) > 0 {
		m := View(s.newest(before[0], aliases), false)
		h.Before = &m
	}
	return nil
}

// Values of Hit.Original.
const (
	originalMissing = "missing"
	originalUnread  = "unread"
)

// original reads a message of which only what a search found is known where the truth lies.
// If that cannot be read it says why, and shown stays.
func (s *Content) original(ctx context.Context, shown Message, f search.Hit, aliases catalog.Aliases) (why string, m Message, err error) {
	_, rows, err := segment.Read(ctx, s.config.Objects, f.Place.Object)
	switch {
	case errors.Is(err, store.ErrNotFound):
		why = originalMissing
	case errors.Is(err, store.ErrDamaged):
		why = originalUnread
	case err != nil:
		return "", shown, err
	case f.Place.Row >= len(rows) || !rows[f.Place.Row].Readable() || rows[f.Place.Row].Seq != f.Seq:
		return originalUnread, shown, nil // another message, or none
	}
	if err != nil {
		s.LogFailure(ctx, "reading the original of a hit", err)
		return why, shown, nil
	}
	m = View(s.newest(transcript.Message{Row: rows[f.Place.Row], Place: f.Place}, aliases), false)
	if !f.Unread {
		m.Text = f.Text // that Ranges are of
	}
	return "", m, nil
}

const rangeWeight = 30 // bytes of a range in an answer

// fittingHits is like fitting.
func fittingHits(hits []Hit) int {
	size := 0
	for i := range hits {
		h := &hits[i]
		for _, m := range []*Message{h.Before, &h.Message, h.After} {
			if m != nil {
				m.lighten(answerWeight / 3)
				size += m.size()
			}
		}
		h.Ranges = slices.DeleteFunc(h.Ranges, func(r TextRange) bool { return r.End > len(h.Text) })
		size += len(h.Ranges) * rangeWeight
		if size > answerWeight && i > 0 {
			return i
		}
	}
	return len(hits)
}
