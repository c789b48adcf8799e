// Compactload measures the compactor and the reindex: it archives made-up messages
// without cryptography (generate; generate-objects leaves the index out), makes
// the index from the objects (reindex), compacts them (compact) and reads screens
// of a conversation (read) or searches (search), each step as a process of its own, on the embedded S3
// and SQLite. infra/bench/memory_compact.sh, infra/bench/memory_reindex.sh and
// infra/bench/bench_search.sh run it.
package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	locals3 "wecom-archive/infra/aws/s3"
	"wecom-archive/shared/archive"
	"wecom-archive/shared/awsstore"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/compact"
	"wecom-archive/shared/compaction"
	"wecom-archive/shared/decode"
	"wecom-archive/shared/localstore"
	"wecom-archive/shared/rebuild"
	"wecom-archive/shared/segment"
	"wecom-archive/shared/store"
	"wecom-archive/shared/store/storetest"
	"wecom-archive/shared/transcript"
)

var (
	month = time.Date(2026, 10, 1, 0, 0, 0, 0, time.UTC)
	after = month.AddDate(0, 1, 3) // the month is over
)

const (
	corp         = "load"
	noReply      = "{}"
	pageRows     = 1000
	conversation = "pair:u00000,u00001" // speaks once a page
)

func main() {
	dir := flag.String("dir", "", "data folder")
	messages := flag.Int("messages", 2_000_000, "messages to generate")
	months := flag.Int("months", 1, "months that they are spread over, October 2026 the last")
	flag.Parse()
	if err := run(context.Background(), flag.Arg(0), *dir, *messages, *months); err != nil {
		fmt.Fprintln(os.Stderr, "compactload:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, what, dir string, messages, months int) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	server, err := locals3.Start(ctx, locals3.Config{Root: dir})
	if err != nil {
		return err
	}
	defer server.Close()
	for bucket, days := range map[string]int32{"objects": 1, "derived": 0} {
		if err := server.CreateBucket(ctx, bucket, days); err != nil {
			return err
		}
	}
	index, err := localstore.OpenIndex(ctx, filepath.Join(dir, "index.db"))
	if err != nil {
		return err
	}
	defer index.Close()
	l := load{
		objects: awsstore.NewObjects(server.Client(), server.Presigner(), "objects"),
		derived: awsstore.NewDerived(server.Client(), "derived"),
		catalog: catalog.New(index),
		index:   index,
		begin:   month.AddDate(0, 1-months, 0),
	}
	switch what {
	case "generate":
		return l.generate(ctx, messages, true)
	case "generate-objects":
		return l.generate(ctx, messages, false)
	case "reindex":
		return l.reindex(ctx, messages)
	case "compact":
		return l.compact(ctx, filepath.Join(dir, "tmp"), messages)
	case "read":
		return l.read(ctx)
	case "search":
		return l.search(ctx)
	}
	return fmt.Errorf("%q is none of generate, generate-objects, reindex, compact, read, search", what)
}

type load struct {
	objects *awsstore.Objects
	derived store.Derived
	catalog *catalog.Catalog
	index   *localstore.Index
	begin   time.Time // of the first month
}

// page stores a page that says that its reply has so many envelopes; no step here
// looks at them. It returns the reply's SHA-256.
func (l load) page(ctx context.Context, asked uint64, pulled time.Time) (sha256 string, err error) {
	body, err := archive.EncodePage(archive.PageHeader{
		Corp: corp, SeqAsked: asked, Limit: pageRows, FirstSeq: asked + 1, LastSeq: asked + pageRows, Count: pageRows, PulledAt: pulled, Run: "load", Program: "compactload",
		Size: int64(len(noReply)),
	}, []byte(noReply))
	if err != nil {
		return "", err
	}
	header, err := archive.DecodePageHeader(body)
	if err != nil {
		return "", err
	}
	return header.SHA256, l.objects.PutIfAbsent(ctx, archive.PageKey(asked), bytes.NewReader(body))
}

// reindex makes the index from the objects.
func (l load) reindex(ctx context.Context, messages int) error {
	began := time.Now()
	report, err := rebuild.NewReindexer(rebuild.Config{
		Corp: corp, Objects: l.objects, Versions: l.objects, Catalog: l.catalog, Dropper: l.index, Queue: nobody{}, Now: time.Now,
		Log: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
	}).Run(ctx, true)
	if err != nil {
		return err
	}
	fmt.Printf("%+v in %.0f s: %.0f messages/s\n", report, time.Since(began).Seconds(), float64(report.Envelopes)/time.Since(began).Seconds())
	if report.Envelopes < int64(messages) || report.Waiting > 0 || report.Holes > 0 {
		return fmt.Errorf("%d messages were indexed, not %d", report.Envelopes, messages)
	}
	return nil
}

// nobody is a queue that nothing comes to.
type nobody struct{}

func (nobody) Notify(context.Context, ...string) error { return nil }

func (l load) generate(ctx context.Context, messages int, indexed bool) error {
	rng := rand.New(rand.NewPCG(1, 2))
	pages := (messages + pageRows - 1) / pageRows
	for p := range pages {
		pulled := l.begin.Add(time.Duration(float64(p) / float64(pages) * float64(month.AddDate(0, 0, 30).Sub(l.begin))))
		rows := make([]archive.Row, pageRows)
		for i := range rows {
			at := pulled.Add(-time.Duration(rng.IntN(86400_000)) * time.Millisecond)
			rows[i] = message(rng, i, int64(p*pageRows+i+1), at, pulled)
		}
		sha256, err := l.page(ctx, uint64(p*pageRows), pulled)
		if err != nil {
			return err
		}
		key := archive.SegmentKey(pulled, uint64(p*pageRows), 0)
		body, err := segment.Encode(segment.Meta{Corp: corp, PageKey: archive.PageKey(uint64(p * pageRows)), PageSHA256: sha256, Program: "compactload", WrittenAt: pulled}, rows)
		if err != nil {
			return err
		}
		if err := l.objects.PutIfAbsent(ctx, key, bytes.NewReader(body)); err != nil {
			return err
		}
		if !indexed {
			continue
		}
		if err := decode.IndexConversationsPeopleRecallsConsents(ctx, l.catalog.Conversations, l.catalog.Consents, key, rows); err != nil {
			return err
		}
	}
	return nil
}

// message makes one of about 800 bytes in one of 30,000 conversations.
func message(rng *rand.Rand, position int, seq int64, at, pulled time.Time) archive.Row {
	from, to := rng.IntN(5000), rng.IntN(6)+1
	id := fmt.Sprintf("pair:u%05d,u%05d", from, from+to)
	if position == 0 {
		id = conversation
	}
	text := make([]rune, 20+rng.IntN(80))
	for i := range text {
		text[i] = rune(0x4e00 + rng.IntN(3000))
	}
	if seq%rarely == 0 {
		copy(text, []rune(rareWord))
	}
	raw := fmt.Appendf(nil, `{"msgid":"%016x_%d","action":"send","from":"u%05d","tolist":["u%05d"],"roomid":"","msgtime":%d,"msgtype":"text","text":{"content":%q},"filler":"%x"}`,
		rng.Uint64(), seq, from, from+to, at.UnixMilli(), string(text), [4]uint64{rng.Uint64(), rng.Uint64(), rng.Uint64(), rng.Uint64()})
	sum := sha256.Sum256(raw)
	return archive.Row{
		Position: position, Seq: seq, HasSeq: true, MsgID: fmt.Sprintf("m%d", seq), PublicKeyVer: 1, PulledAt: pulled,
		Outcome: archive.OutcomeOK, Raw: raw, RawSHA256: hex.EncodeToString(sum[:]),
		Reading: archive.Reading{
			ParserVersion: 1, Action: "send", Conversation: id, FromID: fmt.Sprintf("u%05d", from), ToIDs: []string{fmt.Sprintf("u%05d", from+to)},
			MsgTime: at, TimeSource: "msgtime", MsgType: "text", SenderKind: "employee", ChatKind: "internal", Text: string(text),
		},
	}
}

func (l load) compact(ctx context.Context, temp string, messages int) error {
	if err := os.MkdirAll(temp, 0o700); err != nil {
		return err
	}
	began := time.Now()
	sum, err := compact.New(compact.Config{
		Objects: l.objects, Derived: l.derived, Program: "compactload", Temp: temp,
		Conversations: l.catalog.Conversations, People: l.catalog.People, Compactions: compaction.NewIndex(l.catalog.Table),
		Log: slog.New(slog.NewTextHandler(os.Stderr, nil)),
	}).Run(ctx, after)
	if err != nil {
		return err
	}
	fmt.Printf("%+v in %.0f s: %.0f messages/s\n", sum, time.Since(began).Seconds(), float64(sum.Messages)/time.Since(began).Seconds())
	if sum.Messages < int64(messages) {
		return fmt.Errorf("%d messages were compacted, not %d", sum.Messages, messages)
	}
	return nil
}

// read counts the requests of each screen of a conversation.
func (l load) read(ctx context.Context) error {
	counter := storetest.NewRequestCounter()
	q := catalog.PlaceQuery{Conversation: conversation, Descending: true, Limit: 51}
	most, messages, began := 0, 0, time.Now()
	screens := 0
	for {
		reader := transcript.New(transcript.Config{
			Objects: counter.Objects(l.objects), Derived: counter.Derived(l.derived),
			Conversations: l.catalog.Conversations, Pages: l.catalog.Pages, Compactions: compaction.NewIndex(l.catalog.Table),
		})
		counter.Reset()
		counter.Forget()
		got, err := reader.Messages(ctx, q)
		if err != nil {
			return err
		}
		screens++
		most = max(most, counter.Count().Total())
		if messages += min(len(got), 50); len(got) < q.Limit {
			break
		}
		q.After = &got[49].Place.Position
	}
	fmt.Printf("%d messages in %d screens: at most %d requests each, %.0f ms on average\n",
		messages, screens, most, time.Since(began).Seconds()*1000/float64(screens))
	if most > 12 {
		return fmt.Errorf("%d requests for a screen", most)
	}
	return nil
}
