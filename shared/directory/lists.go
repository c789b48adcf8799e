package directory

import (
	"context"
	"errors"
	"slices"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/chat"
	"wecom-archive/shared/wecom"
	"wecom-archive/shared/wecom/companion"
)

// fewCustomers is how many new customers are asked for one by one: lists would not
// take fewer calls.
const fewCustomers = 100

// manyCustomers finds new customers in the lists of the employees who may follow
// them. It returns those that are left to ask for one by one.
func (r *run) manyCustomers(ctx context.Context, ids []string) (left []string, err error) {
	if len(ids) < fewCustomers || !r.usable(whoseApp, "lists") {
		return ids, nil
	}
	wanted := make(map[string]bool, len(ids))
	for _, id := range ids {
		wanted[id] = true
	}
	followers, err := r.followers(ctx, func(string) bool { return true })
	if err != nil {
		return nil, err
	}
	calls := 0
	err = r.lists(ctx, followers, func(contacts []companion.Contact) (bool, error) {
		calls++
		for _, c := range contacts {
			if !wanted[c.External.ID] {
				continue // not in the archive, or already found in another's list
			}
			delete(wanted, c.External.ID)
			if err := r.keepContact(ctx, c); err != nil {
				return false, err
			}
		}
		// Companies with many more customers than the archive has: one by one is less.
		found := len(ids) - len(wanted)
		return len(wanted) > 0 && calls <= found+fewCustomers, nil
	})
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return !wanted[id] }), nil
}

// customersOfTheDay reads the lists of the employees whose turn is today.
func (r *run) customersOfTheDay(ctx context.Context) error {
	if r.App == nil {
		return nil
	}
	today := dayNumber(r.StartedAt) % customerDays
	followers, err := r.followers(ctx, func(id string) bool { return phase(id, customerDays) == today })
	if err != nil {
		return err
	}
	return r.lists(ctx, followers, func(contacts []companion.Contact) (bool, error) {
		ids := make([]string, len(contacts))
		for i, c := range contacts {
			ids[i] = c.External.ID
		}
		known, err := r.People.PersonEntries(ctx, ids...)
		if err != nil {
			return false, err
		}
		for _, c := range contacts {
			e, ok := known[c.External.ID]
			// One whom two follow comes twice.
			if !ok || !e.CheckedAt.Before(r.StartedAt) {
				continue
			}
			if err := r.keepContact(ctx, c); err != nil {
				return false, err
			}
		}
		return true, nil
	})
}

func (r *run) keepContact(ctx context.Context, c companion.Contact) error {
	record := recordOf(c.External, c.External.ID)
	record.Followers = []archive.Follower{follower(c.Follow)}
	return r.keep(ctx, record)
}

// followers are the userids of employees in the archive whom WeCom knows.
func (r *run) followers(ctx context.Context, want func(id string) bool) ([]string, error) {
	var userids []string
	var batch []string
	look := func() error {
		known, err := r.People.PersonEntries(ctx, batch...)
		if err != nil {
			return err
		}
		for _, id := range batch {
			if e := known[id]; e.Kind == archive.SubjectEmployee && e.Answer == archive.Named && e.Spelling != "" {
				userids = append(userids, e.Spelling)
			}
		}
		batch = batch[:0]
		return nil
	}
	if err := r.flush(ctx); err != nil { // who was learned just now counts
		return nil, err
	}
	for subject, err := range r.People.Subjects(ctx) {
		if err != nil {
			return nil, err
		}
		if subject.Room {
			break // people come first
		}
		if subject.Answer != archive.Named || chat.ParticipantOf(subject.ID).Kind != chat.Employee || !want(subject.ID) {
			continue
		}
		if batch = append(batch, subject.ID); len(batch) == 100 {
			if err := look(); err != nil {
				return nil, err
			}
		}
	}
	if err := look(); err != nil {
		return nil, err
	}
	return userids, nil
}

// lists reads the customers of employees until page, which gets one page after the
// other, has enough.
func (r *run) lists(ctx context.Context, userids []string, page func([]companion.Contact) (more bool, err error)) error {
	for chunk := range slices.Chunk(userids, companion.MaxContactsUsers) {
		more, err := r.list(ctx, chunk, page)
		if err != nil || !more {
			return err
		}
	}
	return nil
}

// list reads the customers of at most MaxContactsUsers employees. One whom WeCom will
// not list spoils the whole call, so the others are asked for without: by halves.
func (r *run) list(ctx context.Context, userids []string, page func([]companion.Contact) (more bool, err error)) (more bool, err error) {
	for cursor := ""; ; {
		if !r.usable(whoseApp, "lists") {
			return false, nil
		}
		if err := r.proceed(ctx); err != nil {
			return false, err
		}
		contacts, next, err := r.App.ContactsOf(ctx, userids, cursor)
		if e, ok := errors.AsType[*wecom.Error](err); ok && e.Class() == wecom.Bad && cursor == "" {
			if len(userids) == 1 {
				return true, nil
			}
			half := len(userids) / 2
			if more, err := r.list(ctx, userids[:half], page); err != nil || !more {
				return more, err
			}
			return r.list(ctx, userids[half:], page)
		}
		if err != nil {
			return false, r.refuse(ctx, whoseApp, "lists", err)
		}
		if more, err := page(contacts); err != nil || !more {
			return more, err
		}
		if cursor = next; next == "" {
			return true, nil
		}
	}
}
