// Package duckdb checks the archive with a reader that is not ours: it runs the
// real program and compares what DuckDB finds in the Parquet segments with what
// the simulated corp served. It is a module of its own, because DuckDB needs cgo
// and a C compiler, which the program and its tests must not.
package duckdb
