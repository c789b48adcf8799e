// Package store is the ground floor: the ports through which everything reaches
// what is kept (Objects, Lock, Versions, Derived, Index, Keyring, Secrets, Notifier),
// their errors, and the rules that every adapter enforces alike. Adapters
// (awsstore, localstore) implement them; package storetest holds the contracts
// that each adapter passes.
//
// It imports nothing of ours and knows nothing of chats.
package store
