// Package health judges how the archive is: from facts (the state of pulling, what waits,
// what could not be read, gaps, incidents, files, the program) and a time it says which
// alarms ring, how urgent each is and what to do about it, in two languages. It reads
// nothing itself: whoever shows or measures health brings the facts.
//
// No news is no proof. An archive is healthy only if something proves it.
package health
