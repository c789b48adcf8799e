package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/segment"
	"wecom-archive/shared/store"
	"wecom-archive/shared/store/storetest"
)

// Sizes of a trial.
const (
	talks = 8 * 24 * time.Hour // how long the company talked before the damage
	after = 9                  // days that are pulled behind it
)

// outcome is what a trial found, for the sum of all.
type outcome struct {
	Messages, Lost, Refilled, Elsewhere, Alternates, Holes int
}

func (o *outcome) add(p outcome) {
	o.Messages += p.Messages
	o.Lost += p.Lost
	o.Refilled += p.Refilled
	o.Elsewhere += p.Elsewhere
	o.Alternates += p.Alternates
	o.Holes += p.Holes
}

// trial is one archive that is damaged, perhaps several times, and goes on.
type trial struct {
	*world
	*rand.Rand
	had   map[uint64]bool // messages that WeCom still had when the last damage was noticed
	notes []string
}

func (t *trial) note(format string, args ...any) {
	t.notes = append(t.notes, fmt.Sprintf(format, args...))
}

// run makes an archive, damages it as the seed says, and compares what is there after nine
// days with what was said. The error says what is wrong, and how it came about.
func run(ctx context.Context, seed uint64) (outcome, error) {
	r := rand.New(rand.NewPCG(seed, 1))
	unreadable := 0
	if r.IntN(3) == 0 {
		unreadable = 9
	}
	w, err := newWorld(ctx, seed, 30+r.IntN(60), 3+r.IntN(8), unreadable, talks+after*24*time.Hour)
	if err != nil {
		return outcome{}, err
	}
	t := &trial{world: w, Rand: r, had: map[uint64]bool{}}
	for w.Now().Before(start.Add(talks)) {
		if err := w.work(ctx, 1); err != nil {
			return outcome{}, fmt.Errorf("seed %d: before the damage: %w", seed, err)
		}
		w.advance(time.Duration(4+r.IntN(20)) * time.Hour)
	}
	rounds := 1 + r.IntN(3)
	for round := range rounds {
		if err := t.damage(ctx); err != nil {
			return outcome{}, t.wrong(seed, err)
		}
		if err := t.notice(ctx); err != nil {
			return outcome{}, t.wrong(seed, err)
		}
		if err := t.goOn(ctx, time.Duration(r.IntN(60))*time.Hour); err != nil {
			return outcome{}, t.wrong(seed, err)
		}
		if _, err := t.check(ctx); err != nil {
			return outcome{}, t.wrong(seed, fmt.Errorf("round %d: %w", round, err))
		}
	}
	if err := t.goOn(ctx, after*24*time.Hour); err != nil {
		return outcome{}, t.wrong(seed, err)
	}
	sum, err := t.check(ctx)
	if err != nil {
		return sum, t.wrong(seed, err)
	}
	return sum, nil
}

func (t *trial) wrong(seed uint64, err error) error {
	return fmt.Errorf("seed %d: %w\n\t%s", seed, err, strings.Join(t.notes, "\n\t"))
}

// damage loses or spoils pages, alternates and segments, and plants strays.
func (t *trial) damage(ctx context.Context) error {
	lose := float64(t.IntN(4)) / 10
	spoil := float64(t.IntN(3)) / 10
	burst := 0
	var keys []string
	changed, err := t.copy(ctx, func(key string, body []byte) []byte {
		page, part := strings.HasPrefix(key, archive.PagesPrefix), strings.HasPrefix(key, archive.SegmentsPrefix)
		if !page && !part {
			return body
		}
		keys = append(keys, key)
		if page && t.IntN(25) == 0 {
			burst = 2 + t.IntN(4)
		}
		switch p := t.Float64(); {
		case page && burst > 0:
			burst--
			t.note("lost with others %s", key)
			return nil
		case p < lose:
			t.note("lost %s", key)
			return nil
		case p < lose+spoil && t.IntN(2) == 0:
			t.note("cut short %s", key)
			return body[:len(body)*t.IntN(100)/100]
		case p < lose+spoil && len(body) > 0:
			at := t.IntN(len(body))
			t.note("altered at %d of %d %s", at, len(body), key)
			body[at] ^= 1 << t.IntN(8)
		}
		return body
	})
	if err != nil {
		return err
	}
	t.world = changed
	return t.plant(ctx, keys)
}

