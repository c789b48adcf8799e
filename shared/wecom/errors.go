package wecom

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Source says which of WeCom's two lists of numbers an error code is from.
type Source string

// Sources. GetChatData uses both: the function may return a code, and a call
// that returned 0 may still carry an errcode in its JSON reply.
const (
	SourceSDK   Source = "sdk"     // return value of a function of the native library
	SourceReply Source = "errcode" // errcode of a JSON reply
)

// Class says what a caller does about an error.
type Class string

// Classes.
const (
	Retry   Class = "retry"   // try again after a pause, a bounded number of times
	Slower  Class = "slower"  // too many calls: wait a minute, then go on
	Smaller Class = "smaller" // the reply would be too large: ask with a lower limit
	Lost    Class = "lost"    // WeCom no longer has it; record that and go on
	Stop    Class = "stop"    // nothing works until an operator acts; see Remedy
	Bad     Class = "bad"     // this call is wrong, or concerns an item that cannot be had; do not repeat it
)

// Sentinels for errors.Is. Several codes may match one of them.
var (
	ErrUntrustedIP       = errors.New("caller's IP is not on WeCom's trusted list")
	ErrBadSecret         = errors.New("WeCom does not accept the secret")
	ErrBadCorp           = errors.New("WeCom does not know the corpid")
	ErrBadToken          = errors.New("access token is invalid or expired")
	ErrServiceNotOpen    = errors.New("message archive service is not opened")
	ErrServiceExpired    = errors.New("message archive service has expired")
	ErrNotGranted        = errors.New("API or object is outside the app's permissions")
	ErrBadPublicKey      = errors.New("WeCom does not accept the public key")
	ErrRateLimited       = errors.New("too many calls")
	ErrTooLarge          = errors.New("reply too large")
	ErrNetwork           = errors.New("WeCom cannot be reached")
	ErrCertificate       = errors.New("WeCom's TLS certificate cannot be verified")
	ErrExpired           = errors.New("WeCom no longer keeps this")
	ErrUndecryptable     = errors.New("library cannot decrypt this")
	ErrBadArgument       = errors.New("argument is wrong")
	ErrNotAgreed         = errors.New("customer has not agreed to archiving")
	ErrUnknownID         = errors.New("WeCom does not know this id")
	ErrNotInternalGroup  = errors.New("group is not internal")
	ErrNoExternalContact = errors.New("no such relation to an external contact")
)

// ErrLibraryCrash says, as an Opened's error, that the native library dies of this
// message, or does not come back from it. Do not offer it again before the library
// is another one.
var ErrLibraryCrash = errors.New("WeCom's library dies of this message")

// Error is a refusal by WeCom: by its library or in a JSON reply.
type Error struct {
	Op      string // what was asked for, e.g. "GetChatData"
	Source  Source
	Code    int
	Message string // errmsg of the reply, made printable, at most 200 bytes; empty for SDK codes
}

// NewSDKError makes the error of a library call that returned code.
func NewSDKError(op string, code int) *Error {
	return &Error{Op: op, Source: SourceSDK, Code: code}
}

// NewReplyError makes the error of a JSON reply with this errcode and errmsg.
func NewReplyError(op string, errcode int, errmsg string) *Error {
	return &Error{Op: op, Source: SourceReply, Code: errcode, Message: printable(errmsg, maxMessage)}
}

const maxMessage = 200 // bytes of an errmsg that are kept

// Error says operation, code, our meaning of the code and WeCom's own words.
func (e *Error) Error() string {
	name := "errcode"
	if e.Source == SourceSDK {
		name = "SDK code"
	}
	text := fmt.Sprintf("%s: %s %d: %s", e.Op, name, e.Code, e.entry().meaning)
	if e.Message != "" {
		text += " (" + e.Message + ")"
	}
	return text
}

// Is matches the sentinel of the code.
func (e *Error) Is(target error) bool {
	kind := e.entry().kind
	return kind != nil && kind == target
}

// Class says what to do. A code that is not in the table is worth a retry: WeCom
// adds codes, and most surprises pass. The caller bounds the tries.
func (e *Error) Class() Class { return e.entry().class }

// Remedy is a sentence for the operator, empty if there is nothing to do.
func (e *Error) Remedy() string { return e.entry().remedy }

func (e *Error) entry() errorEntry {
	table := replyErrors
	if e.Source == SourceSDK {
		table = sdkErrors
	}
	if entry, ok := table[e.Code]; ok {
		return entry
	}
	return errorEntry{class: Retry, meaning: "unknown code"}
}

// printable makes s safe for a log line: control and invalid characters become
// spaces, and at most limit bytes of whole characters remain.
func printable(s string, limit int) string {
	if len(s) > limit {
		cut := limit
		for cut > 0 && !utf8.RuneStart(s[cut]) {
			cut--
		}
		s = s[:cut]
	}
	s = strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, s)
	return strings.TrimSpace(s)
}
