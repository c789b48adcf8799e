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

// pair is an employee and somebody outside who talk, as WeCom is asked about them.
type pair struct {
	companion.Pair
	conversation string
}

// consents asks who agreed to being archived, in the conversations whose turn it is.
func (r *run) consents(ctx context.Context, daily bool) (more bool, err error) {
	if r.aliases, err = r.People.Aliases(ctx); err != nil {
		return false, err
	}
	var pairs []pair
	var rooms []string
	for c, err := range r.Consents.ConsentSubjects(ctx) {
		if err != nil {
			return false, err
		}
		if chat.Renamed(c.ID, r.aliases.First) != c.ID {
			continue // asked for under its first name, to which reparse moves it
		}
		if !c.AskedAt.IsZero() && !(daily && due(c.ID, c.AskedAt, r.StartedAt, otherDays)) {
			continue
		}
		if len(pairs)+len(rooms) == r.Most {
			more = true
			break
		}
		if room, ok := chat.RoomOf(c.ID); ok {
			rooms = append(rooms, room)
		} else if p, ok := r.pairOf(c.ID); ok {
			pairs = append(pairs, p)
		}
	}
	for chunk := range slices.Chunk(pairs, companion.MaxAgreePairs) {
		if err := r.consentOfPairs(ctx, chunk); err != nil {
			return more, err
		}
	}
	if err := r.each(ctx, rooms, r.consentInRoom); err != nil {
		return more, err
	}
	return more, r.flush(ctx)
}

// pairOf: WeCom is asked about one employee, by the userid of now, and one customer.
func (r *run) pairOf(conversation string) (p pair, ok bool) {
	p.conversation = conversation
	for _, who := range chat.PairOf(conversation) {
		switch {
		case who.Kind == chat.Employee && p.UserID == "":
			p.UserID = r.aliases.Last(who.ID)
			if spelling, ok := r.spelling[p.UserID]; ok {
				p.UserID = spelling
			}
		case who.Kind == chat.External:
			p.ExternalID = who.ID
		}
	}
	return p, p.UserID != "" && p.ExternalID != ""
}

// consentOfPairs asks about several pairs in one call. One that WeCom will not answer
// for spoils it, so the others are asked for without: by halves.
func (r *run) consentOfPairs(ctx context.Context, pairs []pair) error {
	if !r.usable(whoseArchive, "consent") {
		return nil
	}
	if err := r.proceed(ctx); err != nil {
		return err
	}
	asked := make([]companion.Pair, len(pairs))
	for i, p := range pairs {
		asked[i] = p.Pair
	}
	answers, err := r.Archive.CheckSingleAgree(ctx, asked)
	if e, ok := errors.AsType[*wecom.Error](err); ok && e.Class() == wecom.Bad && len(pairs) > 1 {
		half := len(pairs) / 2
		if err := r.consentOfPairs(ctx, pairs[:half]); err != nil {
			return err
		}
		return r.consentOfPairs(ctx, pairs[half:])
	}
	record := archive.DirectoryRecord{Kind: archive.SubjectConsent}
	if err != nil && !r.settled(err, &record) {
		return r.refuse(ctx, whoseArchive, "consent", err)
	}
	byPair := map[companion.Pair]companion.Consent{}
	for _, a := range answers {
		byPair[companion.Pair{UserID: chat.ParticipantOf(a.UserID).ID, ExternalID: a.ExternalID}] = a
	}
	for _, p := range pairs {
		record.ID, record.Agreements = p.conversation, nil
		if err == nil {
			record.Answer = archive.Unknown
		}
		if a, ok := byPair[companion.Pair{UserID: chat.ParticipantOf(p.UserID).ID, ExternalID: p.ExternalID}]; ok {
			record.Answer, record.Agreements = archive.Named, []archive.Agreement{agreement(a)}
		}
		if err := r.keep(ctx, record); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) consentInRoom(ctx context.Context, room string) error {
	if !r.usable(whoseArchive, "consent in rooms") {
		return nil
	}
	record := archive.DirectoryRecord{Kind: archive.SubjectConsent, ID: chat.ConversationOf(room), Answer: archive.Named}
	answers, err := r.Archive.CheckRoomAgree(ctx, room)
	if err != nil && !r.settled(err, &record) {
		return r.refuse(ctx, whoseArchive, "consent in rooms", err)
	}
	for _, a := range answers {
		record.Agreements = append(record.Agreements, agreement(a))
	}
	return r.keep(ctx, record)
}

// agreement: what WeCom may add to its answers counts as none.
func agreement(c companion.Consent) archive.Agreement {
	status := map[companion.Agree]archive.ConsentStatus{companion.Agreed: archive.ConsentAgreed, companion.Disagreed: archive.ConsentRefused}[c.Status]
	if status == "" {
		return archive.Agreement{Person: c.ExternalID, Status: archive.ConsentUnanswered}
	}
	return archive.Agreement{Person: c.ExternalID, Status: status, ChangedAt: seconds(c.ChangedAt)}
}
