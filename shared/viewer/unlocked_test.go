package viewer_test

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"wecom-archive/shared/store"
	"wecom-archive/shared/viewer"
)

// TestUnlocked: where nothing locks the archive, status and every page say so, and
// nowhere else.
func TestUnlocked(t *testing.T) {
	f := newFixture(t)
	for _, test := range []struct {
		lock store.Lock
		want string
	}{{f.objects, ""}, {nil, ""}, {store.Unlocked("one machine"), "one machine"}} {
		f.handler = viewer.New(viewer.Config{
			Objects: f.objects, Catalog: f.catalog, Access: f.access, Auth: people{}, Visitors: visitor{}, Lock: test.lock,
			Now: func() time.Time { return now }, NewID: serial("request"), Log: slog.New(slog.NewJSONHandler(f.log, nil)),
		})
		w := f.get("operator-token", "/v1/status")
		var body struct{ Unlocked string }
		if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil || w.Code != http.StatusOK || body.Unlocked != test.want {
			t.Errorf("status says %q, %v; want %q", body.Unlocked, err, test.want)
		}
		for role, paths := range map[string][]string{
			"reader": {"/", "/c", "/search", "/record/99"}, "auditor": {"/access"}, "operator": {"/", "/setup", "/c"}, "": {"/signed-out"},
		} {
			for _, path := range paths {
				page := f.page(role, path).Body.String()
				if says := strings.Contains(page, "没有任何机制锁定本存档"); says != (test.want != "") {
					t.Errorf("%s as %q: says %v that it is not locked", path, role, says)
				}
			}
		}
	}
}
