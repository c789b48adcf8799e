package viewer_test

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"testing"
)

// TestVendoredDecoder: the AMR decoder is the file of the npm package
// benz-amr-recorder 1.1.5 (MIT; OpenCORE AMR, Apache-2.0, by emscripten), unchanged.
func TestVendoredDecoder(t *testing.T) {
	script, err := os.ReadFile("../pages/assets/amrnb.js")
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(script)
	if got := hex.EncodeToString(sum[:]); got != "af9a9aa874427157222b5f2924629c92e96c40ac8323f806caed0231f72f704c" {
		t.Errorf("SHA-256 %s", got)
	}
}
