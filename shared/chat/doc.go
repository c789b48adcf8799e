// Package chat holds the ids and words that WeCom's messages and the archive share: who
// takes part and of what kind, how ids are folded, and what conversations are called.
// Nothing else says them again: the ids of conversations are stored for years.
//
// It imports nothing of ours.
package chat
