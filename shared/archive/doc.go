// Package archive is the domain: pages as WeCom returned them, the envelopes
// in them, the segments of decrypted messages, the conversations these belong
// to, and the index that finds them again. It also declares the ports that the
// stages work through (Objects, Index, Keyring, Secrets, Notifier).
//
// Everything else depends on this package: stages (capture, decode, viewer)
// work on its ports, adapters (awsstore, localstore) implement them. It imports
// neither.
//
// The stored formats are specified for other readers in docs/format.md.
package archive
