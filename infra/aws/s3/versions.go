package locals3

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/versity/versitygw/backend/meta"
	"github.com/versity/versitygw/backend/posix"
	"github.com/versity/versitygw/s3err"
	"github.com/versity/versitygw/s3response"
)

// Attributes of a file, as the gateway names them.
const (
	attrVersion = "version-id"    // ULID: later versions sort after earlier ones
	attrMarker  = "delete-marker" // its presence counts
)

// ListObjectVersions lists as S3 does: keys in byte order, of each the newest
// version first, and markers exclusive. The gateway's own one walks the whole
// bucket in another order ("a/b" before "a-b"), begins with the marker, and
// leaves keys out at the boundary of two pages. Delimiters are not supported.
func (d *disk) ListObjectVersions(ctx context.Context, in *s3.ListObjectVersionsInput) (s3response.ListVersionsResult, error) {
	bucket := aws.ToString(in.Bucket)
	if aws.ToString(in.Delimiter) != "" {
		return s3response.ListVersionsResult{}, s3err.GetAPIError(s3err.ErrNotImplemented)
	}
	if _, err := os.Stat(bucket); err != nil {
		return s3response.ListVersionsResult{}, s3err.GetBucketErr(s3err.ErrNoSuchBucket, bucket)
	}
	l := versionLister{
		disk: d, bucket: bucket, prefix: aws.ToString(in.Prefix), max: int(aws.ToInt32(in.MaxKeys)),
		afterKey: aws.ToString(in.KeyMarker), afterVersion: aws.ToString(in.VersionIdMarker),
	}
	l.result = s3response.ListVersionsResult{
		Name: in.Bucket, Prefix: &l.prefix, KeyMarker: &l.afterKey, VersionIdMarker: &l.afterVersion,
		MaxKeys: in.MaxKeys, IsTruncated: &l.truncated,
	}
	dir, _ := path.Split(l.prefix)
	if err := l.walk(strings.TrimSuffix(dir, "/")); err != nil && !errors.Is(err, errFull) {
		return s3response.ListVersionsResult{}, fmt.Errorf("listing the versions of bucket %s: %w", bucket, err)
	}
	return l.result, nil
}

// errFull ends a walk: there is more than was asked for.
var errFull = errors.New("the page is full")

type versionLister struct {
	disk                   *disk
	bucket, prefix         string
	afterKey, afterVersion string
	max, count             int
	truncated              bool
	lastKey, lastVersion   string
	result                 s3response.ListVersionsResult
}

// walk lists the directory dir of the bucket, "" for the bucket itself.
func (l *versionLister) walk(dir string) error {
	entries, err := os.ReadDir(filepath.Join(l.bucket, filepath.FromSlash(dir)))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var names []string // of files, and of directories with the slash that their keys go on with
	for _, e := range entries {
		name := path.Join(dir, e.Name())
		if e.IsDir() {
			name += "/"
		}
		if e.Name() != posix.MetaTmpDir && l.wants(name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		if below, isDir := strings.CutSuffix(name, "/"); isDir {
			err = l.walk(below)
		} else {
			err = l.list(name)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// wants says whether a key, or some key below a directory, was asked for.
func (l *versionLister) wants(name string) bool {
	if strings.HasSuffix(name, "/") {
		passed := name < l.afterKey && !strings.HasPrefix(l.afterKey, name)
		return !passed && (strings.HasPrefix(name, l.prefix) || strings.HasPrefix(l.prefix, name))
	}
	passed := name < l.afterKey || name == l.afterKey && l.afterVersion == ""
	return !passed && strings.HasPrefix(name, l.prefix)
}

// list adds the versions of a key, the newest first.
func (l *versionLister) list(key string) error {
	newest, err := l.disk.attribute(l.bucket, key, attrVersion)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // gone meanwhile
	}
	if err != nil {
		return err
	}
	older, err := os.ReadDir(l.disk.versionDir(l.bucket, key))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	passed := key != l.afterKey
	add := func(version, bucket, object string, latest bool) error {
		if !passed {
			passed = version == l.afterVersion
			return nil
		}
		return l.add(key, version, bucket, object, latest)
	}
	if err := add(newest, l.bucket, key, true); err != nil {
		return err
	}
	for _, e := range slices.Backward(older) {
		if e.Name() == newest {
			continue // a put of a later version is under way
		}
		if err := add(e.Name(), l.disk.versionDir(l.bucket, key), e.Name(), false); err != nil {
			return err
		}
	}
	return nil
}

func (l *versionLister) add(key, version, bucket, object string, latest bool) error {
	info, err := os.Stat(filepath.Join(bucket, filepath.FromSlash(object)))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if l.count == l.max {
		l.truncated = true
		l.result.NextKeyMarker, l.result.NextVersionIdMarker = &l.lastKey, &l.lastVersion
		return errFull
	}
	l.count++
	l.lastKey, l.lastVersion = key, version
	modified := info.ModTime().UTC()
	if _, err := l.disk.meta.RetrieveAttribute(nil, bucket, object, attrMarker); err == nil {
		l.result.DeleteMarkers = append(l.result.DeleteMarkers, types.DeleteMarkerEntry{
			Key: &key, VersionId: &version, IsLatest: &latest, LastModified: &modified,
		})
		return nil
	} else if !errors.Is(err, meta.ErrNoSuchKey) {
		return err
	}
	l.result.Versions = append(l.result.Versions, s3response.ObjectVersion{
		Key: &key, VersionId: &version, IsLatest: &latest, LastModified: &modified, Size: aws.Int64(info.Size()),
		StorageClass: types.ObjectVersionStorageClassStandard,
	})
	return nil
}

// attribute reads an attribute of a file; "null", S3's name of the version
// before versioning, if there is none.
func (d *disk) attribute(bucket, object, name string) (string, error) {
	value, err := d.meta.RetrieveAttribute(nil, bucket, object, name)
	if errors.Is(err, meta.ErrNoSuchKey) {
		return "null", nil
	}
	return string(value), err
}

// versionDir is where the gateway keeps the older versions of a key.
func (d *disk) versionDir(bucket, key string) string {
	sum := sha256.Sum256([]byte(key))
	name := hex.EncodeToString(sum[:])
	return filepath.Join(d.layout.versions(), bucket, name[:2], name[2:4], name[4:6], name)
}
