package archive

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Prefixes of the archive bucket. docs/format.md specifies what lies below each.
const (
	PagesPrefix    = "pages/"
	RejectsPrefix  = "rejects/"
	SegmentsPrefix = "messages/"
	KeysPrefix     = "keys/"
	EventsPrefix   = "events/"
	AccessPrefix   = "access/"
	MediaPrefix    = "media/"
	LinksPrefix    = "links/"
)

// FetchPrefix is where the derived bucket has the job lists of the media stage.
const FetchPrefix = "fetch/"

const pageSuffix = ".json.zst"

// seqDigits is wide enough for every uint64, so that keys sort as numbers.
const seqDigits = 20

func SeqName(seq uint64) string { return fmt.Sprintf("%0*d", seqDigits, seq) }

func parseSeqName(s string) (uint64, bool) {
	if len(s) != seqDigits {
		return 0, false
	}
	n, err := strconv.ParseUint(s, 10, 64)
	return n, err == nil
}

// PageKey is the key of the page that WeCom returned when asked for what comes
// after seq.
func PageKey(asked uint64) string { return PagesPrefix + SeqName(asked) + pageSuffix }

// ParsePageKey is the reverse of PageKey.
func ParsePageKey(key string) (asked uint64, ok bool) {
	asked, alternate, ok := ParseAnyPageKey(key)
	return asked, ok && alternate == 0
}

// MaxAlternate is the greatest number of an alternate: positions of its rows must
// fit into 32 bits.
const MaxAlternate = 1<<11 - 1

// AlternateKey is the key of the n-th alternate, from 1, of the page asked after seq.
// In byte order it stands before the key of the page.
func AlternateKey(asked uint64, n int) string {
	return PageStem(asked) + "-" + strconv.Itoa(n) + pageSuffix
}

// PageStem is the common beginning of the keys of a page and of its alternates.
func PageStem(asked uint64) string { return PagesPrefix + SeqName(asked) }

// ParseAnyPageKey is the reverse of PageKey, with alternate 0, and of AlternateKey.
func ParseAnyPageKey(key string) (asked uint64, alternate int, ok bool) {
	name, ok := strings.CutPrefix(key, PagesPrefix)
	if !ok {
		return 0, 0, false
	}
	if name, ok = strings.CutSuffix(name, pageSuffix); !ok {
		return 0, 0, false
	}
	name, number, numbered := strings.Cut(name, "-")
	if numbered {
		n, err := strconv.Atoi(number)
		if err != nil || n < 1 || n > MaxAlternate || strconv.Itoa(n) != number {
			return 0, 0, false
		}
		alternate = n
	}
	asked, ok = parseSeqName(name)
	return asked, alternate, ok
}

// RejectKey is the key of the n-th reply of a run that is no page.
func RejectKey(asked uint64, run string, n int) string {
	return fmt.Sprintf("%s%s/%s-%d.zst", RejectsPrefix, SeqName(asked), run, n)
}

// SegmentKey is the key of the segment of a page. Part 0 is the segment with a
// row for each envelope; parts above hold what later tries recovered ("-rN").
func SegmentKey(pulledAt time.Time, asked uint64, part int) string {
	return SegmentsPrefix + partName(pulledAt, asked, part) + ".parquet"
}

// partName is what the keys of a segment's part and of its job list have in
// common.
func partName(pulledAt time.Time, asked uint64, part int) string {
	name := "dt=" + Day(pulledAt) + "/" + SeqName(asked)
	if part > 0 {
		name += "-r" + strconv.Itoa(part)
	}
	return name
}

// ParseSegmentKey is the reverse of SegmentKey; day is the pull date.
func ParseSegmentKey(key string) (day string, asked uint64, part int, ok bool) {
	return parsePart(key, SegmentsPrefix, ".parquet")
}

func parsePart(key, prefix, suffix string) (day string, asked uint64, part int, ok bool) {
	day, name, ok := parseDayKey(key, prefix, suffix)
	if !ok {
		return "", 0, 0, false
	}
	name, number, recovered := strings.Cut(name, "-r")
	if recovered {
		n, err := strconv.Atoi(number)
		if err != nil || n < 1 || strconv.Itoa(n) != number {
			return "", 0, 0, false
		}
		part = n
	}
	if asked, ok = parseSeqName(name); !ok {
		return "", 0, 0, false
	}
	return day, asked, part, true
}

