package rebuild

import (
	"context"
	"errors"
	"fmt"
	"time"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/callback"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/store"
)

// learned is what events say that is not one item each. It grows with the number
// of key versions, not of events.
type learned struct {
	First       time.Time           `json:"first,omitzero"` // start of the first run
	Last        archive.Run         `json:"last,omitzero"`  // that started last
	LastSuccess time.Time           `json:"last_success,omitzero"`
	LastRecord  time.Time           `json:"last_record,omitzero"`
	Known       archive.Known       `json:"known"`
	BoundAt     map[int64]time.Time `json:"bound_at,omitempty"` // by publickey_ver: the binding that counts
	Unreadable  catalog.Unreadable  `json:"unreadable"`
}

// pullerStage is the stage whose runs say how far the archive is.
const pullerStage = "puller"

// eventsSaved is after how many events progress is saved. Reading one again
// changes nothing.
const eventsSaved = 200

// events puts what stands in events only into the index.
func (r *run) events(ctx context.Context) error {
	if err := r.keys(ctx); err != nil {
		return err
	}
	if r.Learned.BoundAt == nil {
		r.Learned.BoundAt = map[int64]time.Time{}
	}
	since := 0
	for info, err := range r.Objects.List(ctx, archive.EventsPrefix, r.After) {
		if err != nil {
			return fmt.Errorf("listing the events: %w", err)
		}
		if err := r.keep(ctx); err != nil {
			return err
		}
		switch err := r.event(ctx, info.Key); {
		case errors.Is(err, store.ErrDamaged), errors.Is(err, archive.ErrNewFormat):
			r.Log.Error("an event cannot be read and is passed over", "key", info.Key, "error", err)
			if err := r.altered(ctx, info.Key, err); err != nil {
				return err
			}
			r.Report.DamagedEvents++
			r.Learned.Unreadable = catalog.Unreadable{Count: r.Learned.Unreadable.Count + 1, Key: info.Key, SeenAt: r.Now().UTC()}
		case err != nil:
			return err
		}
		r.Report.Events++
		r.After = info.Key
		if since++; since%eventsSaved == 0 {
			if err := r.save(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

// keys notes the public halves of the keys in the index. A record that cannot be read
// is passed over: whoever needs it is told by the keyring.
func (r *run) keys(ctx context.Context) error {
	for info, err := range r.Objects.List(ctx, archive.KeysPrefix, "") {
		if err != nil {
			return fmt.Errorf("listing the keys: %w", err)
		}
		id, isKey := archive.ParseKeyRecordKey(info.Key)
		if !isKey {
			continue
		}
		rec, err := archive.GetKeyRecord(ctx, r.Objects, id)
		switch {
		case errors.Is(err, store.ErrDamaged), errors.Is(err, archive.ErrNewFormat):
			r.Log.Error("a key cannot be read and is passed over", "key", id, "error", err)
			if err := r.altered(ctx, info.Key, err); err != nil {
				return err
			}
			continue
		case err != nil:
			return err
		}
		if err := r.Catalog.Keys.SavePublicKey(ctx, rec.Public()); err != nil {
			return err
		}
	}
	return nil
}

// event puts one event into the index.
func (r *run) event(ctx context.Context, key string) error {
	e, err := archive.GetEvent(ctx, r.Objects, key, nil)
	if err != nil {
		return err
	}
	if e.Corp != r.Corp {
		return fmt.Errorf("event %s is of corp %s: %w", key, e.Corp, store.ErrDamaged)
	}
	switch e.Kind {
	case archive.EventRun:
		return apply(ctx, e, key, archive.RunKey, r.pastRun)
	case archive.EventGap:
		return apply(ctx, e, key, archive.GapKey, r.Catalog.Journal.PutGap)
	case archive.EventHole:
		return apply(ctx, e, key, archive.HoleKey, r.Catalog.Journal.PutHole)
	case archive.EventBinding:
		_, at, _ := archive.ParseEventKey(key)
		keyOf := func(b archive.KeyBinding) string { return archive.BindingKey(b, at) }
		return apply(ctx, e, key, keyOf, func(ctx context.Context, b archive.KeyBinding) error { return r.bind(ctx, b, at) })
	case archive.EventIncident:
		return apply(ctx, e, key, archive.IncidentKey, r.Catalog.Journal.PutIncident)
	case archive.EventCallback:
		return apply(ctx, e, key, archive.CallbackKey, r.callback)
	case archive.EventAlias:
		return apply(ctx, e, key, archive.AliasKey, r.alias)
	case archive.EventScope:
		return apply(ctx, e, key, archive.ScopeKey, func(ctx context.Context, s archive.Scope) error { return r.Catalog.People.NoteScope(ctx, s) })
	case archive.EventCheckup:
		return nil // of use while it is new; the index had it whole
	case archive.EventPullRequest:
		return nil // the index never had it
	case archive.EventRedrive:
		return apply(ctx, e, key, archive.RedriveKey, r.redriven)
	case archive.EventDamage:
		return apply(ctx, e, key, archive.FindingKey, r.damage.Note)
	case archive.EventDamageClosed:
		return apply(ctx, e, key, archive.FindingClosedKey, r.damage.NoteClosed)
	}
	r.Log.Warn("an event of an unknown kind", "key", key, "kind", e.Kind)
	return nil
}

// apply decodes the body of an event, which must belong under its key.
func apply[T any](ctx context.Context, e archive.Event, key string, keyOf func(T) string, do func(context.Context, T) error) error {
	var body T
	if err := e.DecodeBody(&body); err != nil {
		return fmt.Errorf("event %s: %w", key, err)
	}
	if want := keyOf(body); want != key {
		return fmt.Errorf("event %s: its content belongs under %s: %w", key, want, store.ErrDamaged)
	}
	return do(ctx, body)
}

// bind records a binding, unless a later one was read before.
func (r *run) bind(ctx context.Context, b archive.KeyBinding, at time.Time) error {
	if at.Before(r.Learned.BoundAt[b.PublicKeyVer]) {
		return nil
	}
	if err := r.Catalog.Keys.Bind(ctx, b); err != nil {
		return err
	}
	r.Learned.BoundAt[b.PublicKeyVer] = at
	return nil
}

func (r *run) callback(ctx context.Context, cb archive.Callback) error {
	aliases, err := r.Catalog.People.Aliases(ctx)
	if err != nil {
		return err
	}
	if consent, ok := callback.Consent(cb, aliases); ok {
		if err := r.Catalog.Consents.PutConsent(ctx, consent); err != nil {
			return err
		}
	}
	return r.Catalog.Journal.PutCallback(ctx, cb)
}

// alias notes an alias. One that contradicts an earlier one was stored by two at once,
// of whom the first counts.
func (r *run) alias(ctx context.Context, a archive.Alias) error {
	err := r.Catalog.People.PutAlias(ctx, a)
	if errors.Is(err, catalog.ErrAlias) {
		r.Log.Warn("an alias contradicts an earlier one and is passed over", "was", a.Was, "is", a.Is, "error", err)
		return nil
	}
	return err
}

func (r *run) redriven(ctx context.Context, redrive archive.Redrive) error {
	for _, asked := range redrive.Pages {
		if err := r.Catalog.Pages.MarkRedrive(ctx, asked, redrive.At); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) pastRun(ctx context.Context, past archive.Run) error {
	known := past.Known
	past.Known = nil // the index has no use for it
	if err := r.Catalog.Journal.PutRun(ctx, past); err != nil {
		return err
	}
	if past.Stage != pullerStage {
		return nil
	}
	l := &r.Learned
	if l.First.IsZero() || past.StartedAt.Before(l.First) {
		l.First = past.StartedAt
	}
	if past.EndedAt.After(l.LastRecord) {
		l.LastRecord = past.EndedAt
	}
	if past.Error == "" && past.Stopped != "lease" && past.EndedAt.After(l.LastSuccess) {
		l.LastSuccess = past.EndedAt
	}
	if !past.StartedAt.Before(l.Last.StartedAt) {
		l.Last = past
	}
	if known != nil && known.Number > l.Known.Number {
		l.Known = *known
	}
	return nil
}

// restoreState puts together what the puller remembers. What the index knows
// better stays: of runs without news not each leaves an event.
func (r *run) restoreState(ctx context.Context) error {
	l := r.Learned
	if l.First.IsZero() {
		return nil // nobody has pulled
	}
	_, err := r.Catalog.Pages.UpdatePullState(ctx, func(s *catalog.PullState) {
		if s.FirstRunAt.IsZero() || l.First.Before(s.FirstRunAt) {
			s.FirstRunAt = l.First
		}
		if l.Known.Number > s.Events {
			s.EndReachedAt, s.Quiet, s.Events = l.Known.EndReachedAt, l.Known.Quiet, l.Known.Number
		}
		if l.LastRecord.After(s.LastRecordAt) {
			s.LastRecordAt, s.LastError, s.LastRemedy = l.LastRecord, l.Last.Error, l.Last.Remedy
		}
		if l.LastSuccess.After(s.LastSuccessAt) {
			s.LastSuccessAt = l.LastSuccess
		}
		if l.Last.StartedAt.After(s.EventsAt) {
			s.EventsAt = l.Last.StartedAt
		}
		s.Unreadable = l.Unreadable
	})
	return err
}
