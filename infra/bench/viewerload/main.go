// Viewerload measures the pages of the viewer on a large archive: it makes archives up,
// of so many messages over three years, without cryptography (generate), and then has
// the pages served from a small and a large one in turn (measure): index and object
// requests of each screen, and the time that it takes. With readers it has many people
// read at a time while messages are pulled, and compares what they saw with the record
// of who looked at what. infra/bench/viewerload.sh runs it.
package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"flag"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	locals3 "wecom-archive/infra/aws/s3"
	"wecom-archive/shared/archive"
	"wecom-archive/shared/awsstore"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/compact"
	"wecom-archive/shared/compaction"
	"wecom-archive/shared/decode"
	"wecom-archive/shared/localstore"
	"wecom-archive/shared/segment"
	"wecom-archive/shared/store"
)

const (
	corp   = "load"
	days   = 3 * 365
	people = 3000
)

// first is the day of the first pull.
var first = time.Date(2023, 11, 1, 18, 30, 0, 0, time.UTC)

func main() {
	dir := flag.String("dir", "", "folder: archives lie below it, by their number of messages")
	messages := flag.Int("messages", 1_000_000, "messages of the large archive")
	small := flag.Int("small", 10_000, "messages of the small one")
	screens := flag.Int("screens", 40, "screens of each kind")
	readers := flag.Int("readers", 50, "people who read at a time")
	reading := flag.Duration("time", time.Minute, "how long they read")
	flag.Parse()
	var err error
	if ctx := context.Background(); flag.Arg(0) == "readers" {
		err = crowded(ctx, filepath.Join(*dir, "readers"), *readers, *reading)
	} else {
		err = run(ctx, flag.Arg(0), *dir, *small, *messages, *screens)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "viewerload:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, what, dir string, small, large, screens int) error {
	server, err := locals3.Start(ctx, locals3.Config{Root: dir, NoSync: true})
	if err != nil {
		return err
	}
	defer server.Close()
	var both []*load
	for _, messages := range []int{small, large} {
		l, err := open(ctx, server, dir, messages)
		if err != nil {
			return err
		}
		defer l.index.Close()
		both = append(both, l)
	}
	switch what {
	case "generate":
		for _, l := range both {
			if err := l.generate(ctx, filepath.Join(dir, "tmp")); err != nil {
				return err
			}
		}
		return nil
	case "measure":
		return measure(ctx, both[0], both[1], screens)
	}
	return fmt.Errorf("%q is not generate, measure or readers", what)
}

// crowded has people read, and prints what came of it.
func crowded(ctx context.Context, dir string, readers int, reading time.Duration) error {
	o, err := crowd{Dir: dir, Messages: 20_000, Arriving: 200, Readers: readers, Time: reading, Seed: 1}.run(ctx)
	if err != nil {
		return err
	}
	for _, kind := range slices.Sorted(maps.Keys(o.P95)) {
		fmt.Printf("%-18s %6d looks, p95 of answers %.0f ms\n", kind, o.Looks[kind], ms(o.P95[kind]))
	}
	fmt.Printf("%d readers for %s while %d messages were archived: %d answers, %d looks, %d records\n",
		readers, reading, o.Pulled, o.Answers, o.looks(), o.Records)
	if len(o.Faults) > 0 {
		return fmt.Errorf("%d faults, the first: %s", len(o.Faults), strings.Join(o.Faults[:min(5, len(o.Faults))], "; "))
	}
	return nil
}

// load is one archive.
type load struct {
	messages int
	objects  *awsstore.Objects
	derived  store.Derived
	index    *localstore.Index
}

func open(ctx context.Context, server *locals3.Server, dir string, messages int) (*load, error) {
	objects, derived := fmt.Sprintf("objects-%d", messages), fmt.Sprintf("derived-%d", messages)
	for bucket, days := range map[string]int32{objects: 1, derived: 0} {
		if err := server.CreateBucket(ctx, bucket, days); err != nil {
			return nil, err
		}
	}
	index, err := localstore.OpenIndex(ctx, filepath.Join(dir, fmt.Sprintf("index-%d.db", messages)))
	if err != nil {
		return nil, err
	}
	return &load{messages, awsstore.NewObjects(server.Client(), server.Presigner(), objects), awsstore.NewDerived(server.Client(), derived), index}, nil
}

// The conversations that are looked at: half of all messages are in one room, one pair
// writes once a day, the others are any two of 3,000 people.
const (
	room  = "wrLoadRoomWithHalfOfAllMessages1"
	daily = "pair:u0000,u0001"
)

func (l *load) generate(ctx context.Context, temp string) error {
	if err := os.MkdirAll(temp, 0o700); err != nil {
		return err
	}
	catalog := catalog.New(l.index)
	rng := rand.New(rand.NewPCG(1, 2))
	seq := uint64(0)
	began := time.Now()
	for day := range days {
		pulled := first.AddDate(0, 0, day)
		count := max(2, l.messages*(day+1)/days-l.messages*day/days)
		rows := make([]archive.Row, count)
		for i := range rows {
			rows[i] = message(rng, i, int64(seq)+int64(i)+1, pulled)
		}
		if err := l.store(ctx, catalog, seq, pulled, rows); err != nil {
			return err
		}
		seq += uint64(count)
	}
	fmt.Printf("%d messages in %.0f s\n", seq, time.Since(began).Seconds())
	sum, err := compact.New(compact.Config{
		Objects: l.objects, Derived: l.derived, Program: "viewerload", Temp: temp, Log: slog.New(slog.DiscardHandler),
		Conversations: catalog.Conversations, People: catalog.People, Compactions: compaction.NewIndex(catalog.Table),
	}).Run(ctx, first.AddDate(0, 0, days))
	if err == nil && sum.Messages < int64(seq) {
		err = fmt.Errorf("%d messages were compacted, not %d", sum.Messages, seq)
	}
	return err
}

// store stores a page with its segment, and indexes both.
func (l *load) store(ctx context.Context, cat *catalog.Catalog, asked uint64, pulled time.Time, rows []archive.Row) error {
	last := asked + uint64(len(rows))
	header := archive.PageHeader{
		Corp: corp, SeqAsked: asked, Limit: 1000, FirstSeq: asked + 1, LastSeq: last, Count: len(rows), PulledAt: pulled, Run: "load", Program: "viewerload", Size: 2,
	}
	page, err := archive.EncodePage(header, []byte("{}"))
	if err != nil {
		return err
	}
	if err := l.objects.PutIfAbsent(ctx, archive.PageKey(asked), bytes.NewReader(page)); err != nil {
		return err
	}
	if err := cat.Pages.NotePage(ctx, header); err != nil {
		return err
	}
	key := archive.SegmentKey(pulled, asked, 0)
	sum := sha256.Sum256(page)
	body, err := segment.Encode(segment.Meta{Corp: corp, PageKey: archive.PageKey(asked), PageSHA256: hex.EncodeToString(sum[:]), Program: "viewerload", WrittenAt: pulled}, rows)
	if err != nil {
		return err
	}
	if err := l.objects.PutIfAbsent(ctx, key, bytes.NewReader(body)); err != nil {
		return err
	}
	if err := decode.IndexConversationsPeopleRecallsConsents(ctx, cat.Conversations, cat.Consents, key, rows); err != nil {
		return err
	}
	return cat.Pages.FinishPage(ctx, catalog.PageState{Key: archive.PageKey(asked), SeqAsked: asked, LastSeq: last, Count: len(rows), PulledAt: pulled, Parts: 1, OK: len(rows)})
}

func message(rng *rand.Rand, position int, seq int64, pulled time.Time) archive.Row {
	from := rng.IntN(people)
	to := (from + 1 + rng.IntN(6)) % people
	r := archive.Reading{ParserVersion: 1, Action: "send", TimeSource: "msgtime", MsgType: "text", SenderKind: "employee", ChatKind: "internal"}
	switch {
	case position == 0:
		from, to = 0, 1
		fallthrough
	case position%2 == 0:
		a, b := min(from, to), max(from, to)
		r.Conversation = fmt.Sprintf("pair:u%04d,u%04d", a, b)
	default:
		from, to = rng.IntN(20), 20
		r.RoomID, r.Conversation = room, "room:"+room
	}
	r.FromID, r.ToIDs = fmt.Sprintf("u%04d", from), []string{fmt.Sprintf("u%04d", to)}
	r.MsgTime = pulled.Add(-time.Duration(rng.IntN(86_400_000)) * time.Millisecond)
	text := make([]rune, 20+rng.IntN(60))
	for i := range text {
		text[i] = rune(0x4e00 + rng.IntN(3000))
	}
	r.Text = string(text)
	raw := fmt.Appendf(nil, `{"msgid":"m%d","action":"send","from":%q,"tolist":[%q],"roomid":%q,"msgtime":%d,"msgtype":"text","text":{"content":%q}}`,
		seq, r.FromID, r.ToIDs[0], r.RoomID, r.MsgTime.UnixMilli(), r.Text)
	sum := sha256.Sum256(raw)
	return archive.Row{
		Position: position, Seq: seq, HasSeq: true, MsgID: fmt.Sprintf("m%d", seq), PublicKeyVer: 1, PulledAt: pulled,
		Outcome: archive.OutcomeOK, Raw: raw, RawSHA256: hex.EncodeToString(sum[:]), Reading: r,
	}
}
