package locals3

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/versity/versitygw/backend/meta"
	"github.com/versity/versitygw/backend/posix"
	"github.com/versity/versitygw/s3response"
)

// disk is a Posix that answers a put only when the object is on the disk, if
// sync is set; the gateway itself leaves that to the operating system.
//
// It also finishes the requests that it has begun when the gateway is told to
// end. The gateway ends their contexts then, and complains on stderr about each
// that notices; so the methods that serve the ports do not let them notice.
type disk struct {
	*posix.Posix
	sync    bool
	sidecar bool // metadata lie apart from the objects
	layout  layout
	meta    meta.MetadataStorer
}

func (d *disk) PutObject(ctx context.Context, po s3response.PutObjectInput) (s3response.PutObjectOutput, error) {
	ctx = context.WithoutCancel(ctx)
	var out s3response.PutObjectOutput
	var err error
	if d.sync {
		out, err = d.PutObjectWithPostFunc(ctx, po, (*os.File).Sync)
	} else {
		out, err = d.Posix.PutObject(ctx, po)
	}
	if err == nil && d.sidecar {
		// What was put over a delete marker would go on to look like one: in the
		// sidecar attributes stay until they are replaced.
		err = d.meta.DeleteAttribute(*po.Bucket, *po.Key, attrMarker)
		if errors.Is(err, meta.ErrNoSuchKey) {
			err = nil
		}
	}
	if err != nil || !d.sync {
		return out, err
	}
	// The name is safe when its directory is, and each directory above that the
	// put may have made. Paths are relative to the gateway's working directory.
	for dir := filepath.Dir(filepath.Join(*po.Bucket, *po.Key)); dir != "."; dir = filepath.Dir(dir) {
		if err := syncDir(dir); err != nil {
			return s3response.PutObjectOutput{}, fmt.Errorf("syncing the directory of an object: %w", err)
		}
	}
	return out, nil
}

func (d *disk) GetObject(ctx context.Context, in *s3.GetObjectInput) (*s3.GetObjectOutput, error) {
	return d.Posix.GetObject(context.WithoutCancel(ctx), in)
}

func (d *disk) HeadObject(ctx context.Context, in *s3.HeadObjectInput) (*s3.HeadObjectOutput, error) {
	return d.Posix.HeadObject(context.WithoutCancel(ctx), in)
}

func (d *disk) ListObjectsV2(ctx context.Context, in *s3.ListObjectsV2Input) (s3response.ListObjectsV2Result, error) {
	return d.Posix.ListObjectsV2(context.WithoutCancel(ctx), in)
}

func (d *disk) DeleteObjects(ctx context.Context, in *s3.DeleteObjectsInput) (s3response.DeleteResult, error) {
	return d.Posix.DeleteObjects(context.WithoutCancel(ctx), in)
}

// The gateway asks for these itself, on the way to the ones above.

func (d *disk) GetBucketAcl(ctx context.Context, in *s3.GetBucketAclInput) ([]byte, error) {
	return d.Posix.GetBucketAcl(context.WithoutCancel(ctx), in)
}

func (d *disk) GetBucketPolicy(ctx context.Context, bucket string) ([]byte, error) {
	return d.Posix.GetBucketPolicy(context.WithoutCancel(ctx), bucket)
}

func (d *disk) GetBucketCors(ctx context.Context, bucket string) ([]byte, error) {
	return d.Posix.GetBucketCors(context.WithoutCancel(ctx), bucket)
}

func (d *disk) GetBucketVersioning(ctx context.Context, bucket string) (s3response.GetBucketVersioningOutput, error) {
	return d.Posix.GetBucketVersioning(context.WithoutCancel(ctx), bucket)
}

func (d *disk) GetObjectLockConfiguration(ctx context.Context, bucket string) ([]byte, error) {
	return d.Posix.GetObjectLockConfiguration(context.WithoutCancel(ctx), bucket)
}

func (d *disk) GetObjectRetention(ctx context.Context, bucket, object, version string) ([]byte, error) {
	return d.Posix.GetObjectRetention(context.WithoutCancel(ctx), bucket, object, version)
}

func (d *disk) GetObjectLegalHold(ctx context.Context, bucket, object, version string) (*bool, error) {
	return d.Posix.GetObjectLegalHold(context.WithoutCancel(ctx), bucket, object, version)
}
