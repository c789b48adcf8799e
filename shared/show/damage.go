package show

import (
	"context"
	"errors"
	"slices"
	"time"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/damage"
	"wecom-archive/shared/person"
	"wecom-archive/shared/scrub"
)

// AcknowledgeRoles may take note of damage that nothing mends.
var AcknowledgeRoles = []person.Role{person.Operator, person.Auditor}

// statusFindings is how many findings the status lists.
const statusFindings = 20

// damageStatus is what is not as it must be.
type damageStatus struct {
	Archive      int64          `json:"archive" doc:"Objects of the archive that are missing or altered"`
	Holes        int64          `json:"holes" doc:"Places where pages are missing"`
	Strays       int64          `json:"strays" doc:"Objects in the archive that no part of the program puts there"`
	Derived      int64          `json:"derived" doc:"Things made from the archive that are missing or altered: they are made again"`
	Index        int64          `json:"index" doc:"Things that the index says and that cannot be true: it is to be made again"`
	Acknowledged int64          `json:"acknowledged" doc:"Of which somebody took note. They are not counted above"`
	AtLeast      bool           `json:"at_least,omitempty" doc:"There are more than were counted"`
	Newest       []DamagedThing `json:"newest" nullable:"false" doc:"At most 20. All: /v1/damage"`
}

// DamagedThing is a finding as people see it.
type DamagedThing struct {
	ID      string              `json:"id"`
	Where   archive.Where       `json:"where" enum:"archive,derived,index" doc:"In which bucket, or the index"`
	Kind    archive.FindingKind `json:"kind" enum:"missing,altered,stray,hole"`
	Key     string              `json:"key" doc:"Of the object; of a hole, of the page where it begins"`
	From    uint64              `json:"from,omitempty" doc:"Of a hole: messages after this seq are missing"`
	To      uint64              `json:"to,omitempty" doc:"Up to this one"`
	By      string              `json:"by" example:"scrub" doc:"Which part of the program noticed it"`
	Noticed time.Time           `json:"noticed"`
	Detail  string              `json:"detail,omitempty"`

	AcknowledgedBy string `json:"acknowledged_by,omitempty" doc:"Who took note"`
	AcknowledgedAt string `json:"acknowledged_at,omitempty" format:"date-time"`
	MendedAt       string `json:"mended_at,omitempty" format:"date-time"`
	Reason         string `json:"reason,omitempty" doc:"Why, as that person said"`
}

// scrubStatus is how far the archive was read again.
type scrubStatus struct {
	What       string `json:"what" enum:"archive,files" doc:"files: those of messages. archive: all else"`
	RoundEnded string `json:"round_ended,omitempty" format:"date-time" doc:"When the last full round ended: each object there was then was read since round_began. Absent: none has"`
	RoundBegan string `json:"round_began,omitempty" format:"date-time"`
	Objects    int    `json:"objects" doc:"Read in that round"`
	Share      int    `json:"share" doc:"Which of the shares of the round under way comes next, from 1"`
	Shares     int    `json:"shares" doc:"A round has so many, one a day; 0: nothing was read again yet"`
	Unread     int    `json:"unread" doc:"Objects that could not be read in the round under way"`
	LastRun    string `json:"last_run,omitempty" format:"date-time"`
}

func (s *Books) scrubs(ctx context.Context) ([]scrubStatus, error) {
	all := []scrubStatus{}
	for _, part := range []struct{ what, name string }{{"archive", scrub.Archive}, {"files", scrub.Files}} {
		var is scrub.Standing
		if _, err := s.config.Catalog.Journal.Progress(ctx, part.name, &is); err != nil {
			return nil, err
		}
		all = append(all, scrubStatus{
			What: part.what, RoundEnded: formatTime(is.RoundEnded), RoundBegan: formatTime(is.RoundBegan), Objects: is.RoundObjects,
			Share: is.Share + 1, Shares: is.Shares, Unread: is.Unread, LastRun: formatTime(is.LastRun),
		})
	}
	return all, nil
}

