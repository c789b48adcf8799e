package wecomtest_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
	"pgregory.net/rapid"

	"wecom-archive/shared/wecom"
	"wecom-archive/shared/wecom/wecomtest"
)

func TestReplyForm(t *testing.T) {
	corp := openWithKeys(t, wecomtest.Config{Seed: 1, Extents: lastDays(3)}, 1)
	e := page(t, corp, 0, 1)[0]
	got := string(raw(t, corp, 0, 1))
	want := `{"errcode":0,"errmsg":"ok","chatdata":[{"seq":` + itoa(e.Seq) + `,"msgid":"` + e.MsgID +
		`","publickey_ver":1,"encrypt_random_key":"` + e.Key + `","encrypt_chat_msg":"` + e.Message + `"}]}`
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if len(e.Key) != 344 { // base64 of 256 bytes
		t.Errorf("encrypt_random_key has %d characters", len(e.Key))
	}
	last := served(t, corp, 2).Seq
	if got := string(raw(t, corp, last, 10)); got != `{"errcode":0,"errmsg":"ok","chatdata":[]}` {
		t.Errorf("end of the stream: %s", got)
	}
}

func TestSameSeedSameBytes(t *testing.T) {
	config := wecomtest.Config{Seed: 7, Extents: lastDays(400), Unreadable: 9}
	one, two := openWithKeys(t, config, 2), openWithKeys(t, config, 2)
	first := raw(t, one, 0, 300)
	if !bytes.Equal(first, raw(t, two, 0, 300)) {
		t.Error("two corps of one seed differ")
	}
	if !bytes.Equal(first, raw(t, one, 0, 300)) {
		t.Error("the same call gives other bytes the second time")
	}
	// Asked for from the middle, an envelope has the same bytes as in a longer page.
	middle := raw(t, one, served(t, one, 99).Seq, 50)
	if body := middle[len(`{"errcode":0,"errmsg":"ok","chatdata":[`) : len(middle)-2]; !bytes.Contains(first, body) {
		t.Error("the bytes of an envelope depend on the page")
	}
	config.Seed = 8
	if bytes.Equal(first, raw(t, openWithKeys(t, config, 2), 0, 300)) {
		t.Error("another seed gives the same bytes")
	}
}

func TestExtendLeavesEarlierMessages(t *testing.T) {
	corp := openWithKeys(t, wecomtest.Config{Seed: 7, Extents: []wecomtest.Extent{
		{Count: 200, From: noon.Add(-48 * time.Hour), To: noon.Add(-24 * time.Hour)},
	}}, 1)
	before := raw(t, corp, 0, 200)
	if err := corp.Extend(wecomtest.Extent{Count: 300, From: noon.Add(-2 * time.Hour), To: noon}); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(before, raw(t, corp, 0, 200)) {
		t.Error("a later extent changed earlier envelopes")
	}
	if n := len(page(t, corp, 0, 1000)); n != 500 || corp.Len() != 500 || corp.Arrived() != 500 {
		t.Errorf("%d envelopes, Len %d, Arrived %d; want 500", n, corp.Len(), corp.Arrived())
	}
	if err := corp.Extend(wecomtest.Extent{Count: 1, From: noon.Add(-time.Hour), To: noon}); err == nil {
		t.Error("an extent that overlaps the last one is accepted")
	}
}

// What a call returns is exactly the messages after the seq asked, in order,
// whatever the seq and the limit.
func TestReturnsWhatComesAfter(t *testing.T) {
	const count = 700
	corp := openWithKeys(t, wecomtest.Config{Seed: 3, Extents: lastDays(count), Unmetered: true}, 1)
	var seqs []uint64
	for i := range count {
		seqs = append(seqs, served(t, corp, i).Seq)
	}
	if !slices.IsSorted(seqs) || seqs[0] < 91_000 || len(slices.Compact(slices.Clone(seqs))) != count {
		t.Fatal("seqs are not strictly increasing from above 91,000")
	}
	if gaps := seqs[count-1] - seqs[0] - count + 1; gaps < count/4 {
		t.Errorf("only %d seqs are left out", gaps)
	}
	rapid.Check(t, func(rt *rapid.T) {
		asked := rapid.OneOf(
			rapid.SampledFrom(seqs),
			rapid.Uint64Range(seqs[0]-5, seqs[count-1]+5),
			rapid.Uint64(),
		).Draw(rt, "asked")
		limit := rapid.IntRange(1, 6).Draw(rt, "limit")
		want := seqs
		for len(want) > 0 && want[0] <= asked {
			want = want[1:]
		}
		want = want[:min(limit, len(want))]
		var got []uint64
		for _, e := range page(t, corp, asked, limit) {
			got = append(got, e.Seq)
		}
		if !slices.Equal(got, want) {
			rt.Errorf("after %d: %v, want %v", asked, got, want)
		}
	})
}

