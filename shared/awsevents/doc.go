// Package awsevents stands between Lambda and the stages that work on objects:
// it reads from a batch of SQS messages which objects appeared, has each worked
// on, and tells SQS which messages must come again.
//
// A stage that uses it needs an event source mapping with
// ReportBatchItemFailures; without that, SQS takes a batch with failures for
// done.
package awsevents
