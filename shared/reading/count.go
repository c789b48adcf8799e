package reading

import (
	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/chat"
	"wecom-archive/shared/wecom"
)

// Count counts a message by what the parser made of it. Besides plaintext that is no
// JSON object, the conversation unparsed has messages that name nobody: no reader
// comes across either.
func Count(c *catalog.ParseCount, r archive.Reading) {
	c.Messages++
	switch {
	case r.Conversation == chat.Unparsed:
		c.Unparsed++
	case !wecom.Known(r.Type()):
		c.UnknownType++
	}
}
