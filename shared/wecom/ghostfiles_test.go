package wecom_test

import (
	"testing"
	"time"

	"wecom-archive/shared/wecom"
)

// TestNoGhostFiles: a file that stands beside the payload is the message's file, and
// there is no other one that WeCom did not name.
func TestNoGhostFiles(t *testing.T) {
	for _, raw := range []string{
		`{"msgtype":"image","image":[{"sdkfileid":"CAES12345678"}],"info":{"x":1}}`,
		`{"msgtype":"voice","voice":{"voice_size":1},"sdkfileid":"CAES12345678"}`,
		`{"msgtype":"file","file":{"filename":"f"},"info":{"sdkfileid":"CAES12345678"}}`,
	} {
		m := wecom.Parse([]byte(raw), "m", time.Unix(1, 0))
		if files := m.Files(); len(files) != 1 || len(m.Media) != 1 {
			t.Errorf("%s: %d files, %d can be fetched", raw, len(files), len(m.Media))
		}
	}
}