// parseDayKey takes <prefix>dt=<day>/<name><suffix> apart.
func parseDayKey(key, prefix, suffix string) (day, name string, ok bool) {
	rest, ok := strings.CutPrefix(key, prefix+"dt=")
	if !ok {
		return "", "", false
	}
	day, name, ok = strings.Cut(rest, "/")
	if _, err := time.Parse(time.DateOnly, day); !ok || err != nil {
		return "", "", false
	}
	name, ok = strings.CutSuffix(name, suffix)
	return day, name, ok
}

// SegmentStem is the common beginning of the keys of all parts of a page's
// segment.
func SegmentStem(page PageHeader) string {
	return SegmentsPrefix + "dt=" + Day(page.PulledAt) + "/" + SeqName(page.SeqAsked)
}

// FetchKey is the key, in the derived bucket, of the job list of a segment's part.
func FetchKey(pulledAt time.Time, asked uint64, part int) string {
	return FetchPrefix + partName(pulledAt, asked, part) + ".json"
}

// ParseFetchKey is the reverse of FetchKey; day is the pull date.
func ParseFetchKey(key string) (day string, asked uint64, part int, ok bool) {
	return parsePart(key, FetchPrefix, ".json")
}

// MediaKey is the key of a file that is stored at a time: each file once a month,
// so that its lock covers every message of the month that refers to it.
func MediaKey(at time.Time, sha256 string) string {
	return MediaPrefix + at.UTC().Format(MonthLayout) + "/" + sha256
}

// LinksKey is the key of the n-th object, from 0, that says what became of the
// files of a page's messages.
func LinksKey(pulledAt time.Time, asked uint64, n int) string {
	return LinksStem(pulledAt, asked) + strconv.Itoa(n) + ".json"
}

// LinksStem is the common beginning of all LinksKeys of a page.
func LinksStem(pulledAt time.Time, asked uint64) string {
	return LinksPrefix + "dt=" + Day(pulledAt) + "/" + SeqName(asked) + "-"
}

// ParseLinksKey is the reverse of LinksKey; day is the pull date.
func ParseLinksKey(key string) (day string, asked uint64, n int, ok bool) {
	day, name, ok := parseDayKey(key, LinksPrefix, ".json")
	if !ok {
		return "", 0, 0, false
	}
	name, number, _ := strings.Cut(name, "-")
	n, err := strconv.Atoi(number)
	if err != nil || n < 0 || strconv.Itoa(n) != number {
		return "", 0, 0, false
	}
	asked, ok = parseSeqName(name)
	return day, asked, n, ok
}

// KeyRecordKey is the key of a key pair's object.
func KeyRecordKey(id string) string { return KeysPrefix + id + ".json" }

// ParseKeyRecordKey is the reverse of KeyRecordKey.
func ParseKeyRecordKey(key string) (id string, ok bool) {
	name, below := strings.CutPrefix(key, KeysPrefix)
	id, ok = strings.CutSuffix(name, ".json")
	return id, below && ok && id != ""
}

// Day is the UTC date of t as in dt=2026-11-23.
func Day(t time.Time) string { return t.UTC().Format(time.DateOnly) }

// writable says whether t can be written in UTC, which JSON does up to the year 9999
// only. A time that says its zone may be read, and lie beyond.
func writable(t time.Time) bool {
	year := t.UTC().Year()
	return year >= 0 && year <= 9999
}

// MonthLayout is how months are written: 2026-11.
const MonthLayout = "2006-01"

// CapturePrefixes are what the capture key encrypts: all of the archive bucket that a
// function which cannot read messages writes or reads. The template's bucket policy
// refuses puts below them under another key, and puts of anything else under this one.
func CapturePrefixes() []string {
	return []string{PagesPrefix, RejectsPrefix, MediaPrefix, LinksPrefix, EventsPrefix, KeysPrefix, DirectoryPrefix}
}
