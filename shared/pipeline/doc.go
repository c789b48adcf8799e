// Package pipeline holds tests of the stages together: puller, queue, archiver
// and index on a simulated corp, with ports in memory that can be made to fail or
// to crash at any call. It exports nothing.
package pipeline
