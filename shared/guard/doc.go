// Package guard stands before everything that is served over HTTP: it names requests,
// sets the headers that every answer has, answers what panics and what no route takes,
// and logs, never an address with its query, since that names persons.
package guard
