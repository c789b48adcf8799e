// Package segment writes and reads the messages of one page as a Parquet object: one
// row per envelope, facts beside the reading of that day. docs/format.md, "Segments",
// specifies it for other readers. What a row is says package archive.
//
// The archiver writes segments; whoever may read messages reads them. Nothing that
// talks to the outside imports this.
package segment
