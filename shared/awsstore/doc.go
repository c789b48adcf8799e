// Package awsstore implements the ports of package archive on AWS: Objects on
// S3, Index on DynamoDB, Keyring on KMS, Secrets in Systems Manager's Parameter
// Store. Clients come in from outside, so the same code runs against AWS and
// against stand-ins; it never makes a bucket, table or key, and never deletes an
// object.
//
// # Tests
//
// The tests without a build tag need only Go. `make test-aws` starts stand-ins
// for DynamoDB, KMS and Parameter Store and runs the tests with the tag aws as
// well; they fail, and are not skipped, where a stand-in is missing. What no
// stand-in can show is listed in docs/verification.md.
package awsstore