func TestLimitIsAnArgumentError(t *testing.T) {
	corp := openWithKeys(t, wecomtest.Config{Extents: lastDays(1100)}, 1)
	for _, limit := range []int{-1, 0, 1001, 5000} {
		_, err := corp.GetChatData(context.Background(), 0, limit)
		var refusal *wecom.Error
		if !errors.As(err, &refusal) || refusal.Source != wecom.SourceSDK || refusal.Code != 10000 {
			t.Errorf("limit %d: %v, want SDK code 10000", limit, err)
		}
	}
	if n := len(page(t, corp, 0, 1000)); n != 1000 {
		t.Errorf("limit 1000: %d envelopes", n)
	}
}

func TestCancelled(t *testing.T) {
	corp := openWithKeys(t, wecomtest.Config{Extents: lastDays(10)}, 1)
	ctx, cancel := context.WithCancel(context.Background())
	corp.OnCall(func(uint64, int) { cancel() })
	if _, err := corp.GetChatData(ctx, 0, 10); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled during the call: %v", err)
	}
	if _, err := corp.GetChatData(ctx, 0, 10); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled before the call: %v", err)
	}
}

func TestWindowSkipsSilently(t *testing.T) {
	now := noon
	corp := openWithKeys(t, wecomtest.Config{
		Seed:    5,
		Extents: []wecomtest.Extent{{Count: 800, From: noon.Add(-8 * 24 * time.Hour), To: noon}},
		Now:     func() time.Time { return now },
	}, 1)
	// Eight days of a hundred messages each: the first three are out of reach.
	got := page(t, corp, 0, 1000)
	if len(got) < 495 || len(got) > 505 {
		t.Fatalf("%d envelopes in the window, want about 500", len(got))
	}
	if last := served(t, corp, 799).Seq; got[len(got)-1].Seq != last {
		t.Errorf("last seq %d, want %d", got[len(got)-1].Seq, last)
	}
	if skipped := page(t, corp, served(t, corp, 10).Seq, 1); skipped[0].Seq != got[0].Seq {
		t.Errorf("a seq older than the window goes on at %d, want %d", skipped[0].Seq, got[0].Seq)
	}
	now = noon.Add(wecomtest.Window + time.Second)
	if left := page(t, corp, 0, 1000); len(left) != 0 {
		t.Errorf("%d envelopes long after the window", len(left))
	}
}

func TestGrowsWhilePulled(t *testing.T) {
	now := noon.Add(-80 * time.Hour)
	corp := openWithKeys(t, wecomtest.Config{Extents: lastDays(720), Now: func() time.Time { return now }}, 1)
	if n := len(page(t, corp, 0, 1000)); n != 0 || corp.Arrived() != 0 {
		t.Errorf("before the corp talked: %d envelopes, Arrived %d", n, corp.Arrived())
	}
	now = noon.Add(-36 * time.Hour)
	half := len(page(t, corp, 0, 1000))
	if half < 355 || half > 365 || corp.Arrived() != half || corp.Len() != 720 {
		t.Errorf("half-way: %d envelopes, Arrived %d, Len %d", half, corp.Arrived(), corp.Len())
	}
	corp.OnCall(func(uint64, int) { now = noon })
	if n := len(page(t, corp, 0, 1000)); n != 720 {
		t.Errorf("the clock moved during the call: %d envelopes, want 720", n)
	}
}

func TestRateLimit(t *testing.T) {
	now := noon
	config := wecomtest.Config{Extents: lastDays(1), Now: func() time.Time { return now }}
	corp := openWithKeys(t, config, 1)
	for i := range wecomtest.CallsPerMinute {
		now = now.Add(10 * time.Millisecond)
		if code := errcode(t, corp, 0, 1); code != 0 {
			t.Fatalf("call %d: errcode %d", i+1, code)
		}
	}
	if code := errcode(t, corp, 0, 1); code != 45009 {
		t.Errorf("call 601 within a minute: errcode %d, want 45009", code)
	}
	now = noon.Add(time.Minute + 10*time.Millisecond) // the first call is a minute old
	if code := errcode(t, corp, 0, 1); code != 0 {
		t.Errorf("a minute after the first call: errcode %d", code)
	}
	if code := errcode(t, corp, 0, 1); code != 45009 {
		t.Errorf("and once more: errcode %d, want 45009", code)
	}
	config.Unmetered = true
	free := openWithKeys(t, config, 1)
	for range 2 * wecomtest.CallsPerMinute {
		if code := errcode(t, free, 1<<40, 1); code != 0 {
			t.Fatalf("unmetered: errcode %d", code)
		}
	}
}

