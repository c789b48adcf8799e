// Package decode is the archiver's stage: it turns one stored page into one
// segment. It opens each envelope's random key with the corp's private keys, has
// WeCom's library decrypt the message, reads what it says, and stores a Parquet
// object with a row for every envelope, readable or not. Then it indexes what is
// stored.
//
// Handling a page again is always safe: rows that are stored stay as they are,
// and only what can be read now and could not be read before is added, as a
// further part of the segment. The index is written from the stored rows, so an
// archiver that died half-way, or a later one with another parser, cannot make
// the two differ.
//
// It reads plaintext and private keys and must have no route to the Internet.
package decode