// plant puts what nobody of the program puts there.
func (t *trial) plant(ctx context.Context, keys []string) error {
	var pages []string
	for info, err := range t.objects.List(ctx, archive.PagesPrefix, "") {
		if err != nil {
			return err
		}
		pages = append(pages, info.Key)
	}
	for range t.IntN(4) {
		key, body := archive.PagesPrefix+"foreign.txt", []byte("nobody's")
		switch t.IntN(4) {
		case 0: // content of another page, at any place
			if len(pages) == 0 {
				continue
			}
			var err error
			if body, err = store.ReadObject(ctx, t.objects, pages[t.IntN(len(pages))]); err != nil {
				return err
			}
			key = archive.PageKey(t.Uint64N(200_000))
		case 1: // at the place of a page that was there once, if that is gone: as if it were altered
			if len(keys) == 0 {
				continue
			}
			key = keys[t.IntN(len(keys))]
		case 2: // a page inside the stretch of another one
			inside, reply, err := t.inside(ctx, pages)
			if err != nil {
				return err
			}
			if reply == nil {
				continue
			}
			key, body = inside, reply
		}
		err := t.objects.PutIfAbsent(ctx, key, bytes.NewReader(body))
		if err != nil && !errors.Is(err, store.ErrExists) {
			return err
		}
		if err == nil {
			t.note("planted %s", key)
			_ = t.queue.Notify(ctx, key)
		}
	}
	return nil
}

// inside makes a page of a part of another one that can be read.
func (t *trial) inside(ctx context.Context, pages []string) (key string, body []byte, err error) {
	if len(pages) == 0 {
		return "", nil, nil
	}
	stored, err := store.ReadObject(ctx, t.objects, pages[t.IntN(len(pages))])
	if err != nil {
		return "", nil, err
	}
	page, err := archive.DecodePage(stored)
	if err != nil || page.Header.Count < 3 || page.Header.Alternate > 0 {
		return "", nil, nil
	}
	var doc struct {
		Errcode  int               `json:"errcode"`
		Chatdata []json.RawMessage `json:"chatdata"`
	}
	if err := json.Unmarshal(page.Reply, &doc); err != nil {
		return "", nil, err
	}
	envelopes, err := archive.ParseStored(page)
	if err != nil {
		return "", nil, err
	}
	h := page.Header
	h.SeqAsked, h.FirstSeq, h.Count = uint64(envelopes[0].Seq), uint64(envelopes[1].Seq), h.Count-1
	doc.Chatdata = doc.Chatdata[1:]
	reply, err := json.Marshal(doc)
	if err != nil {
		return "", nil, err
	}
	body, err = archive.EncodePage(h, reply)
	return archive.PageKey(h.SeqAsked), body, err
}

// notice has the damage noticed: the index is made again, over what is there or from
// nothing, or it is lost and the stages make it. What WeCom has then must not be missing.
func (t *trial) notice(ctx context.Context) error {
	t.had = map[uint64]bool{}
	for from := uint64(0); ; {
		reply, err := t.corp.GetChatData(ctx, from, 1000)
		if err != nil {
			return err
		}
		parsed, err := archive.ParseReply(reply, from, archive.SeqLimits{MaxJump: 1 << 62, MaxFirst: 1 << 62})
		if err != nil {
			return err
		}
		if len(parsed.Envelopes) == 0 {
			break
		}
		for _, e := range parsed.Envelopes {
			t.had[uint64(e.Seq)] = true
		}
		from = parsed.LastSeq
	}
	switch t.IntN(4) {
	case 0:
		t.note("index lost at %s", t.Now())
		t.index = storetest.NewIndex()
	case 1:
		t.note("reindexed at %s", t.Now())
		_, err := t.reindex(ctx, false)
		var ahead *catalog.CursorAheadError
		if !errors.As(err, &ahead) {
			return err
		}
		fallthrough
	default:
		t.note("reindexed from nothing at %s", t.Now())
		_, err := t.reindex(ctx, true)
		return err
	}
	return nil
}

