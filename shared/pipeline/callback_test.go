package pipeline_test

import (
	"testing"
	"time"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog"
)

// TestCallbacksAreRebuilt: what WeCom told by itself lives in events, and an index
// that was dropped has it again.
func TestCallbacksAreRebuilt(t *testing.T) {
	w := newWorld(t, 1, 10, nil)
	at := time.Unix(1767000001, 0).UTC()
	want := archive.Callback{
		SentAt: at, ReceivedAt: at.Add(time.Second), Event: "change_external_contact", ChangeType: "msg_audit_approved",
		UserID: "li.na", ExternalUserID: "wmQx9ZDAAAexampleCust01", XML: []byte("<xml/>"),
	}
	if err := archive.PutEvent(t.Context(), w.objects, archive.CallbackKey(want), archive.EventCallback, corpID, at, want); err != nil {
		t.Fatal(err)
	}
	w.reindex(t, true)
	consent, err := catalog.New(w.index).Consents.ConsentOf(t.Context(), "pair:li.na,wmQx9ZDAAAexampleCust01")
	if err != nil || len(consent.People) != 1 || consent.People[0].Status != archive.ConsentAgreed || !consent.People[0].Since.Equal(at) {
		t.Errorf("consent: %+v, %v", consent, err)
	}
	got, err := catalog.New(w.index).Journal.Callbacks(t.Context(), 10)
	if err != nil || len(got) != 1 || string(got[0].XML) != "<xml/>" || got[0].ExternalUserID != want.ExternalUserID || !got[0].SentAt.Equal(at) {
		t.Errorf("%+v, %v", got, err)
	}
}
