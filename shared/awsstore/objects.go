package awsstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/cenkalti/backoff/v5"
	lru "github.com/hashicorp/golang-lru/v2"

	"wecom-archive/shared/clock"
	"wecom-archive/shared/store"
)

// Objects is an store.Objects and an store.Versions on one S3 bucket. It is
// safe for concurrent use.
//
// S3 has no name for the earliest version of a key: it takes a listing of its
// versions to know it (s3:ListBucketVersions), and reading it takes its id
// (s3:GetObjectVersion). A key's earliest version is locked and stays the earliest,
// so it is remembered, and most objects cost one listing more than reading them
// would.
type Objects struct {
	bucket
	presigner *s3.PresignClient
	known     *lru.Cache[string, store.ObjectInfo] // the earliest version, by key
}

var (
	_ store.Objects  = (*Objects)(nil)
	_ store.Versions = (*Objects)(nil)
)

// knownKeys bounds what is remembered, to some megabytes.
const knownKeys = 10_000

// NewObjects uses the bucket, which exists. presigner may have other credentials
// than client, with the right to read objects only.
func NewObjects(client *s3.Client, presigner *s3.PresignClient, name string) *Objects {
	known, _ := lru.New[string, store.ObjectInfo](knownKeys) // fails for a size below one
	return &Objects{bucket{client: client, name: name}, presigner, known}
}

// WithKey makes puts below these prefixes use the KMS key with this ARN; all others use
// the bucket's own. Call it before the first use.
func (o *Objects) WithKey(arn string, prefixes ...string) *Objects {
	o.keyFor = keyBelow(arn, prefixes)
	return o
}

// keyBelow is the key of what lies below prefixes.
func keyBelow(arn string, prefixes []string) func(key string) *string {
	return func(key string) *string {
		if slices.ContainsFunc(prefixes, func(prefix string) bool { return strings.HasPrefix(key, prefix) }) {
			return &arn
		}
		return nil
	}
}

const (
	conflictTries = 6
	conflictWait  = 20 * time.Millisecond // before the second try, doubled for each more
)

// PutIfAbsent implements store.Objects.
//
// ErrExists does not mean that somebody else wrote the object: if the reply to a
// put gets lost, the SDK sends the put again, and is told that the key is taken,
// by ourselves. Callers need not care: they read what is there and go on from it.
func (o *Objects) PutIfAbsent(ctx context.Context, key string, body io.ReadSeeker) error {
	if err := o.putIfAbsent(ctx, key, body); err != nil {
		return o.failed("putting", key, err)
	}
	return nil
}

func (o *Objects) putIfAbsent(ctx context.Context, key string, body io.ReadSeeker) error {
	if err := store.CheckObjectKey(key); err != nil {
		return err
	}
	p, err := newPayload(body)
	if err != nil {
		return err
	}
	version, err := o.putAlone(ctx, key, p)
	if err != nil {
		return err
	}
	// To S3 a key is free if a delete marker lies on it. What lies under the marker
	// is the truth, and what was just put is not.
	earliest, err := o.earliest(ctx, key)
	if err != nil {
		return fmt.Errorf("it is stored as version %s; whether that is the earliest: %w", version, err)
	}
	if earliest.Version != version {
		return fmt.Errorf("an earlier version lies under a delete marker: %w", store.ErrExists)
	}
	return nil
}

