package wecomtest_test

import (
	"bytes"
	"errors"
	"math"
	"slices"
	"testing"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/wecom"
	"wecom-archive/shared/wecom/wecomtest"
)

// Each fault is checked with the parser of the puller: it must be no page, or
// the true one with an intruder.
func TestFaults(t *testing.T) {
	const limit = 5
	for name, tc := range map[string]struct {
		fault wecomtest.Fault
		err   error // of GetChatData
		page  error // of ParseReply
		code  int   // errcode
	}{
		"untrusted IP, SDK":   {fault: wecomtest.SDKCode(10009), err: wecom.ErrUntrustedIP},
		"network":             {fault: wecomtest.SDKCode(10001), err: wecom.ErrNetwork},
		"untrusted IP":        {fault: wecomtest.Errcode(301042), page: archive.ErrErrcode, code: 301042},
		"bad secret":          {fault: wecomtest.Errcode(40001), page: archive.ErrErrcode, code: 40001},
		"expired":             {fault: wecomtest.Errcode(301052), page: archive.ErrErrcode, code: 301052},
		"not opened":          {fault: wecomtest.Errcode(301053), page: archive.ErrErrcode, code: 301053},
		"rate limit":          {fault: wecomtest.Errcode(45009), page: archive.ErrErrcode, code: 45009},
		"busy":                {fault: wecomtest.Errcode(-1), page: archive.ErrErrcode, code: -1},
		"too large":           {fault: wecomtest.TooLarge(limit - 1), page: archive.ErrErrcode, code: 301058},
		"not too large":       {fault: wecomtest.TooLarge(limit)},
		"garbage":             {fault: wecomtest.Garbage, page: archive.ErrNotJSON},
		"truncated":           {fault: wecomtest.Truncated, page: archive.ErrNotJSON},
		"empty":               {fault: wecomtest.Empty, page: archive.ErrNotJSON},
		"HTML":                {fault: wecomtest.HTML, page: archive.ErrNotJSON},
		"seq not after":       {fault: wecomtest.SeqNotAfter, page: archive.ErrBadSeq},
		"seq missing":         {fault: wecomtest.SeqMissing, page: archive.ErrBadSeq},
		"seq far ahead":       {fault: wecomtest.SeqFarAhead, page: archive.ErrImplausibleSeq},
		"seq beyond int64":    {fault: wecomtest.SeqBeyondInt64},
		"seq beyond uint64":   {fault: wecomtest.SeqBeyondUint64},
		"padding in errmsg":   {fault: wecomtest.HugeErrmsg(1 << 18)},
		"padding in envelope": {fault: wecomtest.HugeEnvelope(1 << 18)},
	} {
		t.Run(name, func(t *testing.T) {
			corp := openWithKeys(t, wecomtest.Config{Seed: 8, Extents: lastDays(20)}, 1)
			asked := served(t, corp, 3).Seq
			honest := raw(t, corp, asked, limit)
			corp.Fail(2, tc.fault)
			for range 2 {
				reply, err := corp.GetChatData(t.Context(), asked, limit)
				if !errors.Is(err, tc.err) || err == nil != (tc.err == nil) {
					t.Fatalf("error %v, want %v", err, tc.err)
				}
				if tc.err != nil {
					continue
				}
				parsed, err := archive.ParseReply(reply, asked, archive.DefaultSeqLimits())
				if !errors.Is(err, tc.page) || (err == nil) != (tc.page == nil) || parsed.Errcode != tc.code {
					t.Fatalf("parsed: errcode %d, %v; want %d, %v", parsed.Errcode, err, tc.code, tc.page)
				}
				if tc.page == nil && len(parsed.Envelopes) != limit {
					t.Errorf("%d envelopes, want %d", len(parsed.Envelopes), limit)
				}
			}
			if !bytes.Equal(raw(t, corp, asked, limit), honest) {
				t.Error("the true reply does not come back")
			}
		})
	}
}

func TestNoChatdata(t *testing.T) {
	corp := openWithKeys(t, wecomtest.Config{Extents: lastDays(5)}, 1)
	corp.Fail(1, wecomtest.NoChatdata)
	if r := decode(t, raw(t, corp, 0, 5)); *r.Errcode != 0 || r.Chatdata != nil {
		t.Errorf("%+v", r)
	}
}

// An intruder takes no envelope away: what made room for it comes with the next
// call, since it is after the last good seq.
func TestIntrudersLoseNothing(t *testing.T) {
	corp := openWithKeys(t, wecomtest.Config{Seed: 8, Extents: lastDays(40)}, 1)
	corp.Fail(-1, wecomtest.SeqBeyondInt64)
	var got []uint64
	var seq uint64
	intruders := 0
	for len(got) < 40 {
		parsed, err := archive.ParseReply(raw(t, corp, seq, 7), seq, archive.DefaultSeqLimits())
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range parsed.Envelopes {
			if e.HasSeq {
				got = append(got, uint64(e.Seq))
			} else {
				intruders++
			}
		}
		seq = parsed.LastSeq
	}
	var want []uint64
	for i := range 40 {
		want = append(want, served(t, corp, i).Seq)
	}
	if !slices.Equal(got, want) || intruders != 7 {
		t.Errorf("%d intruders, seqs %v\nwant %v", intruders, got, want)
	}
	corp.Heal()
	if last := page(t, corp, want[30], 10); last[len(last)-1].Seq > math.MaxInt64 || len(last) != 9 {
		t.Errorf("after Heal: %d envelopes", len(last))
	}
}

func TestHugeEnvelopeStillDecrypts(t *testing.T) {
	corp := openWithKeys(t, wecomtest.Config{Seed: 8, Extents: lastDays(1)}, 1)
	corp.Fail(1, wecomtest.HugeEnvelope(4<<20))
	reply := raw(t, corp, 0, 1)
	if len(reply) < 4<<20 {
		t.Fatalf("%d bytes", len(reply))
	}
	sealed, err := unwrap((*decode(t, reply).Chatdata)[0])
	if err != nil {
		t.Fatal(err)
	}
	if o := openAll(t, []wecom.Sealed{sealed})[0]; o.Err != nil || !bytes.Equal(o.Raw, served(t, corp, 0).Raw) {
		t.Errorf("opened: %v", o.Err)
	}
}

// Faults come one after the other, count only calls that reach WeCom, and can be
// planned while others call.
func TestFaultsQueue(t *testing.T) {
	corp := openWithKeys(t, wecomtest.Config{Extents: lastDays(5)}, 1)
	corp.Fail(0, wecomtest.Empty)
	corp.Fail(1, nil)
	corp.Fail(2, wecomtest.Errcode(301052))
	corp.Fail(1, wecomtest.Errcode(301042))
	corp.Fail(-1, wecomtest.Errcode(40001))
	calls := 0
	corp.OnCall(func(uint64, int) { calls++ })
	if _, err := corp.GetChatData(t.Context(), 0, 0); err == nil {
		t.Fatal("limit 0 is accepted")
	}
	for i, want := range []int{301052, 301052, 301042, 40001, 40001, 40001} {
		if got := errcode(t, corp, 0, 5); got != want {
			t.Errorf("call %d: errcode %d, want %d", i, got, want)
		}
	}
	corp.OnCall(nil)
	corp.Heal()
	if got := errcode(t, corp, 0, 5); got != 0 || calls != 6 {
		t.Errorf("after Heal: errcode %d; the hook saw %d calls, want 6", got, calls)
	}
}
