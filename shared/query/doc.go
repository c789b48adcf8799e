// Package query decides which messages a search means, and where in their text
// its terms stand. It reads no storage: package search, which does, asks a Matcher about
// each row.
//
// Text and terms are folded alike (Fold), and a term is found wherever its folded
// form is a substring of the folded text. There are no words and no dictionary:
// Chinese of one or two characters is found like everything else.
package query
