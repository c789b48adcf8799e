package reading

import (
	"strings"
	"time"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog"
)

// Newest is a stored row as compacted objects have it: read anew if its reading is older
// than parser (read may be nil), and in the conversation that it belongs to by what is
// known of changed userids.
func Newest(r archive.Row, read Func, parser int, a catalog.Aliases) archive.Row {
	if !r.Readable() {
		return r
	}
	if read != nil && r.ParserVersion < parser {
		r.Reading = read(r.Raw, r.MsgID, r.PulledAt)
	}
	r.Reading = Apply(a, r.Reading)
	// As it will be stored: rows are sorted by it.
	r.Conversation = strings.ToValidUTF8(r.Conversation, "\uFFFD")
	r.MsgTime = time.UnixMilli(r.MsgTime.UnixMilli()).UTC()
	return r
}