// goOn pulls and archives for a time, mostly with two of each at once.
func (t *trial) goOn(ctx context.Context, d time.Duration) error {
	at := 1 + t.IntN(2)
	for range 4 { // what one finds, the other works on
		if err := t.work(ctx, at); err != nil {
			t.note("%s: %v", t.Now(), err)
		}
		t.advance(3 * time.Minute)
	}
	for until := t.Now().Add(d); ; t.advance(time.Duration(2+t.IntN(12)) * time.Hour) {
		if err := t.work(ctx, at); err != nil {
			t.note("%s: %v", t.Now(), err)
		}
		if !t.Now().Before(until) {
			break
		}
	}
	return nil
}

// check compares what is locked with what was said.
func (t *trial) check(ctx context.Context) (outcome, error) {
	var sum outcome
	rows, err := t.locked(ctx, &sum)
	if err != nil {
		return sum, err
	}
	lost, err := t.listed(ctx, &sum)
	if err != nil {
		return sum, err
	}
	var wrong []string
	for i := range t.corp.Arrived() {
		m, err := t.corp.Served(i)
		if err != nil {
			return sum, err
		}
		sum.Messages++
		places := rows[m.Seq]
		gone := slices.ContainsFunc(lost, func(s archive.Stretch) bool { return m.Seq > s.From && m.Seq <= s.To })
		switch {
		case len(places) > 1:
			wrong = append(wrong, fmt.Sprintf("seq %d stands %d times: %v", m.Seq, len(places), places))
		case len(places) == 1 && !places[0].is(m.Raw):
			wrong = append(wrong, fmt.Sprintf("seq %d is not what was said", m.Seq))
		case len(places) == 1 || m.Unreadable != "":
		case t.had[m.Seq]:
			wrong = append(wrong, fmt.Sprintf("seq %d is missing, and WeCom had it (listed as lost: %v)", m.Seq, gone))
		case !gone:
			wrong = append(wrong, fmt.Sprintf("seq %d is missing, and no hole lists it", m.Seq))
		default:
			sum.Lost++
		}
	}
	if len(wrong) > 0 {
		return sum, errors.New(strings.Join(wrong, "\n\t"))
	}
	return sum, nil
}

// place is where a message stands.
type place struct {
	key      string
	position int
	raw      []byte
}

func (p place) is(raw []byte) bool { return bytes.Equal(p.raw, raw) }
func (p place) String() string     { return fmt.Sprintf("%s at %d", p.key, p.position) }

// locked reads all rows that are stored, by their seq.
func (t *trial) locked(ctx context.Context, sum *outcome) (map[uint64][]place, error) {
	rows := map[uint64][]place{}
	for info, err := range t.objects.List(ctx, "", "") {
		if err != nil {
			return nil, err
		}
		if _, n, ok := archive.ParseAnyPageKey(info.Key); ok && n > 0 {
			sum.Alternates++
		}
		if !strings.HasPrefix(info.Key, archive.SegmentsPrefix) {
			continue
		}
		_, found, err := segment.Read(ctx, t.objects, info.Key)
		if errors.Is(err, store.ErrDamaged) {
			continue
		}
		if err != nil {
			return nil, err
		}
		for _, r := range found {
			if archive.Day(r.PulledAt) != info.Key[len("messages/dt="):len("messages/dt=2026-11-23")] {
				return nil, fmt.Errorf("%s: a row says that it was pulled at %s", info.Key, r.PulledAt)
			}
			if r.Outcome == archive.OutcomeElsewhere {
				sum.Elsewhere++
			}
			if !r.Readable() {
				continue
			}
			if archive.AlternateOf(r.Position) > 0 {
				sum.Refilled++
			}
			rows[uint64(r.Seq)] = append(rows[uint64(r.Seq)], place{info.Key, r.Position, r.Raw})
		}
	}
	return rows, nil
}

// listed is what holes say is lost.
func (t *trial) listed(ctx context.Context, sum *outcome) (lost []archive.Stretch, err error) {
	holes, err := catalog.New(t.index).Journal.Holes(ctx, 0, 10_000)
	for _, h := range holes {
		sum.Holes++
		lost = append(lost, h.Lost...)
		t.note("hole %d to %d: %s, lost %v, to ask %v, since %s", h.From, h.To, h.Outcome, h.Lost, h.Ask, h.Since)
	}
	return lost, err
}
