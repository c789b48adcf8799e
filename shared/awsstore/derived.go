package awsstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"wecom-archive/shared/store"
)

// Derived is an store.Derived on one S3 bucket, versioned or not. It is safe
// for concurrent use. In a versioned bucket what is replaced or deleted stays as
// an older version, which the bucket's lifecycle removes.
type Derived struct{ bucket }

var _ store.Derived = (*Derived)(nil)

// NewDerived uses the bucket, which exists.
func NewDerived(client *s3.Client, name string) *Derived {
	return &Derived{bucket{client: client, name: name}}
}

// WithKey makes puts below these prefixes use the KMS key with this ARN; all others use
// the bucket's own. Call it before the first use.
func (d *Derived) WithKey(arn string, prefixes ...string) *Derived {
	d.keyFor = keyBelow(arn, prefixes)
	return d
}

// Put implements store.Derived.
func (d *Derived) Put(ctx context.Context, key string, body io.ReadSeeker) error {
	err := store.CheckObjectKey(key)
	var p payload
	if err == nil {
		p, err = newPayload(body)
	}
	if err == nil {
		_, err = d.put(ctx, key, p, nil)
	}
	if err != nil {
		return d.failed("putting", key, err)
	}
	return nil
}

// Get implements store.ObjectReader.
func (d *Derived) Get(ctx context.Context, key string) (io.ReadCloser, store.ObjectInfo, error) {
	err := store.CheckObjectKey(key)
	var out *s3.GetObjectOutput
	if err == nil {
		out, err = d.get(ctx, key, nil, nil)
	}
	if err != nil {
		return nil, store.ObjectInfo{}, d.failed("getting", key, err)
	}
	return out.Body, store.ObjectInfo{
		Key: key, Size: aws.ToInt64(out.ContentLength),
		Modified: aws.ToTime(out.LastModified).UTC(), Version: aws.ToString(out.VersionId),
	}, nil
}

// GetRange implements store.ObjectReader.
func (d *Derived) GetRange(ctx context.Context, key string, offset, length int64) ([]byte, error) {
	err := errors.Join(store.CheckObjectKey(key), checkRange(offset, length))
	var part []byte
	switch {
	case err != nil:
	case length == 0: // cannot be asked for
		_, err = d.head(ctx, key)
	default:
		part, err = d.getRange(ctx, key, nil, offset, length)
	}
	if err != nil {
		return nil, d.failed("getting a range of", key, err)
	}
	return part, nil
}

// Head implements store.ObjectReader.
func (d *Derived) Head(ctx context.Context, key string) (store.ObjectInfo, error) {
	err := store.CheckObjectKey(key)
	var info store.ObjectInfo
	if err == nil {
		info, err = d.head(ctx, key)
	}
	if err != nil {
		return store.ObjectInfo{}, d.failed("head of", key, err)
	}
	return info, nil
}

func (d *Derived) head(ctx context.Context, key string) (store.ObjectInfo, error) {
	out, err := d.client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &d.name, Key: &key})
	if status(err) == http.StatusNotFound {
		return store.ObjectInfo{}, store.ErrNotFound
	}
	if err != nil {
		return store.ObjectInfo{}, err
	}
	return store.ObjectInfo{
		Key: key, Size: aws.ToInt64(out.ContentLength),
		Modified: aws.ToTime(out.LastModified).UTC(), Version: aws.ToString(out.VersionId),
	}, nil
}

// List implements store.ObjectReader.
func (d *Derived) List(ctx context.Context, prefix, after string) iter.Seq2[store.ObjectInfo, error] {
	return func(yield func(store.ObjectInfo, error) bool) {
		input := &s3.ListObjectsV2Input{Bucket: &d.name, Prefix: &prefix}
		if after != "" {
			input.StartAfter = &after
		}
		pages := s3.NewListObjectsV2Paginator(d.client, input)
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				yield(store.ObjectInfo{}, d.failed("listing", prefix, err))
				return
			}
			for _, object := range page.Contents {
				if !yield(store.ObjectInfo{
					Key:      aws.ToString(object.Key),
					Size:     aws.ToInt64(object.Size),
					Modified: aws.ToTime(object.LastModified).UTC(),
				}, nil) {
					return
				}
			}
		}
	}
}

const maxDeletes = 1000 // keys in a DeleteObjects

// Delete implements store.Derived.
func (d *Derived) Delete(ctx context.Context, keys ...string) error {
	for _, key := range keys {
		if err := store.CheckObjectKey(key); err != nil {
			return d.failed("deleting", key, err)
		}
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("deleting from bucket %s: %w", d.name, err)
	}
	for batch := range slices.Chunk(keys, maxDeletes) {
		if err := d.deleteBatch(ctx, batch); err != nil {
			return fmt.Errorf("deleting %d objects from bucket %s: %w", len(batch), d.name, err)
		}
	}
	return nil
}

func (d *Derived) deleteBatch(ctx context.Context, keys []string) error {
	ids := make([]types.ObjectIdentifier, len(keys))
	for i := range keys {
		ids[i].Key = &keys[i]
	}
	out, err := d.client.DeleteObjects(ctx, &s3.DeleteObjectsInput{
		Bucket: &d.name, Delete: &types.Delete{Objects: ids, Quiet: aws.Bool(true)},
	})
	if err != nil {
		return err
	}
	var errs []error // a key that fails does not fail the request
	for _, e := range out.Errors {
		errs = append(errs, fmt.Errorf("%q: %s", aws.ToString(e.Key), aws.ToString(e.Code)))
	}
	return errors.Join(errs...)
}
