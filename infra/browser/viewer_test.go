package browser

import (
	"net/http"
	"testing"
)

// TestStranger: who is not signed in sees nothing of the archive.
func TestStranger(t *testing.T) {
	a := startArchive(t, 200)
	b := openTab(t, 1440, 900)
	if status := b.open(t, a.base+"/v1/conversations"); status != http.StatusUnauthorized {
		t.Errorf("status %d", status)
	}
	b.takeFaults() // the browser complains of the status, too
}
