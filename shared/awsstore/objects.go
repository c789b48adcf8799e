package awsstore

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"wecom-archive/shared/archive"
)

// Objects is an archive.Objects on one S3 bucket. It is safe for concurrent use.
// What is worth retrying the client's own retryer retries.
type Objects struct {
	client    *s3.Client
	presigner *s3.PresignClient
	bucket    string
}

var _ archive.Objects = (*Objects)(nil)

// NewObjects uses the bucket, which exists. presigner may have other credentials
// than client, with the right to read objects only.
func NewObjects(client *s3.Client, presigner *s3.PresignClient, bucket string) *Objects {
	return &Objects{client, presigner, bucket}
}

const (
	conflictTries = 6
	conflictWait  = 20 * time.Millisecond // before the second try, doubled for each more
)

// PutIfAbsent implements archive.Objects.
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
	if err := archive.CheckObjectKey(key); err != nil {
		return err
	}
	start, err := body.Seek(0, io.SeekCurrent)
	if err != nil {
		return fmt.Errorf("reading the body: %w", err)
	}
	hash := sha256.New()
	size, err := io.Copy(hash, body)
	if err != nil {
		return fmt.Errorf("reading the body: %w", err)
	}
	wait := conflictWait
	for try := 1; ; try++ {
		if _, err := body.Seek(start, io.SeekStart); err != nil {
			return fmt.Errorf("reading the body: %w", err)
		}
		_, err := o.client.PutObject(ctx, &s3.PutObjectInput{
			Bucket:        &o.bucket,
			Key:           &key,
			Body:          body,
			ContentLength: &size,
			IfNoneMatch:   aws.String("*"),
			// The algorithm too: some stores look only for this header where Object
			// Lock demands a checksum.
			ChecksumAlgorithm: types.ChecksumAlgorithmSha256,
			ChecksumSHA256:    aws.String(base64.StdEncoding.EncodeToString(hash.Sum(nil))),
		})
		switch status(err) {
		case http.StatusPreconditionFailed:
			return archive.ErrExists
		case http.StatusConflict:
			// ConditionalRequestConflict: another put of this key was under way.
			// It may have failed since, so this alone does not prove that the
			// object is there; ask, and if it is not, try again.
			_, headErr := o.head(ctx, key)
			if headErr == nil {
				return archive.ErrExists
			}
			if !errors.Is(headErr, archive.ErrNotFound) {
				return errors.Join(err, headErr)
			}
			if try == conflictTries {
				return err
			}
		default:
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
			wait *= 2
		}
	}
}

// Get implements archive.Objects.
func (o *Objects) Get(ctx context.Context, key string) (io.ReadCloser, archive.ObjectInfo, error) {
	out, err := o.get(ctx, key, nil)
	if err != nil {
		return nil, archive.ObjectInfo{}, o.failed("getting", key, err)
	}
	return out.Body, archive.ObjectInfo{
		Key:      key,
		Size:     aws.ToInt64(out.ContentLength),
		Modified: aws.ToTime(out.LastModified).UTC(),
		Version:  aws.ToString(out.VersionId),
	}, nil
}

// get asks for the checksum, so that the SDK checks what it reads against the
// one that the object was put with.
func (o *Objects) get(ctx context.Context, key string, byteRange *string) (*s3.GetObjectOutput, error) {
	if err := archive.CheckObjectKey(key); err != nil {
		return nil, err
	}
	out, err := o.client.GetObject(ctx, &s3.GetObjectInput{
		Bucket: &o.bucket, Key: &key, Range: byteRange, ChecksumMode: types.ChecksumModeEnabled,
	})
	if status(err) == http.StatusNotFound {
		return nil, archive.ErrNotFound
	}
	return out, err
}

// GetRange implements archive.Objects.
func (o *Objects) GetRange(ctx context.Context, key string, offset, length int64) ([]byte, error) {
	body, err := o.getRange(ctx, key, offset, length)
	if err != nil {
		return nil, o.failed("getting a range of", key, err)
	}
	return body, nil
}

func (o *Objects) getRange(ctx context.Context, key string, offset, length int64) ([]byte, error) {
	switch {
	case offset < 0 || length < 0:
		return nil, fmt.Errorf("%d bytes at %d: negative range", length, offset)
	case length == 0: // cannot be asked for
		_, err := o.head(ctx, key)
		return nil, err
	}
	byteRange := fmt.Sprintf("bytes=%d-", offset)
	if last := offset + length - 1; last >= offset { // else beyond int64: to the end
		byteRange += fmt.Sprint(last)
	}
	out, err := o.get(ctx, key, &byteRange)
	if status(err) == http.StatusRequestedRangeNotSatisfiable {
		return nil, nil // the offset is at or past the end
	}
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(out.Body)
	return body, errors.Join(err, out.Body.Close())
}

