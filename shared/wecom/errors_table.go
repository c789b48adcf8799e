package wecom

// errorEntry is what we know about one code.
type errorEntry struct {
	class   Class
	kind    error // sentinel, or nil
	meaning string
	remedy  string
}

// Remedies that several codes share. A refusal because of the IP was seen as SDK
// code 10009 and as errcodes 301042 and 60020, and older reports also name 40001
// and 41001; nobody has written down which one comes when.
const (
	remedyIP = "Add the public address this program calls from (the NAT gateway's Elastic IP) " +
		"to the trusted IPs of the message archive in WeCom's admin console. A change takes about a minute."
	remedySecretAndIP = "Check the secret and the IP: the message archive has a secret of its own " +
		"(not that of an app), and WeCom has been seen to answer an untrusted IP with this code too. " +
		"Repeating a wrong secret bans the IP for an hour."
	remedyScope = "Widen the visible scope of the app or the archive in WeCom's admin console " +
		"to include this member, customer or group."
)

// sdkErrors are the library's return codes (developer.work.weixin.qq.com,
// document 91552, 2022-11-09).
var sdkErrors = map[int]errorEntry{
	10000: {Bad, ErrBadArgument, "bad argument",
		"Check the corpid and the archive secret; if they are right, this is a fault of the program."},
	10001: {Retry, ErrNetwork, "network or proxy failure",
		"If it goes on: check the route to qyapi.weixin.qq.com:443 and the proxy setting."},
	10002: {Retry, nil, "the library could not read WeCom's data", ""},
	10003: {Retry, nil, "WeCom's system failed", ""},
	10004: {Retry, nil, "code that WeCom no longer documents", ""},
	10005: {Bad, ErrBadArgument, "bad sdkfileid", ""},
	10006: {Bad, ErrUndecryptable, "decryption failed",
		"Check that the private key belongs to the message's publickey_ver."},
	10007: {Retry, nil, "code that WeCom no longer documents", ""},
	// WeCom says to retry 10008, but DecryptData is a pure function of its input:
	// the same key and message fail again. Another key may do, which is a redrive.
	10008: {Bad, ErrUndecryptable, "DecryptData refused key or message",
		"Check that the private key belongs to the message's publickey_ver."},
	10009: {Stop, ErrUntrustedIP, "untrusted IP", remedyIP},
	10010: {Lost, ErrExpired, "data older than five days", ""},
	10011: {Stop, ErrCertificate, "WeCom's TLS certificate could not be verified",
		"Check the CA certificates of this machine, its clock, and whether a proxy intercepts TLS."},
}

// replyErrors are the errcodes that concern the archive (document 90313, as
// far as the archive and the APIs beside it can return them).
var replyErrors = map[int]errorEntry{
	-1: {Retry, nil, "WeCom is busy", ""},

	40001: {Stop, ErrBadSecret, "secret not accepted", remedySecretAndIP},
	40013: {Stop, ErrBadCorp, "corpid not accepted",
		"Check the corpid (我的企业 in WeCom's admin console, at the bottom of the page)."},
	// A token may die before its time. Whoever holds it gets a new one and tries again.
	40014: {Retry, ErrBadToken, "access token not accepted", ""},
	41001: {Stop, ErrBadSecret, "access token missing", remedySecretAndIP},
	42001: {Retry, ErrBadToken, "access token expired", ""},
	40096: {Bad, ErrUnknownID, "external_userid not accepted", ""},
	40211: {Stop, ErrBadPublicKey, "RSA public key not accepted",
		"Paste an RSA-2048 public key in PEM form (BEGIN PUBLIC KEY), as 'keys create' prints it."},
	40212: {Stop, ErrBadPublicKey, "public key version is lower than the current one",
		"Upload the public key again; WeCom counts the version up at every upload."},
	41053: {Bad, ErrNotAgreed, "customer has not agreed to archiving", ""},
	45009: {Slower, ErrRateLimited, "too many calls", ""},
	45033: {Slower, ErrRateLimited, "too many calls at once", ""},
	48002: {Stop, ErrNotGranted, "API not granted",
		"Grant this API to the app, or use the secret that has it, in WeCom's admin console."},
	60011: {Bad, ErrNotGranted, "no privilege over the member", remedyScope},
	60020: {Stop, ErrUntrustedIP, "untrusted IP", remedyIP},
	60111: {Bad, ErrUnknownID, "userid not found", ""},
	84061: {Bad, ErrNoExternalContact, "member and customer have no relation", ""},
	84074: {Bad, ErrNotGranted, "no permission for external contacts", remedyScope},
	84083: {Bad, ErrNotGranted, "member has no seat of this service",
		"Give the member a seat if its messages are to be archived."},
	84084: {Bad, ErrNoExternalContact, "member does not follow the customer", ""},
	86001: {Bad, ErrUnknownID, "chat id not accepted", ""},
	86003: {Bad, ErrUnknownID, "chat id not accepted", ""},
	92002: {Bad, ErrNotGranted, "group was created by another company", ""},

	301042: {Stop, ErrUntrustedIP, "untrusted IP", remedyIP},
	301048: {Lost, ErrExpired, "file of the sdkfileid is missing or expired", ""},
	301052: {Stop, ErrServiceExpired, "message archive service has expired",
		"Renew the message archive (会话内容存档) in WeCom's admin console. " +
			"Messages can be fetched for five days only."},
	301053: {Stop, ErrServiceNotOpen, "message archive service is not opened",
		"Open the message archive (会话内容存档) in WeCom's admin console: buy seats, " +
			"choose the members, upload a public key and set the trusted IPs."},
	301058: {Smaller, ErrTooLarge, "reply too large", ""},
	301059: {Bad, ErrNotInternalGroup, "group is not internal", ""},
	301060: {Bad, ErrBadArgument, "more than 100 items of consent asked for", ""},
	301061: {Bad, ErrUnknownID, "userid or external id not found", ""},
}
