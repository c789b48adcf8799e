package main

import (
	"bytes"
	"context"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/awsevents"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/damage"
	"wecom-archive/shared/decode"
	"wecom-archive/shared/keyring"
	"wecom-archive/shared/localstore"
	"wecom-archive/shared/segment"
	"wecom-archive/shared/store"
	"wecom-archive/shared/store/storetest"
	"wecom-archive/shared/wecom"
	"wecom-archive/shared/wecom/wecomtest"
)

const corpID = "ww5117a9e0c0ffee01"

// deadly dies of the third message that it is given.
type deadly struct{ wecomtest.Library }

func (d deadly) DecryptData(ctx context.Context, batch []wecom.Sealed) ([]wecom.Opened, error) {
	opened, err := d.Library.DecryptData(ctx, batch)
	if len(opened) > 2 {
		opened[2] = wecom.Opened{Err: wecom.ErrLibraryCrash}
	}
	return opened, err
}

// TestArchives has the function work on one page, as Lambda does.
func TestArchives(t *testing.T) {
	objects, catalog := storetest.NewObjects(), catalog.New(storetest.NewIndex())
	port, err := localstore.OpenKeyring(filepath.Join(t.TempDir(), "wrapping.key"))
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	logger := slog.New(slog.NewJSONHandler(&log, nil))
	ring := keyring.New(keyring.Config{Corp: corpID, Objects: objects, Port: port, Keys: catalog.Keys, Now: time.Now, Log: logger})
	storePage(t, objects, ring)

	batch, err := newBatch(t.Context(), "bucket", decode.Config{
		Corp: corpID, Program: "test", Objects: objects, Lock: objects, Keys: ring, Library: deadly{},
		Conversations: catalog.Conversations, People: catalog.People, Consents: catalog.Consents,
		Media: catalog.Media, Pages: catalog.Pages, Holes: catalog.Journal, Findings: damage.New(objects, catalog.Table, "corp", time.Now),
		Now: time.Now, Log: logger,
	})
	if err != nil {
		t.Fatal(err)
	}
	body, err := awsevents.Message(awsevents.Object{Bucket: "bucket", Key: archive.PageKey(0)})
	if err != nil {
		t.Fatal(err)
	}
	event, err := json.Marshal(events.SQSEvent{Records: []events.SQSMessage{{MessageId: "1", Body: body}, {MessageId: "2", Body: "{}"}}})
	if err != nil {
		t.Fatal(err)
	}
	answer, err := lambda.NewHandler(batch.Handle).Invoke(t.Context(), event)
	if err != nil || string(answer) != `{"batchItemFailures":[{"itemIdentifier":"2"}]}` {
		t.Fatalf("%s, %v: %s", answer, err, &log)
	}
	counts := map[archive.Outcome]int{}
	for info, err := range objects.List(t.Context(), archive.SegmentsPrefix, "") {
		if err != nil {
			t.Fatal(err)
		}
		stored, err := store.ReadObject(t.Context(), objects, info.Key)
		if err != nil {
			t.Fatal(err)
		}
		_, rows, err := segment.Decode(stored)
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range rows {
			counts[row.Outcome]++
		}
	}
	// 50 messages are one batch of the archiver.
	if counts[archive.OutcomeOK] != 39 || counts[archive.OutcomeCrash] != 1 || len(counts) != 2 {
		t.Errorf("outcomes %v", counts)
	}
}

// storePage stores a page of 40 messages, and the key that opens it.
func storePage(t *testing.T, objects store.Objects, ring *keyring.Ring) {
	t.Helper()
	now := time.Now()
	corp, err := wecomtest.New(wecomtest.Config{Corp: corpID, Secret: "s", Extents: []wecomtest.Extent{{Count: 40, From: now.Add(-time.Hour), To: now}}})
	if err != nil {
		t.Fatal(err)
	}
	record, err := ring.Create(t.Context(), "test")
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode([]byte(record.PublicPEM))
	public, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := corp.UploadKey(public.(*rsa.PublicKey)); err != nil {
		t.Fatal(err)
	}
	reply, err := corp.GetChatData(t.Context(), 0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := archive.ParseReply(reply, 0, archive.DefaultSeqLimits())
	if err != nil {
		t.Fatal(err)
	}
	page, err := archive.EncodePage(archive.PageHeader{
		Corp: corpID, Limit: 1000, FirstSeq: parsed.FirstSeq, LastSeq: parsed.LastSeq, Count: len(parsed.Envelopes),
		Size: int64(len(reply)), PulledAt: now.UTC().Truncate(time.Millisecond), Run: "run", Program: "test",
	}, reply)
	if err != nil {
		t.Fatal(err)
	}
	if err := objects.PutIfAbsent(t.Context(), archive.PageKey(0), bytes.NewReader(page)); err != nil {
		t.Fatal(err)
	}
}

func TestRefusesABucketThatDoesNotLock(t *testing.T) {
	_, err := newBatch(t.Context(), "bucket", decode.Config{Lock: storetest.NewUnlockedObjects(), Log: slog.New(slog.DiscardHandler)})
	if err == nil {
		t.Error("it works on a bucket that does not lock")
	}
}

func TestSettings(t *testing.T) {
	all := map[string]string{
		"WECOM_ARCHIVE_CORP": "ww1", "WECOM_ARCHIVE_BUCKET": "b", "WECOM_ARCHIVE_DERIVED": "d", "WECOM_ARCHIVE_TABLE": "t", "WECOM_ARCHIVE_CAPTURE_KEY": "c", "WECOM_ARCHIVE_KEYRING_KEY": "k",
	}
	getenv := func(name string) string { return all[name] }
	got, err := readSettings(getenv)
	want := settings{Corp: "ww1", Bucket: "b", Derived: "d", Table: "t", Capture: "c", KeyringKey: "k", SDK: "/opt/lib/libWeWorkFinanceSdk_C.so", ScrubDays: 365}
	if err != nil || got != want {
		t.Errorf("%+v, %v", got, err)
	}
	for name := range all {
		_, err := readSettings(func(asked string) string {
			if asked == name {
				return ""
			}
			return all[asked]
		})
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("without %s: %v", name, err)
		}
	}
}
