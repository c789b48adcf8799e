// Package compact puts the messages of a conversation side by side.
//
// The archiver writes a segment for each page, so a conversation lies scattered
// over all pages of the corp. The compactor merges the segments of a month (by
// pull date, so that a month that is over gets few more) into runs: lists of
// Parquet objects in the derived bucket, sorted by conversation and time. Package
// transcript reads them, and the tail that is not compacted yet.
//
// A month has at most two runs, a large old one and a small new one. New segments
// are merged with the small one until it is a quarter of the large one; then both
// become one. So each message is rewritten a few times only, whether segments come
// daily or, after a rebuild, all at once. (Weeks of the calendar would do the same
// for a steady stream, but not for a backlog.)
//
// Order of writing, so that a crash at any point changes no answer: objects,
// directory, spans of conversations, the switch (one conditional write), and only
// then the postings of the parts that went in are deleted. What a crash leaves
// before the switch is garbage, collected a day later; after it, a message stands in a run and
// in the tail, and readers show it once.
//
// Everything here can be lost: Run looks whether what the switches name is there and
// whole, and makes a month again from its segments if it is not, as Rebuild does. What is
// wrong is reported first (Damage), and ended once the month is made again.
package compact
