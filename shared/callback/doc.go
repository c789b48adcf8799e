// Package callback receives what WeCom tells the company by itself: that new
// messages wait (msgaudit_notify), that a customer agreed to being archived
// (msg_audit_approved), and whatever else the console is set to send.
//
// Anybody on the Internet can call the endpoint. Cipher therefore lets through only
// what carries a signature made with the token, opens under the EncodingAESKey and
// names our corp; Handler adds a window on the time, a memory of what was seen, and
// limits on size and XML. Events become locked objects before WeCom gets its answer,
// so that WeCom sends again what was not stored.
//
// Source of the scheme and the events: docs/wecom.md, "Callback".
package callback
