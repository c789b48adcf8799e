// Package extract makes and reads extracts: what a search looks at of the messages of
// a run of the compactor, and nothing else. The compactor writes them beside the
// compacted objects, package search reads them instead, and whoever lost them can have
// them made again. docs/format.md has the bytes.
//
// Beside each compacted object lies one object of extracts. It has three sections for
// each row group, each a zstd frame that can be read and verified alone:
//
//   - texts: the texts as query.Fold folds them, searched as bytes where they lie;
//   - facts: what filters ask for, the place of each message, and its files;
//   - originals: the texts as they were, of which only those of hits are read.
//
// Texts and facts of a row group stand together, those of neighbours too, so that one
// request reads many; the originals of all come behind.
//
// A Directory says of up to DirectoryBlocks row groups where these sections are, what
// they hash to, and by what a search can pass them over. A run names its directories
// with their SHA-256, so that nothing is believed that was not verified.
package extract
