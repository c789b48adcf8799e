// Package awsstore implements the ports of package archive on AWS: Objects on
// S3. Clients come in from outside, so the same code runs against AWS and
// against stand-ins; it never makes a bucket and never deletes anything.
package awsstore
