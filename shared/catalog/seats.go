package catalog

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strconv"
	"time"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog/table"
	"wecom-archive/shared/chat"
	"wecom-archive/shared/store"
)

// Seat is a member whose messages are archived, or were.
type Seat struct {
	ID       string       `json:"id"`       // case-folded
	UserID   string       `json:"userid"`   // as WeCom wrote it last
	Editions []int        `json:"editions"` // now, or at last: 1 office, 2 service, 3 enterprise
	Periods  []SeatPeriod `json:"periods"`  // in order of time
}

// SeatPeriod is a time during which WeCom listed a member.
type SeatPeriod struct {
	From time.Time `json:"from"`        // first seen
	To   time.Time `json:"to,omitzero"` // when it was first missing; zero: it is not
}

// Has says whether the member has a seat now.
func (s Seat) Has() bool { return len(s.Periods) > 0 && s.Periods[len(s.Periods)-1].To.IsZero() }

// maxSeatPeriods bounds Seat.Periods: the newest.
const maxSeatPeriods = 200

// Seats yields all members who have or had a seat, in byte order of their ids. The
// first error ends the sequence.
func (c *People) Seats(ctx context.Context) iter.Seq2[Seat, error] {
	return func(yield func(Seat, error) bool) {
		for item, err := range c.table.Walk(ctx, partitionSeats) {
			var s Seat
			if err == nil {
				if err = json.Unmarshal(item.Value, &s); err != nil {
					err = fmt.Errorf("%w: %w", store.ErrIndexDamaged, err)
				}
			}
			if err != nil {
				yield(Seat{}, fmt.Errorf("listing seats: %w", err))
				return
			}
			if !yield(s, nil) {
				return
			}
		}
	}
}

// seatsFresh is how old a list of seats may be that still says who has one: the
// directory asks daily.
const seatsFresh = 48 * time.Hour

// SeatList tells who has a seat, as the directory learned it last. It serves the
// puller, which so need not ask WeCom itself.
type SeatList struct {
	People *People
	Now    func() time.Time
}

// Seats returns the userids in the archive's scope; an error if the directory has not
// been told them for two days.
func (l SeatList) Seats(ctx context.Context) ([]string, error) {
	state, err := l.People.DirectoryState(ctx)
	if err != nil {
		return nil, err
	}
	if age := l.Now().Sub(state.SeatsAt); state.SeatsAt.IsZero() || age > seatsFresh {
		return nil, errors.New("the directory has not been told the seats for two days; see its runs")
	}
	var userids []string
	for s, err := range l.People.Seats(ctx) {
		if err != nil {
			return nil, err
		}
		if s.Has() {
			userids = append(userids, s.UserID)
		}
	}
	return userids, nil
}

// applySeats compares the seats that WeCom lists with those that are known.
func (c *People) applySeats(ctx context.Context, r archive.DirectoryRecord) error {
	state, err := c.DirectoryState(ctx)
	if err != nil || r.At.Before(state.SeatsAt) {
		return err
	}
	listed := map[string]*Seat{}
	for _, edition := range slices.Sorted(maps.Keys(r.Seats)) { // of two spellings the same one each time
		n, err := strconv.Atoi(edition)
		if err != nil {
			continue
		}
		for _, userid := range r.Seats[edition] {
			id := chat.Fold(userid)
			if id == "" || len(id) > archive.MaxPersonID {
				continue
			}
			if listed[id] == nil {
				listed[id] = &Seat{ID: id, UserID: userid}
			}
			if !slices.Contains(listed[id].Editions, n) {
				listed[id].Editions = append(listed[id].Editions, n)
			}
		}
	}
	var items []store.Item
	put := func(s Seat) error {
		if n := len(s.Periods) - maxSeatPeriods; n > 0 {
			s.Periods = s.Periods[n:]
		}
		item, err := table.NewItem(partitionSeats, s.ID, s)
		items = append(items, item)
		return err
	}
	for known, err := range c.Seats(ctx) {
		if err != nil {
			return err
		}
		now := listed[known.ID]
		delete(listed, known.ID)
		switch {
		case now == nil && known.Has():
			known.Periods[len(known.Periods)-1].To = r.At
		case now == nil:
			continue
		default:
			slices.Sort(now.Editions)
			if known.Has() && slices.Equal(now.Editions, known.Editions) && now.UserID == known.UserID {
				continue
			}
			if !known.Has() {
				known.Periods = append(known.Periods, SeatPeriod{From: r.At})
			}
			known.Editions, known.UserID = now.Editions, now.UserID
		}
		if err := put(known); err != nil {
			return err
		}
	}
	for _, s := range listed {
		slices.Sort(s.Editions)
		s.Periods = []SeatPeriod{{From: r.At}}
		if err := put(*s); err != nil {
			return err
		}
	}
	if err := c.table.Put(ctx, items...); err != nil {
		return err
	}
	// Last: it says that they are noted.
	return c.UpdateDirectoryState(ctx, func(s *DirectoryState) { s.SeatsAt = r.At })
}
