// Package coverage answers what a compliance officer asks first: is everybody archived
// who must be? It compares whom the company says it archives (archive.Scope), who has
// a seat (the directory learns that daily), and who is seen in messages. It reads the
// index, and no message.
package coverage

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/wecom"
)

// Report says what is not covered. Lists are in byte order of ids.
type Report struct {
	At   time.Time `json:"at"`
	From string    `json:"from" format:"date" doc:"First UTC day that was looked at"`
	To   string    `json:"to" format:"date" doc:"Last one: yesterday, if not asked otherwise"`
	Days int       `json:"days" doc:"After how many days without a message of their own a seat counts as silent"`

	SeatsAt *time.Time `json:"seats_at,omitempty" doc:"When WeCom last said who has a seat; absent: never"`
	Seats   int        `json:"seats" doc:"Employees who have one now"`
	ScopeAt *time.Time `json:"scope_at,omitempty" doc:"When somebody last said whom the company archives (wecom-archive coverage scope); absent: nobody did, and the next two lists are empty"`
	Scope   int        `json:"scope" doc:"Employees in that list"`

	WithoutSeat []Member `json:"without_seat" nullable:"false" doc:"In the scope, and WeCom gives them no seat: nothing of theirs is archived. WeCom drops those above the number of seats without a word"`
	Unexpected  []Member `json:"unexpected" nullable:"false" doc:"They have a seat and are not in the scope"`
	Silent      []Member `json:"silent" nullable:"false" doc:"They had a seat all these days and wrote nothing"`
	Unseated    []Member `json:"unseated" nullable:"false" doc:"Employees without a seat who take part in conversations of these days: what they write to others without a seat is not archived"`
	QuietDays   []string `json:"quiet_days" nullable:"false" doc:"Days on which nobody wrote anything, since the archive began"`
}

// Member is an employee.
type Member struct {
	ID         string     `json:"id" example:"li.na"`
	UserID     string     `json:"userid,omitempty" doc:"In WeCom's spelling"`
	Name       string     `json:"name,omitempty" doc:"Hostile input: never take it for markup"`
	Status     int        `json:"status,omitempty" doc:"1 active, 2 disabled, 4 not activated, 5 left"`
	SeatFrom   *time.Time `json:"seat_from,omitempty" doc:"Since when they have their seat, or had it last"`
	SeatTo     *time.Time `json:"seat_to,omitempty" doc:"When WeCom first did not list them any more"`
	LastWrote  string     `json:"last_wrote,omitempty" format:"date" doc:"Last UTC day with a message of theirs"`
	LastActive string     `json:"last_active,omitempty" format:"date" doc:"Last UTC day with a message in a conversation of theirs"`
}

// Question is what to look at.
type Question struct {
	From, To time.Time // UTC days; zero: the 30 days before today
	Days     int       // 1 to 366; 0: 14
}

// Bounds of a question.
const (
	DefaultDays   = 14
	defaultPeriod = 30
	MaxPeriod     = 366 // days
)

// Reporter makes reports.
type Reporter struct {
	Objects archive.ObjectReader
	Catalog *archive.Catalog
	Now     func() time.Time
}

// ErrQuestion marks questions that make no sense.
var ErrQuestion = errors.New("this cannot be asked")

// atOnce is how many people are looked up at a time.
const atOnce = 16

// Report answers a question.
func (r Reporter) Report(ctx context.Context, q Question) (*Report, error) {
	now := r.Now().UTC()
	today := now.Truncate(24 * time.Hour)
	if q.To.IsZero() {
		q.To = today.AddDate(0, 0, -1)
	}
	if q.From.IsZero() {
		q.From = q.To.AddDate(0, 0, 1-defaultPeriod)
	}
	q.Days = cmp.Or(q.Days, DefaultDays)
	switch period := q.To.Sub(q.From); {
	case period < 0:
		return nil, fmt.Errorf("%w: from is after to", ErrQuestion)
	case period > MaxPeriod*24*time.Hour:
		return nil, fmt.Errorf("%w: from and to are more than %d days apart", ErrQuestion, MaxPeriod)
	case q.Days < 1 || q.Days > MaxPeriod:
		return nil, fmt.Errorf("%w: days must be 1 to %d", ErrQuestion, MaxPeriod)
	}
	out := &Report{
		At: now.Truncate(time.Millisecond), From: archive.Day(q.From), To: archive.Day(q.To), Days: q.Days,
		WithoutSeat: []Member{}, Unexpected: []Member{}, Silent: []Member{}, Unseated: []Member{}, QuietDays: []string{},
	}
	seats, err := r.seats(ctx, out)
	if err != nil {
		return nil, err
	}
	for _, step := range []func(context.Context, Question, *Report, map[string]archive.Seat) error{r.scope, r.silent, r.unseated, r.quiet} {
		if err := step(ctx, q, out, seats); err != nil {
			return nil, fmt.Errorf("reporting coverage: %w", err)
		}
	}
	return out, r.name(ctx, out)
}

