// Package companion calls WeCom's HTTP API beside the message archive: who has a
// seat, who has agreed, how people and rooms are called. It knows WeCom and nothing
// of the archive.
//
// A Client speaks with one secret. Which calls it may make depends on whose secret
// that is: PermitUserList, CheckSingleAgree, CheckRoomAgree, InternalGroup and
// RobotInfo are the message archive's; User, ExternalContact, ContactsOf and
// CustomerGroup need an app of the company's own that sees its contacts and
// customers.
//
// A Client keeps to WeCom's limits by waiting before a call, asks for a new access
// token when the one it has dies early, and tries again what is worth it. What
// remains is an error: *wecom.Error for what WeCom refuses, *LimitedError while it
// bans, wecom.ErrNetwork, ErrReply. No error and no log names a secret or a token.
//
// Source of the facts: the pages of developer.work.weixin.qq.com that the methods
// name by number (docs/wecom.md, "Pages of Tencent").
package companion
