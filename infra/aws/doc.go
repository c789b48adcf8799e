// Package awstest runs the pipeline on the AWS adapters alone, against stand-ins
// for AWS. Its tests have the build tag aws; `make test-aws` starts the stand-ins
// and runs them, see test.sh.
package awstest
