package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambda"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/compact"
	"wecom-archive/shared/compaction"
	"wecom-archive/shared/decode"
	"wecom-archive/shared/segment"
	"wecom-archive/shared/store/storetest"
	"wecom-archive/shared/transcript"
)

// TestCompacts has the function work on one segment, as Lambda does: afterwards
// its message is read out of the derived bucket alone.
func TestCompacts(t *testing.T) {
	objects, derived, cat := storetest.NewObjects(), storetest.NewDerived(), catalog.New(storetest.NewIndex())
	day := time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)
	sum := sha256.Sum256([]byte("private words"))
	row := archive.Row{
		Seq: 1, HasSeq: true, MsgID: "m1", PulledAt: day, Outcome: archive.OutcomeOK, Raw: []byte("private words"), RawSHA256: hex.EncodeToString(sum[:]),
		Reading: archive.Reading{ParserVersion: 1, Conversation: "pair:a,b", FromID: "a", ToIDs: []string{"b"}, MsgTime: day},
	}
	body, err := segment.Encode(segment.Meta{PageKey: archive.PageKey(0), WrittenAt: day}, []archive.Row{row})
	if err != nil {
		t.Fatal(err)
	}
	key := archive.SegmentKey(day, 0, 0)
	if err := objects.PutIfAbsent(t.Context(), key, bytes.NewReader(body)); err != nil {
		t.Fatal(err)
	}
	if err := decode.IndexConversationsPeopleRecallsConsents(t.Context(), cat.Conversations, cat.Consents, key, []archive.Row{row}); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	logger := slog.New(slog.NewJSONHandler(&log, nil))
	app := NewApp(cat, compact.Config{Objects: objects, Derived: derived, Program: "test", Temp: t.TempDir(), Log: logger},
		func() time.Time { return day.Add(24 * time.Hour) }, nil)
	answer, err := lambda.NewHandler(app.Handle).Invoke(t.Context(), []byte(`{"reason":"schedule"}`))
	if err != nil {
		t.Fatal(err)
	}
	var summary compact.Summary
	if err := json.Unmarshal(answer, &summary); err != nil || summary.Messages != 1 || summary.More {
		t.Errorf("answer %s, %v", answer, err)
	}
	reader := transcript.New(transcript.Config{
		Objects: storetest.NewObjects(), Derived: derived, // the archive bucket is empty
		Conversations: cat.Conversations, Pages: cat.Pages, Compactions: compaction.NewIndex(cat.Table),
	})
	found, err := reader.Messages(t.Context(), catalog.PlaceQuery{Conversation: "pair:a,b", Limit: 10})
	if err != nil || len(found) != 1 || string(found[0].Raw) != "private words" {
		t.Errorf("%d messages, %v", len(found), err)
	}
	for info := range derived.List(t.Context(), "", "") {
		if err := derived.Delete(t.Context(), info.Key); err != nil {
			t.Fatal(err)
		}
	}
	answer, err = lambda.NewHandler(app.Handle).Invoke(t.Context(), []byte(`{"reason":"schedule"}`))
	if err == nil {
		err = json.Unmarshal(answer, &summary)
	}
	if err != nil || summary.Renewed != "2026-11" {
		t.Errorf("after all was lost: %s, %v", answer, err)
	}
	if found, err = reader.Messages(t.Context(), catalog.PlaceQuery{Conversation: "pair:a,b", Limit: 10}); err != nil || len(found) != 1 {
		t.Errorf("then: %d messages, %v", len(found), err)
	}
	if strings.Contains(log.String(), "private words") || !strings.Contains(log.String(), `"compacted"`) {
		t.Errorf("log %s", log.String())
	}
}

// TestSettings: each missing setting is named, with what it is.
func TestSettings(t *testing.T) {
	all := map[string]string{"WECOM_ARCHIVE_BUCKET": "b", "WECOM_ARCHIVE_DERIVED": "d", "WECOM_ARCHIVE_TABLE": "t"}
	for missing := range all {
		_, err := readSettings(func(name string) string {
			if name == missing {
				return ""
			}
			return all[name]
		})
		if err == nil || !strings.Contains(err.Error(), missing+" is not set: it is the name of") {
			t.Errorf("without %s: %v", missing, err)
		}
	}
	if s, err := readSettings(func(name string) string { return all[name] }); err != nil || s != (settings{"b", "d", "t"}) {
		t.Errorf("%+v, %v", s, err)
	}
}
