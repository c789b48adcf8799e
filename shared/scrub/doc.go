// Package scrub reads the archive again, a share of it each day, and compares every
// object with what it must be: its own hashes, the name that it lies under, and what
// the index and other objects say is there. What is not so is reported to the book of
// damage (package damage); what is whole again is said to be mended.
//
// Who may read a prefix scrubs it: on AWS the archiver all but files, media the files.
// The objects of a prefix are dealt out to days by a hash of their keys, so that a run
// needs to remember no more than how far it is.
package scrub