// Head implements archive.Objects.
func (o *Objects) Head(ctx context.Context, key string) (archive.ObjectInfo, error) {
	info, err := o.head(ctx, key)
	if err != nil {
		return archive.ObjectInfo{}, o.failed("head of", key, err)
	}
	return info, nil
}

func (o *Objects) head(ctx context.Context, key string) (archive.ObjectInfo, error) {
	if err := archive.CheckObjectKey(key); err != nil {
		return archive.ObjectInfo{}, err
	}
	out, err := o.client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &o.bucket, Key: &key})
	if status(err) == http.StatusNotFound {
		return archive.ObjectInfo{}, archive.ErrNotFound
	}
	if err != nil {
		return archive.ObjectInfo{}, err
	}
	return archive.ObjectInfo{
		Key:      key,
		Size:     aws.ToInt64(out.ContentLength),
		Modified: aws.ToTime(out.LastModified).UTC(),
		Version:  aws.ToString(out.VersionId),
	}, nil
}

// List implements archive.Objects.
func (o *Objects) List(ctx context.Context, prefix, after string) iter.Seq2[archive.ObjectInfo, error] {
	return func(yield func(archive.ObjectInfo, error) bool) {
		input := &s3.ListObjectsV2Input{Bucket: &o.bucket, Prefix: &prefix}
		if after != "" {
			input.StartAfter = &after
		}
		pages := s3.NewListObjectsV2Paginator(o.client, input)
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				yield(archive.ObjectInfo{}, o.failed("listing", prefix, err))
				return
			}
			for _, object := range page.Contents {
				if !yield(archive.ObjectInfo{
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

// PresignGet implements archive.Objects. Signed with the credentials of a role,
// the URL ends with these, if that is earlier than ttl.
func (o *Objects) PresignGet(ctx context.Context, key, fileName string, ttl time.Duration) (string, error) {
	if err := archive.CheckObjectKey(key); err != nil {
		return "", o.failed("presigning", key, err)
	}
	if ttl < time.Second || ttl > archive.MaxPresign {
		return "", o.failed("presigning", key, fmt.Errorf("a time of %v is not between 1 s and %v", ttl, archive.MaxPresign))
	}
	request, err := o.presigner.PresignGetObject(ctx, &s3.GetObjectInput{
		Bucket: &o.bucket,
		Key:    &key,
		// Whatever the file is, no browser shows or runs it in place.
		ResponseContentDisposition: aws.String(archive.Attachment(fileName)),
		ResponseContentType:        aws.String("application/octet-stream"),
	}, s3.WithPresignExpires(ttl))
	if err != nil {
		return "", o.failed("presigning", key, err)
	}
	return request.URL, nil
}

// CheckLock implements archive.Objects.
func (o *Objects) CheckLock(ctx context.Context) error {
	missing, err := o.missingLock(ctx)
	if err != nil {
		return fmt.Errorf("checking the lock of bucket %s: %w", o.bucket, err)
	}
	if missing != "" {
		return fmt.Errorf("checking the lock of bucket %s: %w: %s", o.bucket, archive.ErrNotLocked, missing)
	}
	return nil
}

// missingLock says what the bucket lacks.
func (o *Objects) missingLock(ctx context.Context) (missing string, err error) {
	versioning, err := o.client.GetBucketVersioning(ctx, &s3.GetBucketVersioningInput{Bucket: &o.bucket})
	if err != nil {
		return "", err
	}
	if versioning.Status != types.BucketVersioningStatusEnabled {
		return "versioning is not enabled", nil
	}
	out, err := o.client.GetObjectLockConfiguration(ctx, &s3.GetObjectLockConfigurationInput{Bucket: &o.bucket})
	if errorCode(err) == "ObjectLockConfigurationNotFoundError" {
		return "it has no Object Lock", nil
	}
	if err != nil {
		return "", err
	}
	lock := out.ObjectLockConfiguration
	switch {
	case lock == nil || lock.ObjectLockEnabled != types.ObjectLockEnabledEnabled:
		return "Object Lock is not enabled", nil
	case lock.Rule == nil || lock.Rule.DefaultRetention == nil || lock.Rule.DefaultRetention.Mode == "":
		return "Object Lock has no default retention", nil
	case aws.ToInt32(lock.Rule.DefaultRetention.Days) <= 0 && aws.ToInt32(lock.Rule.DefaultRetention.Years) <= 0:
		return "the default retention has no period", nil
	}
	return "", nil
}

func (o *Objects) failed(doing, key string, err error) error {
	return fmt.Errorf("%s %q in bucket %s: %w", doing, key, o.bucket, err)
}

// status is the HTTP status of a refusal, 0 for any other error and for none.
func status(err error) int {
	var response *awshttp.ResponseError
	if errors.As(err, &response) {
		return response.HTTPStatusCode()
	}
	return 0
}
