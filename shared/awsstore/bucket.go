package awsstore

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"wecom-archive/shared/store"
)

// bucket asks S3 for what the adapters of both buckets need. What is worth
// retrying the client's own retryer retries.
type bucket struct {
	client *s3.Client
	name   string
	keyFor func(key string) *string // KMS key of an object; nil, or a nil answer: the bucket's
	limits limits                   // zero: S3's own
}

// payload is the body of a put, from where its reader stood, with its checksum.
type payload struct {
	body   io.ReadSeeker
	start  int64
	size   int64
	sha256 string // base64
}

func newPayload(body io.ReadSeeker) (payload, error) {
	start, err := body.Seek(0, io.SeekCurrent)
	if err != nil {
		return payload{}, fmt.Errorf("reading the body: %w", err)
	}
	hash := sha256.New()
	size, err := io.Copy(hash, body)
	if err != nil {
		return payload{}, fmt.Errorf("reading the body: %w", err)
	}
	return payload{body, start, size, base64.StdEncoding.EncodeToString(hash.Sum(nil))}, nil
}

// put stores p, only if the key is free unless ifNoneMatch is nil, and returns the
// version that it made.
func (b *bucket) put(ctx context.Context, key string, p payload, ifNoneMatch *string) (version string, err error) {
	if p.size > b.limits.withDefaults().put {
		return b.putParts(ctx, key, p, ifNoneMatch)
	}
	if _, err := p.body.Seek(p.start, io.SeekStart); err != nil {
		return "", fmt.Errorf("reading the body: %w", err)
	}
	in := &s3.PutObjectInput{
		Bucket:        &b.name,
		Key:           &key,
		Body:          p.body,
		ContentLength: &p.size,
		IfNoneMatch:   ifNoneMatch,
		// The algorithm too: some stores look only for this header where Object
		// Lock demands a checksum.
		ChecksumAlgorithm: types.ChecksumAlgorithmSha256,
		ChecksumSHA256:    &p.sha256,
	}
	if b.keyFor != nil {
		if in.SSEKMSKeyId = b.keyFor(key); in.SSEKMSKeyId != nil {
			in.ServerSideEncryption = types.ServerSideEncryptionAwsKms
		}
	}
	out, err := b.client.PutObject(ctx, in)
	if err != nil {
		return "", err
	}
	return aws.ToString(out.VersionId), nil
}

// get opens a version of a key, nil for the latest. It asks for the checksum, so
// that the SDK checks what it reads against the one that the object was put with.
func (b *bucket) get(ctx context.Context, key string, version, byteRange *string) (*s3.GetObjectOutput, error) {
	out, err := b.client.GetObject(ctx, &s3.GetObjectInput{
		Bucket: &b.name, Key: &key, VersionId: version, Range: byteRange, ChecksumMode: types.ChecksumModeEnabled,
	})
	if status(err) == http.StatusNotFound {
		return nil, store.ErrNotFound
	}
	if err == nil {
		out.Body = checkedBody{out.Body}
	}
	return out, err
}

// checkedBody says store.ErrDamaged where the SDK says that what was read is not
// what was put. The SDK has no type or value for that error, so its words count.
type checkedBody struct{ io.ReadCloser }

func (b checkedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && err != io.EOF && strings.Contains(err.Error(), "checksum did not match") {
		err = fmt.Errorf("%w: %w", store.ErrDamaged, err)
	}
	return n, err
}

// getRange reads a part of a version of a key, nil for the latest. length is not
// zero.
func (b *bucket) getRange(ctx context.Context, key string, version *string, offset, length int64) ([]byte, error) {
	byteRange := fmt.Sprintf("bytes=%d-", offset)
	if last := offset + length - 1; last >= offset { // else beyond int64: to the end
		byteRange += fmt.Sprint(last)
	}
	out, err := b.get(ctx, key, version, &byteRange)
	if status(err) == http.StatusRequestedRangeNotSatisfiable {
		return nil, nil // the offset is at or past the end
	}
	if err != nil {
		return nil, err
	}
	var body bytes.Buffer
	if n := aws.ToInt64(out.ContentLength); n > 0 && n <= length {
		body.Grow(int(n) + bytes.MinRead)
	}
	_, err = body.ReadFrom(out.Body)
	return body.Bytes(), errors.Join(err, out.Body.Close())
}

func checkRange(offset, length int64) error {
	if offset < 0 || length < 0 {
		return fmt.Errorf("%d bytes at %d: negative range", length, offset)
	}
	return nil
}

func (b *bucket) failed(doing, key string, err error) error {
	return fmt.Errorf("%s %q in bucket %s: %w", doing, key, b.name, err)
}

// status is the HTTP status of a refusal, 0 for any other error and for none.
func status(err error) int {
	var response *awshttp.ResponseError
	if errors.As(err, &response) {
		return response.HTTPStatusCode()
	}
	return 0
}
