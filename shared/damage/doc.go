// Package damage keeps what is not as it must be: objects that are missing or altered,
// strays, holes in the stream. Whoever notices one (a reader, a rebuild, the compactor,
// a scrub) reports it to a Book; health judges what is open there. It stays until it is
// mended or somebody acknowledges it with a reason.
//
// Of the archive bucket a finding is an event first, then an item of the index, so that
// neither a restart nor a rebuild forgets it. What is derived is made again with the
// index; there the item is enough.
package damage
