package wecom

import "log/slog"

// Sealed is the input of one DecryptData call of the native library.
//
// DecryptData needs no handle and no network. With a key shorter than 13 bytes
// the vendor's library aborts its whole process, so callers check the key first.
type Sealed struct {
	// Key is what RSA decryption (PKCS#1 v1.5) of the base64-decoded
	// encrypt_random_key gave: an ASCII string, 88 characters in production. It is
	// handed over as it is, not decoded further. Secret: it opens the message.
	Key string

	// Message is the envelope's encrypt_chat_msg as it stands in the page: text
	// that looks like base64 and is opaque to us.
	Message string
}

// Opened is the result of one DecryptData call.
type Opened struct {
	// Raw is the message exactly as the library returned it: UTF-8 JSON as a rule,
	// sometimes with raw control characters inside strings. Nil if Err is set.
	Raw []byte

	// Err says why this item could not be opened; its neighbours in a batch are
	// not concerned. It is an *Error (SDK code 10008 or 10006) if the library
	// refused it.
	Err error
}

const redacted = "[redacted]"

// LogValue keeps key and message out of logs.
func (Sealed) LogValue() slog.Value { return slog.StringValue(redacted) }

// String keeps key and message out of formatted output.
func (Sealed) String() string { return redacted }

// GoString keeps key and message out of %#v.
func (Sealed) GoString() string { return redacted }

// LogValue keeps the message out of logs.
func (o Opened) LogValue() slog.Value { return slog.StringValue(o.String()) }

// String keeps the message out of formatted output.
func (o Opened) String() string {
	if o.Err != nil {
		return "not opened: " + o.Err.Error()
	}
	return redacted
}

// GoString keeps the message out of %#v.
func (o Opened) GoString() string { return o.String() }
