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
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/chat"
	"wecom-archive/shared/store"
)

// Report says what is not covered. Lists are in byte order of ids.
type Report struct {
	At   time.Time `json:"at"`
	From string    `json:"from" format:"date" doc:"First UTC day that was looked at"`
	To   string    `json:"to" format:"date" doc:"Last one: yesterday, if not asked otherwise"`
	Days int       `json:"days" doc:"After how many days without a message of their own a seat counts as silent"`

	SeatsAt *time.Time `json:"seats_at,omitempty" doc:"When WeCom last said who has a seat; absent: never, or first after to, and the next four lists are empty"`
	Seats   int        `json:"seats" doc:"Employees who have one now, or, if to is earlier than yesterday, had one at its end"`
	ScopeAt *time.Time `json:"scope_at,omitempty" doc:"When somebody last said whom the company archives (wecom-archive coverage scope); absent: nobody did, and the next two lists are empty. An earlier to is compared with it too"`
	Scope   int        `json:"scope" doc:"Employees in that list"`

	WithoutSeat []Member `json:"without_seat" nullable:"false" doc:"In the scope, and WeCom gives them no seat: nothing of theirs is archived. WeCom drops those above the number of seats without a word"`
	Unexpected  []Member `json:"unexpected" nullable:"false" doc:"They have a seat and are not in the scope"`
	Silent      []Member `json:"silent" nullable:"false" doc:"They had a seat all these days and wrote nothing"`
	Unseated    []Member `json:"unseated" nullable:"false" doc:"Employees without a seat who take part in conversations of these days: what they write to others without a seat is not archived. Of a room everybody counts who was ever seen in it"`
	QuietDays   []string `json:"quiet_days" nullable:"false" doc:"Days on which nobody wrote anything, from the first pull to the day before the last one that worked"`
}

// Member is an employee, by the userid of now: what is known under earlier ones
// (archive.Alias) is theirs too.
type Member struct {
	ID         string     `json:"id" example:"li.na"`
	UserID     string     `json:"userid,omitempty" doc:"In WeCom's spelling"`
	Name       string     `json:"name,omitempty" doc:"Hostile input: never take it for markup"`
	Status     int        `json:"status,omitempty" doc:"1 active, 2 disabled, 4 not activated, 5 left"`
	SeatFrom   *time.Time `json:"seat_from,omitempty" doc:"Since when they have their seat, or had it last"`
	SeatTo     *time.Time `json:"seat_to,omitempty" doc:"When WeCom first did not list them any more"`
	LastWrote  string     `json:"last_wrote,omitempty" format:"date" doc:"Last UTC day up to to with a message of theirs"`
	LastActive string     `json:"last_active,omitempty" format:"date" doc:"Last of these days with a message in a conversation of theirs"`
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
	Objects       store.ObjectReader
	People        People
	Pages         Pages
	Conversations Conversations
	Now           func() time.Time
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
	case q.To.After(today):
		return nil, fmt.Errorf("%w: to is after today", ErrQuestion)
	case period > MaxPeriod*24*time.Hour:
		return nil, fmt.Errorf("%w: from and to are more than %d days apart", ErrQuestion, MaxPeriod)
	case q.Days < 1 || q.Days > MaxPeriod:
		return nil, fmt.Errorf("%w: days must be 1 to %d", ErrQuestion, MaxPeriod)
	}
	out := &Report{
		At: now.Truncate(time.Millisecond), From: archive.Day(q.From), To: archive.Day(q.To), Days: q.Days,
		WithoutSeat: []Member{}, Unexpected: []Member{}, Silent: []Member{}, Unseated: []Member{}, QuietDays: []string{},
	}
	aliases, err := r.People.Aliases(ctx)
	if err != nil {
		return nil, fmt.Errorf("reporting coverage: %w", err)
	}
	k := &look{Reporter: r, Question: q, aliases: aliases, out: out}
	steps := []func(context.Context) error{k.readSeats, k.readSubjects}
	if k.at = now; q.To.Before(today.AddDate(0, 0, -1)) {
		k.at = q.To.AddDate(0, 0, 1).Add(-time.Millisecond)
	}
	for _, step := range append(steps, k.scope, k.silent, k.unseated, k.quiet, k.name) {
		if err := step(ctx); err != nil {
			return nil, fmt.Errorf("reporting coverage: %w", err)
		}
	}
	return out, nil
}

// look is one question at work. People are named by the userid of now.
type look struct {
	Reporter
	Question
	at      time.Time // seats are compared as they were then
	aliases catalog.Aliases
	out     *Report
	known   bool // it is known who had a seat then
	seats   map[string]catalog.Seat
	ids     map[string][]string // of employees, all under which they occur
}

// now is the userid of now of what stands in the index.
func (k *look) now(id string) string { return k.aliases.Last(id) }

// readSeats finds all who have or had a seat.
func (k *look) readSeats(ctx context.Context) error {
	state, err := k.People.DirectoryState(ctx)
	if err != nil {
		return err
	}
	k.seats = map[string]catalog.Seat{}
	for s, err := range k.People.Seats(ctx) {
		if err != nil {
			return err
		}
		k.known = k.known || len(s.Periods) > 0 && !s.Periods[0].From.After(k.at)
		id := k.now(s.ID)
		k.seats[id] = joined(k.seats[id], s, s.ID == id)
	}
	if k.known = k.known && !state.SeatsAt.IsZero(); k.known {
		k.out.SeatsAt = &state.SeatsAt
	}
	for id, s := range k.seats {
		k.seats[id] = upTo(s, k.at)
		if k.seats[id].Has() {
			k.out.Seats++
		}
	}
	return nil
}