func thingView(e damage.Entry) DamagedThing {
	f := e.Finding
	t := DamagedThing{ID: e.ID, Where: f.Where, Kind: f.Kind, Key: f.Key, From: f.From, To: f.To, By: f.By, Noticed: f.Noticed.UTC(), Detail: f.Detail, Reason: e.Reason}
	switch e.As {
	case archive.Acknowledged:
		t.AcknowledgedBy, t.AcknowledgedAt = e.By, formatTime(e.At)
	case archive.Mended:
		t.MendedAt = formatTime(e.At)
	}
	return t
}

func damageView(s damage.Summary) damageStatus {
	view := damageStatus{
		Archive: int64(s.Count(archive.InArchive, archive.Missing, archive.Altered)),
		Holes:   int64(s.Count(archive.InArchive, archive.Hole)),
		Strays:  int64(s.Count(archive.InArchive, archive.Stray)),
		Derived: int64(s.Count(archive.InDerived, archive.Missing, archive.Altered)),
		Index:   int64(s.Count(archive.InIndex, archive.Missing, archive.Altered)),

		Acknowledged: int64(len(s.Acknowledged)), AtLeast: s.AtLeast, Newest: []DamagedThing{},
	}
	for _, e := range s.Open[:min(len(s.Open), statusFindings)] {
		view.Newest = append(view.Newest, thingView(e))
	}
	return view
}

// DamageInput asks for findings.
type DamageInput struct {
	State  string `query:"state" enum:"open,acknowledged,mended" default:"open" doc:"Which: open ones ask somebody to act"`
	Cursor string `query:"cursor" maxLength:"2048" doc:"next_cursor of the page before"`
	Limit  int    `query:"limit" minimum:"1" maximum:"1000" default:"100" doc:"Most entries to return"`
}

type damageOutput struct {
	Body struct {
		Damage     []DamagedThing `json:"damage" nullable:"false" doc:"In no order that matters"`
		NextCursor string         `json:"next_cursor,omitempty" doc:"Absent at the end"`
	}
}

// indexTells says whether nothing is known to be wrong with what the index says. While
// something is, no answer that rests on it is complete.
func (s *desk) indexTells(ctx context.Context) (bool, error) {
	entries, next, err := s.damage.List(ctx, "", "", damage.SummaryMax)
	wrong := slices.ContainsFunc(entries, func(e damage.Entry) bool { return e.Finding.Where == archive.InIndex })
	return !wrong && next == "", err
}

// Damage lists what is not as it must be.
func (s *Books) Damage(ctx context.Context, in *DamageInput) (*damageOutput, error) {
	state := archive.ClosedAs(in.State)
	if in.State == "open" {
		state = ""
	}
	sum := querySum("damage", in.State)
	after := ""
	if in.Cursor != "" {
		place, err := decodeCursor(in.Cursor, sum)
		if err != nil {
			return nil, refusedCursor(err, "state")
		}
		after = string(place)
	}
	entries, next, err := s.damage.List(ctx, state, after, in.Limit)
	if err != nil {
		return nil, err
	}
	out := new(damageOutput)
	out.Body.Damage = []DamagedThing{}
	for _, e := range entries {
		out.Body.Damage = append(out.Body.Damage, thingView(e))
	}
	if next != "" {
		out.Body.NextCursor = encodeCursor(sum, []byte(next))
	}
	return out, nil
}

// Acknowledge takes note of an open finding in the name of who asks.
func (s *Books) Acknowledge(ctx context.Context, id, reason string) error {
	err := s.damage.Acknowledge(ctx, id, AskerOf(ctx).Person.Subject, reason)
	switch {
	case errors.Is(err, damage.ErrUnknown):
		return &Problem{Kind: NotThere, Detail: "No finding with this id is open. /v1/damage lists those that are."}
	case errors.Is(err, damage.ErrReason):
		return BadParameter("reason", "A reason is required, of at most 1000 bytes.")
	}
	return err
}
