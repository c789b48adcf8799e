// Package wecomtest simulates a company on WeCom: Tencent's servers, the native
// library and the companion HTTP API. All tests and "wecom-archive local" run on
// it, and nothing else of the program knows that it is not the real one.
//
// A Corp is made from a Config and serves a stream of encrypted messages with the
// semantics of GetChatData. The corp keeps nothing per message: each message and
// each envelope is computed from the seed and the message's index, so a corp of
// millions of messages needs no more memory than an empty one, a restart serves
// the same bytes, and a test can ask for the truth at any time (Served,
// WriteTruth).
//
// What is like the real thing: the reply's form, seqs with gaps, the window of
// five days that skips silently, the error codes, RSA-2048 with PKCS#1 v1.5 under
// growing key versions, all known message types with the oddities that were seen
// in production. What is not: the cipher of the message body, which Tencent does
// not publish. The simulator has one of its own (see Library).
//
// Faults (Fail) make it misbehave in the ways that WeCom, the network or a broken
// proxy do.
package wecomtest
