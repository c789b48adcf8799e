package archive

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"
)

// EventCallback is the kind of events that record a Callback.
const EventCallback = "callback"

// Callback is what WeCom told by itself. The XML is kept as it was; the other fields
// are taken from it.
type Callback struct {
	SentAt         time.Time `json:"sent_at"` // as the message says, to the second
	ReceivedAt     time.Time `json:"received_at"`
	Event          string    `json:"event"`
	ChangeType     string    `json:"change_type,omitempty"`
	UserID         string    `json:"userid,omitempty"`
	ExternalUserID string    `json:"external_userid,omitempty"`
	XML            []byte    `json:"xml"` // after decryption
}

// CallbackKey names the object of a callback's event. The same message has the same
// name however often WeCom sends it.
func CallbackKey(c Callback) string {
	sum := sha256.Sum256(c.XML)
	return eventKey(c.SentAt, fmt.Sprintf("callback-%013d-%s", c.SentAt.UnixMilli(), hex.EncodeToString(sum[:16])))
}
