// Package awsstore implements the ports of package store on AWS: Objects on
// S3, which is Versions, too, Derived on another S3 bucket, Index on DynamoDB,
// Keyring on KMS, Secrets in Systems Manager's Parameter Store, Notifier on SQS.
// Clients come in from outside, so the same code runs against AWS and against
// stand-ins; it never makes a bucket, table, queue or key, and never deletes an
// object of the archive.
//
// # Tests
//
// The tests without a build tag need only Go. `make test-aws` starts stand-ins
// for DynamoDB, KMS, Parameter Store and SQS and runs the tests with the tag aws as
// well; they fail, and are not skipped, where a stand-in is missing. What no
// stand-in can show is listed in docs/verification.md.
package awsstore
