// Package archive is the domain: what is stored, in which form, and what each part is
// called. Pages as WeCom returned them, the envelopes in them, the row and the reading of
// a message, job lists and links of files, parts of the directory, key records, events;
// and the names of all these objects.
//
// It reads and writes documents through the ports of package store, and knows neither
// Parquet (package segment) nor the index (package catalog): whoever imports it for a
// name can reach neither.
//
// The stored formats are specified for other readers in docs/format.md, and locked for
// years: they change only by a new version that leaves readers for the old ones.
package archive
