// Package localstore implements the ports of package store on one machine:
// the index in SQLite, a keyring under a wrapping key in a file, secrets in a
// file, and queues in the process. With the embedded S3 of infra/local/s3 it
// lets `wecom-archive local` and fast tests run the same stages that AWS runs.
package localstore
