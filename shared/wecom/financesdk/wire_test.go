package financesdk

import (
	"testing"

	"wecom-archive/shared/wecom/financesdk/native"
)

// FuzzMediaSlice reads what a child whose memory is damaged may say of a file.
func FuzzMediaSlice(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x00\x01\x02\x00\x00\x00ab\x00data"))
	f.Add([]byte("\x00\x00\x00\x00\x01\xff\xff\xff\xffab\x00data"))
	f.Fuzz(func(t *testing.T, body []byte) {
		if _, s, err := mediaSlice(native.NewFields(body)); err == nil && len(s.Data)+len(s.Next)+4+1+4+1 != len(body) {
			t.Fatalf("media of %d and %d bytes in %d", len(s.Data), len(s.Next), len(body))
		}
	})
}
