// Package rebuild makes the index again from the archive's objects (Reindexer),
// and has pages tried again that could not be read (Redriver). They are the tools
// behind "objects are the truth": operators run them, no stage depends on them.
package rebuild
