package awsstore

import (
	"context"
	"errors"
	"iter"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"wecom-archive/shared/store"
)

// earliestPage is how many versions are asked for to find the earliest of a key:
// nearly always there is one, and keys that begin like it.
const earliestPage = 20

// withEarliest lets f read the earliest version of key.
func (o *Objects) withEarliest(ctx context.Context, key string, f func(version *string) error) (store.ObjectInfo, error) {
	if err := store.CheckObjectKey(key); err != nil {
		return store.ObjectInfo{}, err
	}
	info, remembered := o.known.Get(key)
	for {
		if !remembered {
			var err error
			if info, err = o.earliest(ctx, key); err != nil {
				return store.ObjectInfo{}, err
			}
		}
		err := f(&info.Version)
		if !remembered || !errors.Is(err, store.ErrNotFound) {
			return info, err
		}
		// It was there and is gone: its lock has ended. Look once more.
		o.known.Remove(key)
		remembered = false
	}
}

// earliest asks for the earliest version of key, and remembers it.
func (o *Objects) earliest(ctx context.Context, key string) (store.ObjectInfo, error) {
	pages := o.versionPages(key, "", earliestPage)
	found := store.ObjectInfo{}
	for passed := false; !passed && pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return store.ObjectInfo{}, err
		}
		// The key itself comes before the keys that it is a prefix of, and its
		// earliest version last.
		for _, v := range page.Versions {
			if aws.ToString(v.Key) == key {
				found = infoOf(versionOf(v))
			} else {
				passed = true
			}
		}
		for _, m := range page.DeleteMarkers {
			passed = passed || aws.ToString(m.Key) != key
		}
	}
	if found.Key == "" {
		return store.ObjectInfo{}, store.ErrNotFound
	}
	o.known.Add(key, found)
	return found, nil
}

// ListVersions implements store.Versions. Its memory does not grow with the
// number of versions.
func (o *Objects) ListVersions(ctx context.Context, prefix, after string) iter.Seq2[store.ObjectVersion, error] {
	return func(yield func(store.ObjectVersion, error) bool) {
		l := versionLister{after: after, yield: yield}
		pages := o.versionPages(prefix, after, 1000)
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				yield(store.ObjectVersion{}, o.failed("listing versions of", prefix, err))
				return
			}
			if !l.page(page) {
				return
			}
		}
		l.flush()
	}
}

func (o *Objects) versionPages(prefix, after string, limit int32) *s3.ListObjectVersionsPaginator {
	input := &s3.ListObjectVersionsInput{Bucket: &o.name, Prefix: &prefix, MaxKeys: &limit}
	if after > prefix { // else it bounds nothing
		input.KeyMarker = &after
	}
	return s3.NewListObjectVersionsPaginator(o.client, input)
}

// versionLister brings the versions and delete markers of pages, which S3 gives
// apart, into one order, and says of each version whether it is the earliest of
// its key. S3 lists the versions of a key with the earliest last, so it holds the
// last one back until it sees what follows.
type versionLister struct {
	after string
	yield func(store.ObjectVersion, error) bool
	held  store.ObjectVersion // no key: none
}

// page yields what a page holds; false if the consumer has had enough.
func (l *versionLister) page(page *s3.ListObjectVersionsOutput) bool {
	markers := page.DeleteMarkers
	for _, v := range page.Versions {
		for len(markers) > 0 && aws.ToString(markers[0].Key) < aws.ToString(v.Key) {
			if !l.marker(markers[0]) {
				return false
			}
			markers = markers[1:]
		}
		if !l.version(versionOf(v)) {
			return false
		}
	}
	for _, m := range markers {
		if !l.marker(m) {
			return false
		}
	}
	return true
}

func (l *versionLister) version(v store.ObjectVersion) bool {
	if v.Key <= l.after {
		return true
	}
	held := l.held
	l.held = v
	switch {
	case held.Key == "" || held.Key == v.Key && held.Version == v.Version:
		return true
	case held.Key != v.Key:
		held.Earliest = true
	}
	return l.yield(held, nil)
}

func (l *versionLister) marker(m types.DeleteMarkerEntry) bool {
	key := aws.ToString(m.Key)
	if key <= l.after {
		return true
	}
	if l.held.Key != key && !l.flush() {
		return false
	}
	return l.yield(store.ObjectVersion{
		Key: key, Version: aws.ToString(m.VersionId), Modified: aws.ToTime(m.LastModified).UTC(), DeleteMarker: true,
	}, nil)
}

// flush yields the version held back: no other of its key follows.
func (l *versionLister) flush() bool {
	held := l.held
	l.held = store.ObjectVersion{}
	if held.Key == "" {
		return true
	}
	held.Earliest = true
	return l.yield(held, nil)
}

func versionOf(v types.ObjectVersion) store.ObjectVersion {
	return store.ObjectVersion{
		Key: aws.ToString(v.Key), Version: aws.ToString(v.VersionId),
		Modified: aws.ToTime(v.LastModified).UTC(), Size: aws.ToInt64(v.Size),
	}
}

func infoOf(v store.ObjectVersion) store.ObjectInfo {
	return store.ObjectInfo{Key: v.Key, Size: v.Size, Modified: v.Modified, Version: v.Version}
}