func TestCredentials(t *testing.T) {
	corp := openWithKeys(t, wecomtest.Config{Extents: lastDays(2)}, 1)
	for _, tc := range []struct {
		corpid, secret string
		want           int
	}{
		{corpid, secret, 0},
		{corpid, "wrong", 40001},
		{"wwother", secret, 40013},
	} {
		if got := errcode(t, corp.NewClient(tc.corpid, tc.secret), 0, 1); got != tc.want {
			t.Errorf("%s with %s: errcode %d, want %d", tc.corpid, tc.secret, got, tc.want)
		}
	}
	if _, err := corp.NewClient(corpid, "").GetChatData(t.Context(), 0, 1); !errors.Is(err, wecom.ErrBadArgument) {
		t.Errorf("no secret: %v", err)
	}
}

// A corp holds nothing per message: two billion of them cost what none costs.
func TestSizeIndependentOfMessages(t *testing.T) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	corp := openWithKeys(t, wecomtest.Config{Seed: 9, Extents: lastDays(2_000_000_000)}, 1)
	last := served(t, corp, 1_999_999_990)
	if got := page(t, corp, last.Seq, 1000); len(got) != 9 {
		t.Errorf("%d envelopes after the tenth last", len(got))
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 4<<20 {
		t.Errorf("heap grew by %d bytes", grown)
	}
	runtime.KeepAlive(corp)
}

func TestConfigIsChecked(t *testing.T) {
	good := wecomtest.Config{Corp: corpid, Extents: lastDays(5)}
	for name, spoil := range map[string]func(*wecomtest.Config){
		"no corpid":       func(c *wecomtest.Config) { c.Corp = "" },
		"negative count":  func(c *wecomtest.Config) { c.Extents[0].Count = -1 },
		"no period":       func(c *wecomtest.Config) { c.Extents[0].To = c.Extents[0].From },
		"key changes":     func(c *wecomtest.Config) { c.KeyChanges = []int{9, 3} },
		"extents overlap": func(c *wecomtest.Config) { c.Extents = append(lastDays(1), lastDays(1)...) },
	} {
		c := good
		c.Extents = lastDays(5)
		spoil(&c)
		if _, err := wecomtest.New(c); err == nil || !strings.HasPrefix(err.Error(), "simulated corp: ") {
			t.Errorf("%s: error %v", name, err)
		}
	}
	if _, err := open(t, good).Served(5); err == nil {
		t.Error("a message beyond the end is served")
	}
}

// BenchmarkEnvelope is the cost of making and sealing one envelope. It must stay
// well below the 790 µs that decrypting one takes.
func BenchmarkEnvelope(b *testing.B) {
	corp := openWithKeys(b, wecomtest.Config{Seed: 1, Extents: lastDays(10_000_000), Unmetered: true}, 1)
	b.ReportAllocs()
	var seq uint64
	for left := b.N; left > 0; left -= 1000 {
		limit := min(left, 1000)
		got := raw(b, corp, seq, limit)
		b.SetBytes(int64(len(got) / limit))
		seq += 2 * uint64(limit)
	}
}

// All methods may be called at the same time (for the race detector), and what is
// served does not depend on who else calls.
func TestConcurrentUse(t *testing.T) {
	corp := openWithKeys(t, wecomtest.Config{
		Seed: 2, Extents: []wecomtest.Extent{{Count: 60, From: noon.Add(-48 * time.Hour), To: noon.Add(-24 * time.Hour)}},
	}, 1)
	want := raw(t, corp, 0, 60)
	var group errgroup.Group
	for i := range 4 {
		group.Go(func() error {
			got, err := corp.GetChatData(context.Background(), 0, 60)
			if err != nil || !bytes.Equal(got, want) {
				return fmt.Errorf("caller %d: %d bytes, %w", i, len(got), err)
			}
			return nil
		})
	}
	group.Go(func() error { return corp.Extend(lastHours()) })
	group.Go(func() error { _, err := corp.UploadKey(&keys()[1].PublicKey); return err })
	group.Go(func() error { corp.OnCall(nil); corp.Heal(); corp.RevokeToken(); return nil })
	group.Go(func() error { return corp.WriteTruth(context.Background(), io.Discard) })
	if err := group.Wait(); err != nil {
		t.Error(err)
	}
}

func lastHours() wecomtest.Extent {
	return wecomtest.Extent{Count: 10, From: noon.Add(-2 * time.Hour), To: noon}
}
