package directory

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/chat"
	"wecom-archive/shared/wecom"
	"wecom-archive/shared/wecom/companion"
)

// wanted are the ids to ask for, in the order of the walk.
type wanted struct {
	employees, customers, robots, rooms []string
	fresh                               int  // customers never asked for; they come first
	more                                bool // Most was reached
}

// wanted looks through all ids that occur in the archive.
func (r *run) wanted(ctx context.Context, daily bool) (w wanted, err error) {
	var again []string // customers
	n := 0
	for subject, err := range r.People.Subjects(ctx) {
		if err != nil {
			return w, err
		}
		if !r.isDue(subject, daily) {
			continue
		}
		if n++; n > r.Most {
			w.more = true
			break
		}
		switch kind := chat.ParticipantOf(subject.ID).Kind; {
		case subject.Room:
			w.rooms = append(w.rooms, subject.ID)
		case kind == chat.Employee:
			w.employees = append(w.employees, subject.ID)
		case kind == chat.Robot:
			w.robots = append(w.robots, subject.ID)
		case subject.AskedAt.IsZero():
			w.customers = append(w.customers, subject.ID)
		default:
			again = append(again, subject.ID)
		}
	}
	w.fresh = len(w.customers)
	w.customers = append(w.customers, again...)
	return w, nil
}

func (r *run) isDue(s catalog.Subject, daily bool) bool {
	kind := chat.ParticipantOf(s.ID).Kind
	needsApp := !s.Room && (kind == chat.Employee || kind == chat.External)
	switch {
	case needsApp && r.App == nil:
		return false
	case s.AskedAt.IsZero():
		return true
	case s.Answer == archive.NoApp && r.App != nil:
		return true // since then somebody made one
	case !daily:
		return false
	case !s.Room && kind == chat.External && s.Answer == archive.Named:
		// Its followers' lists have it, or somebody asks for it alone.
		return r.StartedAt.Sub(s.AskedAt) > (customerDays+1)*24*time.Hour && due(s.ID, s.AskedAt, r.StartedAt, otherDays)
	}
	return due(s.ID, s.AskedAt, r.StartedAt, otherDays)
}

// learn asks for ids, employees first: their lists name customers.
func (r *run) learn(ctx context.Context, w wanted) error {
	if err := r.each(ctx, w.employees, r.employee); err != nil {
		return err
	}
	left, err := r.manyCustomers(ctx, w.customers[:w.fresh])
	if err != nil {
		return err
	}
	for _, step := range []struct {
		ids []string
		ask func(context.Context, string) error
	}{
		{append(left, w.customers[w.fresh:]...), r.customer}, {w.rooms, r.room}, {w.robots, r.robot},
	} {
		if err := r.each(ctx, step.ids, step.ask); err != nil {
			return err
		}
	}
	return r.flush(ctx)
}

// each asks for ids, several at a time.
func (r *run) each(ctx context.Context, ids []string, ask func(context.Context, string) error) error {
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(r.Parallel)
	for _, id := range ids {
		if err := r.proceed(groupCtx); err != nil {
			if waitErr := group.Wait(); waitErr != nil {
				return waitErr // the reason, if one of the calls ended the run
			}
			return err
		}
		group.Go(func() error { return ask(groupCtx, id) })
	}
	return group.Wait()
}

func (r *run) employee(ctx context.Context, id string) error {
	if !r.usable(whoseApp, "user") {
		return nil
	}
	record := archive.DirectoryRecord{Kind: archive.SubjectEmployee, ID: id}
	spelling, ok := r.spelling[id]
	if !ok {
		spelling = id
	}
	u, err := r.App.User(ctx, spelling)
	switch {
	case err == nil:
		record.Answer, record.Name, record.Spelling, record.Alias = archive.Named, u.Name, u.ID, u.Alias
		record.Position, record.Departments, record.MainDepartment, record.Status = u.Position, u.Departments, u.MainDepartment, u.Status
	case !r.settled(err, &record):
		return r.refuse(ctx, whoseApp, "user", err)
	}
	return r.keep(ctx, record)
}

// settled says whether an error is the answer, and notes which.
func (r *run) settled(err error, record *archive.DirectoryRecord) bool {
	switch e, ok := errors.AsType[*wecom.Error](err); {
	case errors.Is(err, wecom.ErrUnknownID), errors.Is(err, wecom.ErrNoExternalContact):
		record.Answer = archive.Unknown
	case ok && e.Class() == wecom.Bad:
		record.Answer = archive.Hidden
	default:
		return false
	}
	return true
}

func (r *run) customer(ctx context.Context, id string) error {
	if !r.usable(whoseApp, "customer") {
		return nil
	}
	record := archive.DirectoryRecord{Kind: archive.SubjectExternal, ID: id}
	contact, followers, err := r.App.ExternalContact(ctx, id)
	if err != nil && !r.settled(err, &record) {
		return r.refuse(ctx, whoseApp, "customer", err)
	}
	if err == nil {
		record = recordOf(contact, id)
		for _, f := range followers {
			record.Followers = append(record.Followers, follower(f))
		}
	}
	return r.keep(ctx, record)
}

func recordOf(x companion.ExternalContact, id string) archive.DirectoryRecord {
	return archive.DirectoryRecord{
		Kind: archive.SubjectExternal, ID: id, Answer: archive.Named, Name: x.Name, Position: x.Position,
		Type: x.Type, CorpName: x.CorpName, CorpFullName: x.CorpFullName,
	}
}

