package show

import (
	"context"
	"errors"
	"time"

	"wecom-archive/shared/catalog"
	"wecom-archive/shared/coverage"
)

// Who has a seat, and who is not covered.

type seatsOutput struct {
	Body struct {
		SeatsAt string     `json:"seats_at,omitempty" format:"date-time" doc:"When WeCom last said who has a seat; absent: never"`
		Seats   []seatView `json:"seats" nullable:"false" doc:"All who have one or had one, in byte order of their ids"`
	}
}

type seatView struct {
	ID       string               `json:"id"`
	UserID   string               `json:"userid" doc:"In WeCom's spelling"`
	Name     string               `json:"name,omitempty" doc:"Hostile input: never take it for markup"`
	Archived bool                 `json:"archived" doc:"They have a seat now"`
	Editions []int                `json:"editions" nullable:"false" doc:"1 office, 2 service, 3 enterprise"`
	Periods  []catalog.SeatPeriod `json:"periods" nullable:"false" doc:"When WeCom listed them"`
}

type coverageInput struct {
	From string `query:"from" format:"date" doc:"First UTC day; without it the 30 days up to to"`
	To   string `query:"to" format:"date" doc:"Last UTC day; without it yesterday"`
	Days int    `query:"days" minimum:"1" maximum:"366" default:"14" doc:"A seat that wrote nothing for so many days is silent"`
}

type coverageOutput struct{ Body *coverage.Report }

// Seats lists who has a seat, or had one.
func (s *People) Seats(ctx context.Context, _ *struct{}) (*seatsOutput, error) {
	state, err := s.config.Catalog.People.DirectoryState(ctx)
	if err != nil {
		return nil, err
	}
	out := new(seatsOutput)
	out.Body.SeatsAt, out.Body.Seats = formatTime(state.SeatsAt), []seatView{}
	var ids []string
	for seat, err := range s.config.Catalog.People.Seats(ctx) {
		if err != nil {
			return nil, err
		}
		ids = append(ids, seat.ID)
		out.Body.Seats = append(out.Body.Seats, seatView{ID: seat.ID, UserID: seat.UserID, Archived: seat.Has(), Editions: seat.Editions, Periods: seat.Periods})
	}
	n, err := s.NamesOf(ctx, ids, nil)
	for i := range out.Body.Seats {
		out.Body.Seats[i].Name = n.People[out.Body.Seats[i].ID].Now()
	}
	return out, err
}

// Coverage compares who should be archived with who is.
func (s *People) Coverage(ctx context.Context, in *coverageInput) (*coverageOutput, error) {
	q := coverage.Question{Days: in.Days}
	for _, day := range []struct {
		name, text string
		to         *time.Time
	}{{"from", in.From, &q.From}, {"to", in.To, &q.To}} {
		if day.text == "" {
			continue
		}
		var err error
		if *day.to, err = time.Parse(time.DateOnly, day.text); err != nil {
			return nil, BadParameter("query."+day.name, day.name+" must be a day, as 2026-11-23.")
		}
	}
	report, err := coverage.Reporter{
		Objects: s.config.Objects, People: s.config.Catalog.People, Pages: s.config.Catalog.Pages, Conversations: s.config.Catalog.Conversations, Now: s.config.Now,
	}.Report(ctx, q)
	if errors.Is(err, coverage.ErrQuestion) {
		return nil, BadParameter("query.from", "from must not be after to, nor more than 366 days before it, and to not after today.")
	}
	return &coverageOutput{report}, err
}
