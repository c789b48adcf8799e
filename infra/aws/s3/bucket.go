package locals3

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// CreateBucket makes a versioned bucket whose objects are locked for lockDays
// days by default, in GOVERNANCE mode (one can still delete the directory, this
// is a local stand-in), or with lockDays 0 one that does not lock. If the bucket
// exists, only its default retention is set anew.
func (s *Server) CreateBucket(ctx context.Context, name string, lockDays int32) error {
	if err := s.createBucket(ctx, name, lockDays); err != nil {
		return fmt.Errorf("creating bucket %q: %w", name, err)
	}
	return nil
}

func (s *Server) createBucket(ctx context.Context, name string, lockDays int32) error {
	if name == "" || filepath.Base(name) != name || name[0] == '.' || lockDays < 0 {
		return errors.New("no name of a bucket, or less than no days")
	}
	dir, link := s.layout.bucket(name), s.layout.link(name)
	switch _, err := os.Stat(dir); {
	case err == nil:
		if err := ensureLink(dir, link); err != nil {
			return err
		}
		return s.setLock(ctx, name, lockDays)
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}

	// The gateway makes a directory and then gives it its attributes; killed in
	// between, it never accepts that directory again. So a bucket is made beside
	// the others, and moved to its place when it is complete.
	if err := os.RemoveAll(link); err != nil {
		return err
	}
	if _, err := s.client.CreateBucket(ctx, &s3.CreateBucketInput{
		Bucket:                     &name,
		ObjectLockEnabledForBucket: aws.Bool(lockDays > 0),
	}); err != nil {
		return err
	}
	if _, err := s.client.PutBucketVersioning(ctx, &s3.PutBucketVersioningInput{
		Bucket:                  &name,
		VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusEnabled},
	}); err != nil {
		return err
	}
	if err := s.setLock(ctx, name, lockDays); err != nil {
		return err
	}
	if err := os.Rename(link, dir); err != nil {
		return err
	}
	if err := ensureLink(dir, link); err != nil {
		return err
	}
	return errors.Join(syncDir(s.layout.root), syncDir(s.layout.buckets()))
}

// ensureLink shows the bucket at dir to the gateway.
func ensureLink(dir, link string) error {
	target, err := filepath.Rel(filepath.Dir(link), dir) // relative: the root may be moved
	if err != nil {
		return err
	}
	if err := os.Symlink(target, link); !errors.Is(err, fs.ErrExist) {
		return err
	}
	got, err := os.Readlink(link)
	if err == nil && got != target {
		err = fmt.Errorf("%s links to %s, not to %s", link, got, target)
	}
	return err
}

func (s *Server) setLock(ctx context.Context, name string, days int32) error {
	if days == 0 {
		return nil
	}
	_, err := s.client.PutObjectLockConfiguration(ctx, &s3.PutObjectLockConfigurationInput{
		Bucket: &name,
		ObjectLockConfiguration: &types.ObjectLockConfiguration{
			ObjectLockEnabled: types.ObjectLockEnabledEnabled,
			Rule: &types.ObjectLockRule{DefaultRetention: &types.DefaultRetention{
				Mode: types.ObjectLockRetentionModeGovernance,
				Days: &days,
			}},
		},
	})
	return err
}