// seats are all who have or had a seat, by id.
func (r Reporter) seats(ctx context.Context, out *Report) (map[string]archive.Seat, error) {
	state, err := r.Catalog.DirectoryState(ctx)
	if err != nil {
		return nil, err
	}
	if !state.SeatsAt.IsZero() {
		out.SeatsAt = &state.SeatsAt
	}
	seats := map[string]archive.Seat{}
	for s, err := range r.Catalog.Seats(ctx) {
		if err != nil {
			return nil, err
		}
		if seats[s.ID] = s; s.Has() {
			out.Seats++
		}
	}
	return seats, nil
}

// scope compares the company's list with the seats.
func (r Reporter) scope(ctx context.Context, _ Question, out *Report, seats map[string]archive.Seat) error {
	scope, err := r.Catalog.CurrentScope(ctx, r.Objects)
	if errors.Is(err, archive.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	out.ScopeAt = &scope.At
	wanted := map[string]bool{}
	for _, userid := range scope.UserIDs {
		id := wecom.ParticipantOf(userid).ID
		if wanted[id] {
			continue
		}
		wanted[id] = true
		if s := seats[id]; !s.Has() {
			m := member(id, s)
			m.UserID = cmp.Or(m.UserID, userid)
			out.WithoutSeat = append(out.WithoutSeat, m)
		}
	}
	out.Scope = len(wanted)
	for id, s := range seats {
		if s.Has() && !wanted[id] {
			out.Unexpected = append(out.Unexpected, member(id, s))
		}
	}
	return nil
}

func member(id string, s archive.Seat) Member {
	m := Member{ID: id, UserID: s.UserID}
	if n := len(s.Periods); n > 0 {
		m.SeatFrom = &s.Periods[n-1].From
		if !s.Has() {
			m.SeatTo = &s.Periods[n-1].To
		}
	}
	return m
}

// silent are those who had a seat for days and wrote nothing.
func (r Reporter) silent(ctx context.Context, q Question, out *Report, seats map[string]archive.Seat) error {
	since := q.To.AddDate(0, 0, 1-q.Days)
	var asked []Member
	for id, s := range seats {
		if s.Has() && s.Periods[len(s.Periods)-1].From.Before(since) {
			asked = append(asked, member(id, s))
		}
	}
	err := each(ctx, asked, func(ctx context.Context, m *Member) (err error) {
		m.LastWrote, err = r.Catalog.LastWrote(ctx, m.ID)
		return err
	})
	if err != nil {
		return err
	}
	for _, m := range asked {
		if m.LastWrote < archive.Day(since) {
			out.Silent = append(out.Silent, m)
		}
	}
	return nil
}

// unseated are employees who are seen and have no seat.
func (r Reporter) unseated(ctx context.Context, q Question, out *Report, seats map[string]archive.Seat) error {
	var asked []Member
	for s, err := range r.Catalog.Subjects(ctx) {
		if err != nil {
			return err
		}
		if s.Room {
			break // people come first
		}
		if seat := seats[s.ID]; wecom.ParticipantOf(s.ID).Kind == wecom.Employee && !seat.Has() {
			asked = append(asked, member(s.ID, seat))
		}
	}
	err := each(ctx, asked, func(ctx context.Context, m *Member) error {
		talks, err := r.Catalog.Talks(ctx, m.ID, nil, 1)
		if err == nil && len(talks) > 0 {
			m.LastActive = talks[0].Day
			m.LastWrote, err = r.Catalog.LastWrote(ctx, m.ID)
		}
		return err
	})
	if err != nil {
		return err
	}
	for _, m := range asked {
		if m.LastActive >= out.From {
			out.Unseated = append(out.Unseated, m)
		}
	}
	return nil
}

// quiet are the days without a message, since the first pull.
func (r Reporter) quiet(ctx context.Context, q Question, out *Report, _ map[string]archive.Seat) error {
	state, err := r.Catalog.PullState(ctx)
	if err != nil || state.FirstRunAt.IsZero() {
		return err
	}
	for day := q.From; !day.After(q.To); day = day.AddDate(0, 0, 1) {
		if archive.Day(day) < archive.Day(state.FirstRunAt) {
			continue
		}
		any, err := r.Catalog.AnyOn(ctx, archive.Day(day))
		if err != nil {
			return err
		}
		if !any {
			out.QuietDays = append(out.QuietDays, archive.Day(day))
		}
	}
	return nil
}

// each looks several people up at a time.
func each(ctx context.Context, all []Member, look func(context.Context, *Member) error) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	for i := range all {
		group.Go(func() error { return look(ctx, &all[i]) })
	}
	return group.Wait()
}

// name adds names, and orders the lists.
func (r Reporter) name(ctx context.Context, out *Report) error {
	lists := []*[]Member{&out.WithoutSeat, &out.Unexpected, &out.Silent, &out.Unseated}
	var ids []string
	for _, list := range lists {
		slices.SortFunc(*list, func(a, b Member) int { return cmp.Compare(a.ID, b.ID) })
		for _, m := range *list {
			ids = append(ids, m.ID)
		}
	}
	known, err := r.Catalog.PersonEntries(ctx, ids...)
	if err != nil {
		return err
	}
	for _, list := range lists {
		for i := range *list {
			m := &(*list)[i]
			e := known[m.ID]
			m.Name, m.Status, m.UserID = e.Now(), e.Status, cmp.Or(m.UserID, e.Spelling)
		}
	}
	return nil
}
