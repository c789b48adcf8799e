// Package reparse reads archived messages again with the parser of this program: it has
// the months compacted anew from the segments, and then brings the lists of who talked
// when, and what is known of consent, up to the new readings. No locked object changes.
// Operators and the compactor run it; package rebuild makes the index itself again.
package reparse
