package localstore

import (
	"context"
	"io"
	"strings"

	"wecom-archive/shared/store"
)

// Announcing makes a bucket send an event for each object that is created in it,
// as S3 does: route names the queue that is interested in a key, or nil.
//
// As with S3, a put that finds its key taken sends nothing, and an event can get
// lost without the put failing.
func Announcing(objects store.Objects, route func(key string) store.Notifier) store.Objects {
	return &announcing{objects, route}
}

// ByPrefix routes a key to the notifier of the longest prefix that it has.
func ByPrefix(notifiers map[string]store.Notifier) func(key string) store.Notifier {
	return func(key string) store.Notifier {
		var found store.Notifier
		longest := -1
		for prefix, n := range notifiers {
			if strings.HasPrefix(key, prefix) && len(prefix) > longest {
				found, longest = n, len(prefix)
			}
		}
		return found
	}
}

type announcing struct {
	store.Objects
	route func(key string) store.Notifier
}

func (a *announcing) PutIfAbsent(ctx context.Context, key string, body io.ReadSeeker) error {
	if err := a.Objects.PutIfAbsent(ctx, key, body); err != nil {
		return err
	}
	if n := a.route(key); n != nil {
		// The object is there whatever becomes of the caller and of the event.
		_ = n.Notify(context.WithoutCancel(ctx), key)
	}
	return nil
}

// AnnouncingDerived is Announcing for the derived bucket: an event for each put.
func AnnouncingDerived(derived store.Derived, route func(key string) store.Notifier) store.Derived {
	return &announcingDerived{derived, route}
}

type announcingDerived struct {
	store.Derived
	route func(key string) store.Notifier
}

func (a *announcingDerived) Put(ctx context.Context, key string, body io.ReadSeeker) error {
	if err := a.Derived.Put(ctx, key, body); err != nil {
		return err
	}
	if n := a.route(key); n != nil {
		_ = n.Notify(context.WithoutCancel(ctx), key) // as above
	}
	return nil
}
