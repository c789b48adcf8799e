package show

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"wecom-archive/shared/archive"
)

// A cursor is base64url of: version (1 byte), checksum of the query that it
// belongs to (querySumSize bytes), and where to go on. It is opaque to clients
// and no secret: it opens nothing that the request's own query does not.
const (
	cursorVersion = 1
	querySumSize  = 8
)

var (
	errBadCursor     = errors.New("no cursor of this API")
	errForeignCursor = errors.New("cursor of another query")
)

// querySum identifies a query by the parts that a cursor must not outlive.
func querySum(parts ...string) [querySumSize]byte {
	h := sha256.New()
	for _, part := range parts {
		fmt.Fprintf(h, "%d:%s", len(part), part)
	}
	return [querySumSize]byte(h.Sum(nil))
}

func encodeCursor(sum [querySumSize]byte, place []byte) string {
	raw := append([]byte{cursorVersion}, sum[:]...)
	return base64.RawURLEncoding.EncodeToString(append(raw, place...))
}

// decodeCursor returns errBadCursor, or errForeignCursor if the cursor belongs
// to a query with another sum.
func decodeCursor(cursor string, sum [querySumSize]byte) (place []byte, err error) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(cursor)
	if err != nil || len(raw) < 1+querySumSize || raw[0] != cursorVersion {
		return nil, errBadCursor
	}
	if [querySumSize]byte(raw[1:]) != sum {
		return nil, errForeignCursor
	}
	return raw[1+querySumSize:], nil
}

// refusedCursor tells the client what to do. fixed names the parameters that
// must stay the same from page to page.
func refusedCursor(err error, fixed string) *Problem {
	if errors.Is(err, errForeignCursor) {
		return &Problem{Kind: LeadsNowhere, Where: "query.cursor",
			Detail: "The cursor was made for another query. Send it with the same " + fixed + " as the request that returned it, or leave it out to start again."}
	}
	return &Problem{Kind: LeadsNowhere, Where: "query.cursor",
		Detail: "This is no cursor of this API. Send next_cursor of the page before as it is, or leave it out to start again."}
}

const positionSize = 8 + 8 + 8 + 4

// EncodePosition writes a position for a cursor.
func EncodePosition(p archive.Position) []byte {
	raw := binary.BigEndian.AppendUint64(nil, uint64(p.Time.UnixMilli()))
	raw = binary.BigEndian.AppendUint64(raw, uint64(p.Seq))
	raw = binary.BigEndian.AppendUint64(raw, p.Page)
	return binary.BigEndian.AppendUint32(raw, uint32(p.Envelope))
}

// MaxTime bounds the times that the API takes; later ones do not sort in the
// index.
var MaxTime = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)

// DecodePosition is the reverse of EncodePosition.
func DecodePosition(raw []byte) (archive.Position, error) {
	if len(raw) != positionSize {
		return archive.Position{}, errBadCursor
	}
	ms := int64(binary.BigEndian.Uint64(raw))
	if ms < 0 || ms >= MaxTime.UnixMilli() {
		return archive.Position{}, errBadCursor
	}
	return archive.Position{
		Time: time.UnixMilli(ms).UTC(), Seq: int64(binary.BigEndian.Uint64(raw[8:])),
		Page: binary.BigEndian.Uint64(raw[16:]), Envelope: int(binary.BigEndian.Uint32(raw[24:])),
	}, nil
}
