package archive_test

import (
	"testing"
	"time"
	"unicode/utf8"

	"pgregory.net/rapid"

	"wecom-archive/shared/archive"
)

func TestKeys(t *testing.T) {
	if got := archive.PageKey(18446744073709551615); got != "pages/18446744073709551615.json.zst" {
		t.Error(got)
	}
	at := time.Date(2026, 11, 23, 23, 0, 0, 0, time.FixedZone("", -2*3600)) // already the 24th in UTC
	if got := archive.SegmentKey(at, 12, 0); got != "messages/dt=2026-11-24/00000000000000000012.parquet" {
		t.Error(got)
	}
	rapid.Check(t, func(t *rapid.T) {
		a, b := rapid.Uint64().Draw(t, "a"), rapid.Uint64().Draw(t, "b")
		if (a < b) != (archive.PageKey(a) < archive.PageKey(b)) {
			t.Fatalf("%d and %d do not sort as numbers", a, b)
		}
		if got, ok := archive.ParsePageKey(archive.PageKey(a)); !ok || got != a {
			t.Fatalf("%d comes back as %d, %v", a, got, ok)
		}
		n := rapid.IntRange(1, archive.MaxAlternate).Draw(t, "alternate")
		if got, of, ok := archive.ParseAnyPageKey(archive.AlternateKey(a, n)); !ok || got != a || of != n {
			t.Fatalf("alternate %d of %d comes back as %d of %d, %v", n, a, of, got, ok)
		}
		if _, ok := archive.ParsePageKey(archive.AlternateKey(a, n)); ok {
			t.Fatalf("alternate %d of %d passes for a page", n, a)
		}
		if (a < b) != (archive.AlternateKey(a, n) < archive.PageKey(b)) && a != b {
			t.Fatalf("an alternate of %d does not sort with it, before %d", a, b)
		}
		part := rapid.IntRange(0, 99).Draw(t, "part")
		if day, got, n, ok := archive.ParseSegmentKey(archive.SegmentKey(at, a, part)); !ok || got != a || n != part || day != "2026-11-24" {
			t.Fatalf("%d part %d comes back as %s %d part %d, %v", a, part, day, got, n, ok)
		}
		junk := rapid.String().Draw(t, "junk")
		if got, ok := archive.ParsePageKey(junk); ok && archive.PageKey(got) != junk {
			t.Fatalf("%q passes for page %d", junk, got)
		}
	})
	for _, bad := range []string{"", "pages/1.json.zst", "pages/0000000000000000000x.json.zst", "pages/00000000000000000001.json"} {
		if _, ok := archive.ParsePageKey(bad); ok {
			t.Errorf("%q passes for the key of a page", bad)
		}
	}
	for _, bad := range []string{"pages/00000000000000000001-0.json.zst", "pages/00000000000000000001-01.json.zst", "pages/00000000000000000001-2048.json.zst",
		"pages/00000000000000000001-.json.zst", "pages/00000000000000000001-1-1.json.zst", "pages/00000000000000000001-x.json.zst"} {
		if _, _, ok := archive.ParseAnyPageKey(bad); ok {
			t.Errorf("%q passes for the key of an alternate", bad)
		}
	}
	for _, bad := range []string{"", "messages/dt=x/1.parquet", "messages/dt=2026-11-24/00000000000000000012-r0.parquet", "messages/dt=2026-11-24/00000000000000000012-r01.parquet",
		"messages/dt=x/00000000000000000012.parquet", "messages/dt=2026-11-31/00000000000000000012.parquet", "messages/dt=2026-11-24/99999999999999999999.parquet",
		"messages/dt=2026-11-24/+0000000000000000012.parquet", "messages/dt=2026-11-24/00000000000000000012-r1-r2.parquet", "messages/dt=2026-11-24/a/00000000000000000012.parquet"} {
		if _, _, _, ok := archive.ParseSegmentKey(bad); ok {
			t.Errorf("%q passes for the key of a segment", bad)
		}
	}
	if !utf8.ValidString(archive.RejectKey(1, "run", 2)) || archive.RejectKey(1, "run", 2) != "rejects/00000000000000000001/run-2.zst" {
		t.Error(archive.RejectKey(1, "run", 2))
	}
}
