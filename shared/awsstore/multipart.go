package awsstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

const (
	// largestPut is how many bytes S3 takes in one put.
	largestPut = 5 << 30
	// partSize is that of the parts of what is larger; S3 takes 10,000 of them.
	partSize = 64 << 20
	maxParts = 10_000
	// abortTime is how long it may take to give up what was begun.
	abortTime = 10 * time.Second
)

// limits are where an object is put in parts.
type limits struct{ put, part int64 }

func (l limits) withDefaults() limits {
	if l.put == 0 {
		l = limits{largestPut, partSize}
	}
	return l
}

// WithParts puts objects of more bytes than largest in parts of a size, S3's least
// being 5 MiB. For tests: without it, S3's own limit counts. Call it before the
// first use.
func (o *Objects) WithParts(largest, size int64) *Objects {
	o.limits = limits{largest, size}
	return o
}

// putParts stores p in parts. The object appears as a whole, or, if the key is taken
// by then, not at all: the last request carries the condition.
func (b *bucket) putParts(ctx context.Context, key string, p payload, ifNoneMatch *string) (version string, err error) {
	body, ok := p.body.(io.ReaderAt)
	if !ok {
		return "", fmt.Errorf("%d bytes are more than one put takes, and the body cannot be read in parts", p.size)
	}
	create := &s3.CreateMultipartUploadInput{Bucket: &b.name, Key: &key, ChecksumAlgorithm: types.ChecksumAlgorithmSha256}
	if b.keyFor != nil {
		if create.SSEKMSKeyId = b.keyFor(key); create.SSEKMSKeyId != nil {
			create.ServerSideEncryption = types.ServerSideEncryptionAwsKms
		}
	}
	upload, err := b.client.CreateMultipartUpload(ctx, create)
	if err != nil {
		return "", err
	}
	defer func() {
		if err == nil {
			return
		}
		abortCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), abortTime)
		defer cancel()
		// If this fails, too, the bucket's lifecycle removes the parts.
		_, _ = b.client.AbortMultipartUpload(abortCtx, &s3.AbortMultipartUploadInput{Bucket: &b.name, Key: &key, UploadId: upload.UploadId})
	}()
	size := max(b.limits.withDefaults().part, (p.size+maxParts-1)/maxParts)
	var parts []types.CompletedPart
	for start := int64(0); start < p.size; start += size {
		part, err := b.putPart(ctx, key, upload.UploadId, int32(len(parts)+1), io.NewSectionReader(body, p.start+start, min(size, p.size-start)))
		if err != nil {
			return "", fmt.Errorf("part %d: %w", len(parts)+1, err)
		}
		parts = append(parts, part)
	}
	out, err := b.client.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{
		Bucket: &b.name, Key: &key, UploadId: upload.UploadId, IfNoneMatch: ifNoneMatch, MultipartUpload: &types.CompletedMultipartUpload{Parts: parts},
	})
	if err != nil {
		return "", err
	}
	return aws.ToString(out.VersionId), nil
}

func (b *bucket) putPart(ctx context.Context, key string, upload *string, number int32, body *io.SectionReader) (types.CompletedPart, error) {
	p, err := newPayload(body)
	if err == nil {
		_, err = body.Seek(0, io.SeekStart)
	}
	if err != nil {
		return types.CompletedPart{}, fmt.Errorf("reading the body: %w", err)
	}
	out, err := b.client.UploadPart(ctx, &s3.UploadPartInput{
		Bucket: &b.name, Key: &key, UploadId: upload, PartNumber: &number, Body: body, ContentLength: &p.size,
		ChecksumAlgorithm: types.ChecksumAlgorithmSha256, ChecksumSHA256: &p.sha256,
	})
	if err != nil {
		return types.CompletedPart{}, err
	}
	if out.ETag == nil {
		return types.CompletedPart{}, errors.New("S3 gave it no ETag")
	}
	return types.CompletedPart{PartNumber: &number, ETag: out.ETag, ChecksumSHA256: &p.sha256}, nil
}
