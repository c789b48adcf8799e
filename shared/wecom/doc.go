// Package wecom knows what WeCom (企业微信) says: the plaintext messages of its
// message archive (会话内容存档), the errors of its native library and of its
// HTTP API, and the form of one decryption.
//
// It reads bytes and does nothing else: no network, no library, no storage. The
// native library is used in financesdk, the simulated corp is in wecomtest; the
// stages decode messages with Parse and decide by an Error's Class.
//
// Nothing in it rejects a message. What Parse cannot read it leaves empty, and
// the raw bytes, which are the truth, are kept by others.
package wecom
