package reading

import (
	"bytes"
	"time"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/chat"
	"wecom-archive/shared/wecom"
)

// Unopened says whether a message may hold text that its reading has not, or not as people
// wrote it: the plaintext could not be read at all, or something in it is nested deeper than
// the parser goes. Readings do not say so; the few messages that can be such are parsed
// again: each step down begins with a bracket.
func Unopened(raw []byte, r archive.Reading) bool {
	if r.Conversation != chat.Unparsed && bytes.Count(raw, []byte("{"))+bytes.Count(raw, []byte("[")) <= wecom.MaxDepth {
		return false
	}
	return wecom.Parse(raw, "", time.Time{}).Unopened
}
