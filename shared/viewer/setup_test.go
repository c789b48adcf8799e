package viewer_test

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/setup"
)

// TestSetup: the operator sees the steps with what to copy, and never a private half.
func TestSetup(t *testing.T) {
	f := newFixture(t)
	for id, made := range map[string]time.Time{"spring": start, "autumn": start.Add(time.Hour)} {
		if err := f.catalog.Keys.SavePublicKey(t.Context(), archive.PublicKey{ID: id, PublicPEM: "PEM of " + id, Fingerprint: "ab", CreatedAt: made}); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.catalog.Keys.Bind(t.Context(), archive.KeyBinding{PublicKeyVer: 3, Key: "autumn", MsgID: "m"}); err != nil {
		t.Fatal(err)
	}
	for _, where := range []string{archive.CheckedHere, archive.CheckedByPuller} {
		c := archive.Checkup{ID: where, At: start, Where: where, Lines: []archive.CheckupLine{{Check: "wecom", State: archive.CheckupOK}}}
		if err := f.catalog.Journal.SaveCheckup(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	w := f.get("operator-token", "/v1/setup")
	var body struct {
		Steps   []setup.Step
		Keys    []setup.Key
		Checkup archive.Checkup
	}
	if err := json.Unmarshal(w.Body.Bytes(), &body); w.Code != http.StatusOK || err != nil {
		t.Fatalf("%d: %s, %v", w.Code, w.Body, err)
	}
	if len(body.Keys) != 2 || body.Keys[1].ID != "autumn" || len(body.Keys[1].Versions) != 1 || body.Checkup.ID != archive.CheckedByPuller {
		t.Errorf("%s", w.Body)
	}
	for _, s := range body.Steps {
		if s.ID == "public_key" && (s.Value != "PEM of autumn" || s.State != setup.Done) || s.ID == "service" && s.State != setup.Done {
			t.Errorf("%+v", s)
		}
	}
	for _, token := range []string{"reader-token", "auditor-token"} {
		if w := f.get(token, "/v1/setup"); w.Code != http.StatusForbidden {
			t.Errorf("%s: status %d", token, w.Code)
		}
	}
}
