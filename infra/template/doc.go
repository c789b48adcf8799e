// Package template proves what the stack's templates promise, without an AWS
// account: that they hold the rules of a secure archive, who may do what, and that
// no change of parameters replaces what lasts. Everything is proved on the
// templates as aws-sam-translator expands them, with parameters and conditions
// resolved, in aws and aws-cn.
//
// Policies are evaluated by iam-simulate (see permissions_test.go). Each rule has
// been shown to fail: the mutation tests delete every protected property and every
// statement of a policy in a copy, and something must complain.
//
// The tests need Python and node; run them with make test-template.
package template
