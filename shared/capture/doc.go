// Package capture is the puller's stage: it asks WeCom for what comes after the
// cursor and stores each reply as a locked page, byte for byte and still
// encrypted, before anybody tries to read it. It has no private key.
//
// Pages form a chain: each is stored under the seq it was asked after, and its
// last seq is what is asked next. Only a stored page moves the cursor, or a hole
// that is recorded: pages that are gone, behind which others are there. What is
// missing is asked for again and stored beside its place, in alternates. That is
// why nothing is lost or stored twice however often the puller is killed, runs
// late, or runs twice at once: whoever puts the page first wins, and everybody
// goes on from what is stored.
//
// The puller also watches the clock that no envelope carries: five days after
// the last pull that reached the end of the stream, messages may be gone.
package capture
