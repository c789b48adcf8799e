// Package search carries out searches: it reads whatever can hold a message that a
// query of package query means, and returns what it means in order of time, a page
// at a time.
//
// Messages lie in the runs of the compactor (package compact) and in the segments
// that are not compacted yet. As in package transcript, the segments are listed
// first and the switches read after them, so that an answer is the same before,
// during and after a compaction; what is found twice appears once.
//
// Of a run's row groups only those are read whose bounds can hold what is looked
// for, and of these only the columns that the parser read. Everything read is
// verified. What is damaged is named in the answer, never skipped in silence.
//
// A search that meets its time limit returns what is certain to be next, which may
// be nothing, and a cursor of how far it has looked. The pages that cursors lead to
// are together the whole answer, each message once.
package search
