package wecomtest_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"errors"
	"strconv"
	"testing"

	"wecom-archive/shared/wecom"
	"wecom-archive/shared/wecom/wecomtest"
)

func itoa(n uint64) string { return strconv.FormatUint(n, 10) }

// unwrap does what the archiver does before DecryptData.
func unwrap(e envelope) (wecom.Sealed, error) {
	block, err := base64.StdEncoding.DecodeString(e.Key)
	if err != nil {
		return wecom.Sealed{}, err
	}
	if e.Version > len(keys()) {
		return wecom.Sealed{}, errors.New("no such key")
	}
	//lint:ignore SA1019 WeCom encrypts with PKCS #1 v1.5; nobody can ask this test for an oracle.
	key, err := rsa.DecryptPKCS1v15(nil, keys()[e.Version-1], block)
	return wecom.Sealed{Key: string(key), Message: e.Message}, err
}

func openAll(t testing.TB, batch []wecom.Sealed) []wecom.Opened {
	t.Helper()
	opened, err := wecomtest.Library{}.DecryptData(context.Background(), batch)
	if err != nil || len(opened) != len(batch) {
		t.Fatalf("DecryptData: %d of %d results, %v", len(opened), len(batch), err)
	}
	return opened
}

// crypto/rsa opens what the simulator's own exponentiation sealed, under the key
// version that the schedule says.
func TestRoundTrip(t *testing.T) {
	const count, change = 400, 150
	corp := openWithKeys(t, wecomtest.Config{
		Seed: 11, Extents: lastDays(count), KeyChanges: []int{change, 300}, // the third key was never uploaded
	}, 2)
	var batch []wecom.Sealed
	for i, e := range page(t, corp, 0, 1000) {
		want := 1
		if i >= change {
			want = 2
		}
		if e.Version != want {
			t.Fatalf("message %d: key version %d, want %d", i, e.Version, want)
		}
		sealed, err := unwrap(e)
		if err != nil {
			t.Fatalf("message %d: %v", i, err)
		}
		if len(sealed.Key) != 88 {
			t.Fatalf("message %d: key string of %d characters", i, len(sealed.Key))
		}
		batch = append(batch, sealed)
	}
	for i, o := range openAll(t, batch) {
		if m := served(t, corp, i); o.Err != nil || !bytes.Equal(o.Raw, m.Raw) {
			t.Fatalf("message %d: %v\ngot  %q\nwant %q", i, o.Err, o.Raw, m.Raw)
		}
	}
}

func TestDefaultKeySchedule(t *testing.T) {
	corp := open(t, wecomtest.Config{Seed: 2, Extents: lastDays(120_000), Unmetered: true})
	if n := len(page(t, corp, 0, 10)); n != 0 {
		t.Errorf("%d envelopes before any key was uploaded", n)
	}
	for range 4 {
		if _, err := corp.UploadKey(&keys()[0].PublicKey); err != nil {
			t.Fatal(err)
		}
	}
	for _, tc := range []struct{ index, version int }{
		{1, 1}, {6_999, 1}, {7_000, 2}, {14_999, 2}, {15_000, 3}, {64_999, 3}, {65_000, 4}, {115_000, 4},
	} {
		after := served(t, corp, tc.index-1).Seq
		if got := page(t, corp, after, 1)[0].Version; got != tc.version {
			t.Errorf("message %d: key version %d, want %d", tc.index, got, tc.version)
		}
	}
}

func TestUploadKeyRefuses(t *testing.T) {
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	corp := open(t, wecomtest.Config{})
	for _, pub := range []*rsa.PublicKey{nil, {}, &small.PublicKey} {
		if v, err := corp.UploadKey(pub); v != 0 || !errors.Is(err, wecom.ErrBadPublicKey) {
			t.Errorf("key of %v: version %d, %v", pub, v, err)
		}
	}
}

func TestDecryptDataFailsPerItem(t *testing.T) {
	corp := openWithKeys(t, wecomtest.Config{Seed: 4, Extents: lastDays(2)}, 1)
	envelopes := page(t, corp, 0, 2)
	good, err := unwrap(envelopes[0])
	if err != nil {
		t.Fatal(err)
	}
	other, err := unwrap(envelopes[1])
	if err != nil {
		t.Fatal(err)
	}
	batch := []wecom.Sealed{
		{Key: "", Message: good.Message},
		{Key: "shortkey0012", Message: good.Message},
		{Key: other.Key, Message: good.Message},
		{Key: good.Key, Message: good.Message[:8]},
		{Key: good.Key, Message: "not base64!"},
		{Key: good.Key, Message: ""},
		good,
	}
	opened := openAll(t, batch)
	for i, o := range opened[:len(opened)-1] {
		var refusal *wecom.Error
		if !errors.As(o.Err, &refusal) || refusal.Code != 10008 || refusal.Source != wecom.SourceSDK || o.Raw != nil {
			t.Errorf("item %d: %v, want SDK code 10008", i, o.Err)
		}
	}
	if last := opened[len(opened)-1]; last.Err != nil || !bytes.Equal(last.Raw, served(t, corp, 0).Raw) {
		t.Errorf("the good item: %v", last.Err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := (wecomtest.Library{}).DecryptData(ctx, batch); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// Planted envelopes are unreadable in the way that they say, and only those.
func TestUnreadable(t *testing.T) {
	const count, oneIn = 300, 8
	corp := openWithKeys(t, wecomtest.Config{Seed: 6, Extents: lastDays(count), Unreadable: oneIn}, 1)
	ways := map[string]int{}
	planted := 0
	for i, e := range page(t, corp, 0, count) {
		m := served(t, corp, i)
		if m.Seq != e.Seq || m.MsgID != e.MsgID || m.Unreadable != corp.Unreadable(i) {
			t.Fatalf("message %d: %d %s %q, served %d %s", i, e.Seq, e.MsgID, m.Unreadable, m.Seq, m.MsgID)
		}
		block, b64 := base64.StdEncoding.DecodeString(e.Key)
		sealed, err := unwrap(e)
		decrypts := err == nil && openAll(t, []wecom.Sealed{sealed})[0].Err == nil
		if decrypts != (m.Unreadable == "") {
			t.Errorf("message %d: decrypts %t, planted %q", i, decrypts, m.Unreadable)
		}
		shows := true
		switch m.Unreadable {
		case "":
			continue
		case wecomtest.UnknownKeyVersion:
			shows = e.Version > 1000
		case wecomtest.BadBase64:
			shows = b64 != nil
		case wecomtest.WrongLengthBlock:
			shows = b64 == nil && len(block) != 256
		case wecomtest.RandomBlock:
			shows = len(block) == 256 && e.Version == 1 && err != nil
		case wecomtest.CorruptedBody:
			shows = err == nil && len(sealed.Key) == 88
		}
		if !shows {
			t.Errorf("message %d is not %q", i, m.Unreadable)
		}
		ways[m.Unreadable]++
		planted++
	}
	if len(ways) != 5 || planted < count/oneIn/2 || planted > count/oneIn*2 {
		t.Errorf("planted: %v", ways)
	}
	healthy := open(t, wecomtest.Config{Extents: lastDays(1000)})
	for i := range healthy.Len() {
		if why := healthy.Unreadable(i); why != "" {
			t.Fatalf("message %d is %q though none was asked for", i, why)
		}
	}
}