// putAlone puts as soon as no other put of this key is under way.
func (o *Objects) putAlone(ctx context.Context, key string, p payload) (version string, err error) {
	pause := backoff.NewExponentialBackOff()
	pause.InitialInterval, pause.Multiplier, pause.RandomizationFactor = conflictWait, 2, 0
	for try := 1; ; try++ {
		version, err := o.put(ctx, key, p, aws.String("*"))
		switch status(err) {
		case http.StatusPreconditionFailed:
			return "", store.ErrExists
		case http.StatusConflict:
			// ConditionalRequestConflict: another put of this key was under way.
			// It may have failed since, so this alone does not prove that the
			// object is there; ask, and if it is not, try again.
			_, lookErr := o.earliest(ctx, key)
			if lookErr == nil {
				return "", store.ErrExists
			}
			if !errors.Is(lookErr, store.ErrNotFound) {
				return "", errors.Join(err, lookErr)
			}
			if try == conflictTries {
				return "", err
			}
		default:
			return version, err
		}
		if err := clock.Sleep(ctx, pause.NextBackOff()); err != nil {
			return "", err
		}
	}
}

// Get implements store.Objects.
func (o *Objects) Get(ctx context.Context, key string) (io.ReadCloser, store.ObjectInfo, error) {
	var body io.ReadCloser
	info, err := o.withEarliest(ctx, key, func(version *string) error {
		out, err := o.get(ctx, key, version, nil)
		if err == nil {
			body = out.Body
		}
		return err
	})
	if err != nil {
		return nil, store.ObjectInfo{}, o.failed("getting", key, err)
	}
	return body, info, nil
}

// GetRange implements store.Objects.
func (o *Objects) GetRange(ctx context.Context, key string, offset, length int64) ([]byte, error) {
	var part []byte
	err := checkRange(offset, length)
	if err == nil {
		_, err = o.withEarliest(ctx, key, func(version *string) error {
			if length == 0 {
				return nil // cannot be asked for
			}
			var err error
			part, err = o.getRange(ctx, key, version, offset, length)
			return err
		})
	}
	if err != nil {
		return nil, o.failed("getting a range of", key, err)
	}
	return part, nil
}

// Head implements store.Objects. It is one listing.
func (o *Objects) Head(ctx context.Context, key string) (store.ObjectInfo, error) {
	err := store.CheckObjectKey(key)
	var info store.ObjectInfo
	if err == nil {
		info, err = o.earliest(ctx, key)
	}
	if err != nil {
		return store.ObjectInfo{}, o.failed("head of", key, err)
	}
	return info, nil
}

// List implements store.Objects. It lists versions, 1,000 in a request.
func (o *Objects) List(ctx context.Context, prefix, after string) iter.Seq2[store.ObjectInfo, error] {
	return func(yield func(store.ObjectInfo, error) bool) {
		for v, err := range o.ListVersions(ctx, prefix, after) {
			if err != nil {
				yield(store.ObjectInfo{}, err)
				return
			}
			if !v.Earliest {
				continue
			}
			o.known.Add(v.Key, infoOf(v))
			if !yield(infoOf(v), nil) {
				return
			}
		}
	}
}

// PresignGet implements store.Objects. Signed with the credentials of a role,
// the URL ends with these, if that is earlier than ttl.
func (o *Objects) PresignGet(ctx context.Context, key, fileName string, ttl time.Duration) (string, error) {
	url, err := o.presignGet(ctx, key, fileName, ttl)
	if err != nil {
		return "", o.failed("presigning", key, err)
	}
	return url, nil
}

func (o *Objects) presignGet(ctx context.Context, key, fileName string, ttl time.Duration) (url string, err error) {
	if ttl < time.Second || ttl > store.MaxPresign {
		return "", fmt.Errorf("a time of %v is not between 1 s and %v", ttl, store.MaxPresign)
	}
	_, err = o.withEarliest(ctx, key, func(version *string) error {
		request, err := o.presigner.PresignGetObject(ctx, &s3.GetObjectInput{
			Bucket:    &o.name,
			Key:       &key,
			VersionId: version,
			// Whatever the file is, no browser shows or runs it in place.
			ResponseContentDisposition: aws.String(store.Attachment(fileName)),
			ResponseContentType:        aws.String("application/octet-stream"),
		}, s3.WithPresignExpires(ttl))
		if err == nil {
			url = request.URL
		}
		return err
	})
	return url, err
}
