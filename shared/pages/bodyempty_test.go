package pages

import (
	"testing"
	"time"

	"wecom-archive/shared/wecom"
)

// TestNoEmptyBubbles: a message always shows something, if only that it says nothing.
func TestNoEmptyBubbles(t *testing.T) {
	for _, raw := range []string{`no JSON`, `[]`, `{}`, `{"msgtype":"text"}`, `{"msgtype":"text","text":{}}`, `{"msgtype":"strange"}`, `{"msgtype":"chatrecord","chatrecord":{"item":[{"type":"ChatRecordText","content":"{}"}]}}`} {
		b := newBodies(chinese, time.UTC, nil).of(wecom.Parse([]byte(raw), "m", time.Unix(1, 0)))
		if b.blank() {
			t.Errorf("%s: nothing is shown", raw)
		}
	}
}
