package awsstore

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"wecom-archive/shared/store"
)

// CheckLock implements store.Lock.
func (o *Objects) CheckLock(ctx context.Context) error {
	missing, err := o.missingLock(ctx)
	if err != nil {
		return fmt.Errorf("checking the lock of bucket %s: %w", o.name, err)
	}
	if missing != "" {
		return fmt.Errorf("checking the lock of bucket %s: %w: %s", o.name, store.ErrNotLocked, missing)
	}
	return nil
}

// Compliance says whether the bucket locks what is put there so that nobody can take it
// back, not even the account's owner.
func (o *Objects) Compliance(ctx context.Context) (bool, error) {
	out, err := o.client.GetObjectLockConfiguration(ctx, &s3.GetObjectLockConfigurationInput{Bucket: &o.name})
	if errorCode(err) == "ObjectLockConfigurationNotFoundError" {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("asking how bucket %s locks: %w", o.name, err)
	}
	lock := out.ObjectLockConfiguration
	return lock != nil && lock.Rule != nil && lock.Rule.DefaultRetention != nil &&
		lock.Rule.DefaultRetention.Mode == types.ObjectLockRetentionModeCompliance, nil
}

// missingLock says what the bucket lacks.
func (o *Objects) missingLock(ctx context.Context) (missing string, err error) {
	versioning, err := o.client.GetBucketVersioning(ctx, &s3.GetBucketVersioningInput{Bucket: &o.name})
	if err != nil {
		return "", err
	}
	if versioning.Status != types.BucketVersioningStatusEnabled {
		return "versioning is not enabled", nil
	}
	out, err := o.client.GetObjectLockConfiguration(ctx, &s3.GetObjectLockConfigurationInput{Bucket: &o.name})
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
