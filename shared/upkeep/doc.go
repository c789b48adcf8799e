// Package upkeep is how the command asks functions of the stack to make derived things
// again (compact, recompact, reparse, reindex), and what they answer: the same order
// again goes on, until nothing is left to do. Packages compact, reparse and rebuild do
// the work.
package upkeep
