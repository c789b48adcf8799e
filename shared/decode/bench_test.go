package decode_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"log/slog"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/damage"
	"wecom-archive/shared/decode"
	"wecom-archive/shared/keyring"
	"wecom-archive/shared/localstore"
	"wecom-archive/shared/store/storetest"
	"wecom-archive/shared/wecom/wecomtest"
)

// BenchmarkPageToSegment makes the segment of a page of 1,000 messages, and in
// the same run only opens their random keys: one RSA operation for each message
// is the floor of the work. The metric of-rsa is the stage's rate as a share of
// the bare RSA rate; the goal is 0.75.
func BenchmarkPageToSegment(b *testing.B) {
	ctx := context.Background()
	ring, corp := benchCorp(b, 1000)
	reply, err := corp.GetChatData(ctx, 0, 1000)
	if err != nil {
		b.Fatal(err)
	}
	parsed, err := archive.ParseReply(reply, 0, archive.DefaultSeqLimits())
	if err != nil || len(parsed.Envelopes) != 1000 {
		b.Fatalf("%d envelopes, %v", len(parsed.Envelopes), err)
	}
	stored, err := archive.EncodePage(archive.PageHeader{
		Corp: benchCorpID, LastSeq: parsed.LastSeq, Count: 1000, PulledAt: time.Now(),
	}, reply)
	if err != nil {
		b.Fatal(err)
	}
	var bare, stage time.Duration
	for b.Loop() {
		start := time.Now()
		openKeys(b, ring, parsed.Envelopes)
		bare += time.Since(start)

		objects, catalog := storetest.NewObjects(), catalog.New(storetest.NewIndex())
		if err := objects.PutIfAbsent(ctx, archive.PageKey(0), bytes.NewReader(stored)); err != nil {
			b.Fatal(err)
		}
		archiver := decode.New(decode.Config{
			Corp: benchCorpID, Program: "bench", Objects: objects, Lock: objects, Keys: ring,
			Conversations: catalog.Conversations, People: catalog.People, Consents: catalog.Consents,
			Media: catalog.Media, Pages: catalog.Pages, Holes: catalog.Journal, Findings: damage.New(objects, catalog.Table, "corp", time.Now),
			Library: wecomtest.Library{}, Now: time.Now, Log: slog.New(slog.DiscardHandler),
		})
		start = time.Now()
		if err := archiver.Handle(ctx, archive.PageKey(0)); err != nil {
			b.Fatal(err)
		}
		stage += time.Since(start)
	}
	b.ReportMetric(float64(bare)/float64(stage), "of-rsa")
	b.ReportMetric(1000*float64(b.N)/stage.Seconds(), "messages/s")
	b.ReportMetric(0, "ns/op") // it would add up both
}

const benchCorpID = "wwbench0000000001"

// benchCorp makes a corp with one key, already bound.
func benchCorp(b *testing.B, messages int) (*keyring.Ring, *wecomtest.Corp) {
	ctx := context.Background()
	port, err := localstore.OpenKeyring(filepath.Join(b.TempDir(), "wrapping.key"))
	if err != nil {
		b.Fatal(err)
	}
	ring := keyring.New(keyring.Config{
		Corp: benchCorpID, Objects: storetest.NewObjects(), Port: port,
		Keys: catalog.New(storetest.NewIndex()).Keys, Now: time.Now,
	})
	rec, err := ring.Create(ctx, "bench")
	if err != nil {
		b.Fatal(err)
	}
	public, err := keyring.ParsePublicPEM([]byte(rec.PublicPEM))
	if err != nil {
		b.Fatal(err)
	}
	now := time.Now()
	corp, err := wecomtest.New(wecomtest.Config{
		Corp: benchCorpID, Seed: 1, Now: time.Now,
		Extents: []wecomtest.Extent{{Count: messages, From: now.Add(-time.Hour), To: now}},
	})
	if err != nil {
		b.Fatal(err)
	}
	if _, err := corp.UploadKey(public); err != nil {
		b.Fatal(err)
	}
	keys, _, err := ring.Candidates(ctx, 1)
	if err != nil {
		b.Fatal(err)
	}
	if err := ring.Bind(ctx, 1, keys[0], "bench"); err != nil {
		b.Fatal(err)
	}
	return ring, corp
}

// openKeys opens the random keys on all cores, and does nothing else.
func openKeys(b *testing.B, ring *keyring.Ring, envelopes []archive.Envelope) {
	keys, _, err := ring.Candidates(context.Background(), 1)
	if err != nil {
		b.Fatal(err)
	}
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	for _, e := range envelopes {
		group.Go(func() error {
			random, err := base64.StdEncoding.DecodeString(e.EncryptRandomKey)
			if err != nil {
				return err
			}
			_, err = keys[0].OpenRandomKey(random)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		b.Fatal(err)
	}
}
