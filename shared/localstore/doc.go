// Package localstore implements the ports of package store on one machine: objects
// as plain files in a folder, the index in SQLite, a keyring under a wrapping key in
// a file, secrets in a file, and queues in the process. It lets `wecom-archive
// local` and fast tests run the same stages that AWS runs.
package localstore
