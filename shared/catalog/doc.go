// Package catalog is the index of the archive, by subject: conversations, people,
// consents, media, pages, journal and keys, each a type of its own over the kit of package
// table. docs/format.md, "Index", says what stands where; nothing else knows it.
//
// All of it is derived from the archive's objects and can be made again (package
// rebuild). So whoever has something to say stores it first and notes it here then.
// PutScope, SayAlias and RecordIncidents do both, in that order.
//
// It knows nothing of Parquet, keys or WeCom. Users declare the few methods that they
// take; what rooms above it keep of their own they put into Catalog.Table.
package catalog
