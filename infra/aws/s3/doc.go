// Package locals3 is an S3 in this process: the Versity gateway on a directory.
// It stands in for S3 in tests of the S3 adapter and in load tests; no program of
// ours imports it.
//
// # On disk
//
// Below Config.Root lie
//
//	NAME/KEY        an object of the bucket NAME, as a plain file
//	NAME/.sgwtmp/   the gateway's place for unfinished files
//	.s3/buckets/    a link to each bucket; the gateway sees nothing else
//	.s3/versions/   older versions of objects
//	.s3/sidecar/    metadata of objects, only if the file system has no extended
//	                attributes
//
// # Crashes
//
// An object gets its name by one atomic link or rename, when its bytes and its
// metadata (as extended attributes of the unnamed file, or in the sidecar) are
// complete. A process that is killed leaves at most an empty directory or, where
// the file system has no unnamed files (O_TMPFILE), a file under .sgwtmp that no
// listing shows and that Start removes later. Before a put is answered, file and
// directories are synced to the disk, which the gateway alone does not do.
//
// # What it is not
//
// Encryption headers are ignored, public access block, lifecycle and encryption
// of a bucket cannot be configured, and Head does not show a retention that comes
// from the bucket's default, although it is enforced. A key cannot be a directory
// of another ("a" beside "a/b"). Deleting a key that does not exist leaves no
// delete marker, a put with If-None-Match is refused over one, and the older
// versions of an object have the time at which they were replaced.
package locals3