// joined is the seat of one person who was listed under two userids.
func joined(a, b catalog.Seat, spelling bool) catalog.Seat {
	if len(a.Periods) == 0 {
		return b
	}
	if spelling {
		a.UserID, a.Editions = b.UserID, b.Editions
	}
	all := slices.SortedFunc(slices.Values(slices.Concat(a.Periods, b.Periods)), func(x, y catalog.SeatPeriod) int { return x.From.Compare(y.From) })
	a.Periods = all[:1:1]
	for _, p := range all[1:] {
		last := &a.Periods[len(a.Periods)-1]
		switch {
		case last.To.IsZero():
		case p.From.After(last.To):
			a.Periods = append(a.Periods, p)
		case p.To.IsZero() || p.To.After(last.To):
			last.To = p.To
		}
	}
	return a
}

// upTo is a seat as it was at a time.
func upTo(s catalog.Seat, at time.Time) catalog.Seat {
	var then []catalog.SeatPeriod
	for _, p := range s.Periods {
		if p.From.After(at) {
			break
		}
		if p.To.After(at) {
			p.To = time.Time{}
		}
		then = append(then, p)
	}
	s.Periods = then
	return s
}

// readSubjects finds the employees who occur in the archive.
func (k *look) readSubjects(ctx context.Context) error {
	k.ids = map[string][]string{}
	for s, err := range k.People.Subjects(ctx) {
		if err != nil {
			return err
		}
		if s.Room {
			break // people come first
		}
		if chat.ParticipantOf(s.ID).Kind == chat.Employee {
			k.ids[k.now(s.ID)] = append(k.ids[k.now(s.ID)], s.ID)
		}
	}
	return nil
}

// scope compares the company's list with the seats.
func (k *look) scope(ctx context.Context) error {
	scope, err := k.People.CurrentScope(ctx, k.Objects)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	k.out.ScopeAt = &scope.At
	wanted := map[string]string{} // as they were entered
	for _, userid := range scope.UserIDs {
		if id := k.now(chat.ParticipantOf(userid).ID); wanted[id] == "" {
			wanted[id] = userid
		}
	}
	k.out.Scope = len(wanted)
	if !k.known {
		return nil
	}
	for id, userid := range wanted {
		if s := k.seats[id]; !s.Has() {
			m := member(id, s)
			m.UserID = cmp.Or(m.UserID, userid)
			k.out.WithoutSeat = append(k.out.WithoutSeat, m)
		}
	}
	for id, s := range k.seats {
		if s.Has() && wanted[id] == "" {
			k.out.Unexpected = append(k.out.Unexpected, member(id, s))
		}
	}
	return nil
}

func member(id string, s catalog.Seat) Member {
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
func (k *look) silent(ctx context.Context) error {
	since := k.To.AddDate(0, 0, 1-k.Days)
	var asked []Member
	for id, s := range k.seats {
		if s.Has() && s.Periods[len(s.Periods)-1].From.Before(since) {
			asked = append(asked, member(id, s))
		}
	}
	if err := each(ctx, asked, k.wrote); err != nil {
		return err
	}
	for _, m := range asked {
		if m.LastWrote < archive.Day(since) {
			k.out.Silent = append(k.out.Silent, m)
		}
	}
	return nil
}

// wrote looks up when somebody last wrote.
func (k *look) wrote(ctx context.Context, m *Member) error {
	for _, id := range k.ids[m.ID] {
		day, err := k.People.LastWrote(ctx, id, k.out.To)
		if err != nil {
			return err
		}
		m.LastWrote = max(m.LastWrote, day)
	}
	return nil
}

// unseated are employees who are seen and have no seat.
func (k *look) unseated(ctx context.Context) error {
	if !k.known {
		return nil
	}
	var asked []Member
	for id := range k.ids {
		if seat := k.seats[id]; !seat.Has() {
			asked = append(asked, member(id, seat))
		}
	}
	err := each(ctx, asked, func(ctx context.Context, m *Member) error {
		for _, id := range k.ids[m.ID] {
			from := k.out.From
			if m.SeatTo != nil { // what came before was archived
				from = max(from, archive.Day(m.SeatTo.AddDate(0, 0, 1)))
			}
			if from > k.out.To {
				continue
			}
			day, err := k.People.LastActive(ctx, id, from, k.out.To)
			if err != nil {
				return err
			}
			m.LastActive = max(m.LastActive, day)
		}
		if m.LastActive == "" {
			return nil
		}
		return k.wrote(ctx, m)
	})
	if err != nil {
		return err
	}
	for _, m := range asked {
		if m.LastActive != "" {
			k.out.Unseated = append(k.out.Unseated, m)
		}
	}
	return nil
}

// quiet are the days without a message, since the first pull.
func (k *look) quiet(ctx context.Context) error {
	state, err := k.Pages.PullState(ctx)
	if err != nil || state.FirstRunAt.IsZero() {
		return err
	}
	for day := k.From; !day.After(k.To); day = day.AddDate(0, 0, 1) {
		if archive.Day(day) < archive.Day(state.FirstRunAt) || archive.Day(day) >= archive.Day(state.LastSuccessAt) {
			continue // nothing was pulled that could tell
		}
		any, err := k.Conversations.AnyOn(ctx, archive.Day(day))
		if err != nil {
			return err
		}
		if !any {
			k.out.QuietDays = append(k.out.QuietDays, archive.Day(day))
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
func (k *look) name(ctx context.Context) error {
	lists := []*[]Member{&k.out.WithoutSeat, &k.out.Unexpected, &k.out.Silent, &k.out.Unseated}
	var ids []string
	for _, list := range lists {
		slices.SortFunc(*list, func(a, b Member) int { return cmp.Compare(a.ID, b.ID) })
		for _, m := range *list {
			ids = append(ids, m.ID)
		}
	}
	known, err := k.People.PersonEntries(ctx, ids...)
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