func follower(f companion.Follower) archive.Follower {
	out := archive.Follower{
		UserID: f.UserID, Remark: f.Remark, Description: f.Description, CorpName: f.RemarkCorp, CreatedAt: seconds(f.CreatedAt), TagIDs: f.TagIDs,
	}
	for _, tag := range f.Tags {
		out.Tags = append(out.Tags, tag.Group+"/"+tag.Name)
	}
	return out
}

// seconds is a time that WeCom gives in Unix seconds; 0 is none.
func seconds(s int64) time.Time {
	const end = 253402300800 // year 10000
	if s <= 0 || s >= end {
		return time.Time{}
	}
	return time.Unix(s, 0).UTC()
}

func (r *run) room(ctx context.Context, id string) error {
	record := archive.DirectoryRecord{Kind: archive.SubjectRoom, ID: id}
	known, err := r.People.RoomEntries(ctx, id)
	if err != nil {
		return err
	}
	// Which API knows a room is not known before; the one that did, does.
	ask := []func(context.Context, *archive.DirectoryRecord) (bool, error){r.customerRoom, r.internalRoom}
	if e, ok := known[id]; ok && !e.Customers {
		slices.Reverse(ask)
	} else if ok && !r.appSeesRooms() {
		return nil // only the app could say more
	}
	for _, one := range ask {
		settled, err := one(ctx, &record)
		if err != nil {
			return err
		}
		if settled {
			break
		}
	}
	if record.Answer == "" {
		return nil // WeCom did not say; asked again by the next run
	}
	return r.keep(ctx, record)
}

// appSeesRooms says whether rooms with customers can be asked for.
func (r *run) appSeesRooms() bool { return r.App != nil && r.usable(whoseApp, "room") }

// customerRoom asks for a room as one with customers. settled: no need to ask
// elsewhere.
func (r *run) customerRoom(ctx context.Context, record *archive.DirectoryRecord) (settled bool, err error) {
	if !r.appSeesRooms() {
		return false, nil
	}
	g, err := r.App.CustomerGroup(ctx, record.ID)
	switch {
	case err == nil:
		record.Answer, record.Name, record.Customers, record.Owner = archive.Named, g.Name, true, g.Owner
		record.CreatedAt, record.Notice = seconds(g.CreatedAt), g.Notice
		for _, m := range g.Members {
			record.Members = append(record.Members, archive.RoomMember{ID: m.ID, Name: m.Name, Nickname: m.Nickname, JoinedAt: seconds(m.JoinedAt)})
		}
		return true, nil
	case errors.Is(err, companion.ErrNotCustomerGroup):
		record.Answer = archive.Unknown
		return false, nil
	case r.settled(err, record):
		return false, nil
	}
	return false, r.refuse(ctx, whoseApp, "room", err)
}

// internalRoom asks for a room as one without customers.
func (r *run) internalRoom(ctx context.Context, record *archive.DirectoryRecord) (settled bool, err error) {
	if !r.usable(whoseArchive, "room") {
		record.Answer = "" // it may be internal
		return false, nil
	}
	g, err := r.Archive.InternalGroup(ctx, record.ID)
	switch {
	case err == nil:
		record.Answer, record.Name, record.Owner = archive.Named, g.Name, g.Creator
		record.CreatedAt, record.Notice = seconds(g.CreatedAt), g.Notice
		for _, m := range g.Members {
			record.Members = append(record.Members, archive.RoomMember{ID: m.ID, JoinedAt: seconds(m.JoinedAt)})
		}
		return true, nil
	case errors.Is(err, wecom.ErrNotInternalGroup):
		record.Customers = true
		if !r.appSeesRooms() {
			record.Answer = archive.NoApp
		}
		return false, nil
	case errors.Is(err, wecom.ErrUnknownID):
		record.Answer = archive.Unknown
		return false, nil
	case r.settled(err, record):
		return false, nil
	}
	record.Answer = ""
	return false, r.refuse(ctx, whoseArchive, "room", err)
}

func (r *run) robot(ctx context.Context, id string) error {
	if !r.usable(whoseArchive, "robot") {
		return nil
	}
	record := archive.DirectoryRecord{Kind: archive.SubjectRobot, ID: id}
	info, err := r.Archive.RobotInfo(ctx, id)
	switch {
	case err == nil:
		record.Answer, record.Name, record.Owner = archive.Named, info.Name, info.Creator
	case !r.settled(err, &record):
		return r.refuse(ctx, whoseArchive, "robot", err)
	}
	return r.keep(ctx, record)
}

// seats asks who has a seat, edition by edition.
func (r *run) seats(ctx context.Context) error {
	record := archive.DirectoryRecord{Kind: archive.SubjectSeats, Answer: archive.Named, Seats: map[string][]string{}}
	for name, edition := range map[string]companion.Edition{"1": companion.Office, "2": companion.Service, "3": companion.Enterprise} {
		if err := r.proceed(ctx); err != nil {
			return err
		}
		ids, err := r.Archive.PermitUserList(ctx, edition)
		if err != nil {
			return r.refuse(ctx, whoseArchive, "seats", err) // a list that lacks an edition would end its seats
		}
		slices.Sort(ids)
		record.Seats[name] = ids
	}
	if err := r.keep(ctx, record); err != nil {
		return err
	}
	return r.flush(ctx)
}

// spellings learns how userids are written: the index has them folded.
func (r *run) spellings(ctx context.Context) error {
	for seat, err := range r.People.Seats(ctx) {
		if err != nil {
			return err
		}
		if seat.UserID != strings.ToLower(seat.UserID) {
			r.spelling[seat.ID] = seat.UserID
		}
	}
	return nil
}
