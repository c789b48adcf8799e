//go:build !race

package local_test

import (
	"wecom-archive/shared/archive"
)

// kindsOfFacts are of what stands beside messages.
func kindsOfFacts() []kind {
	return []kind{
		{name: "event flipped", damage: to(events, "", last, flipFile), says: "damage", mends: back},
		{name: "event missing", damage: to(events+"dt=2026-10-31/binding", "", first, goneFile), says: "damage", mends: back},
		{name: "event cut", damage: to(events, "", early, cutFile), says: "damage", mends: back},
		{name: "events swapped", damage: to(events+"dt=2026-11-01/", "", first, swapFile), says: "damage", mends: back},
		{name: "foreign name among events", damage: plant(events+"dt=2026-11-01/x", ""), says: "stray", mends: []mend{acknowledge}},
		{name: "links flipped", damage: to(linkFiles, "", late, flipFile), says: "damage", mends: back},
		{name: "links missing", damage: to(linkFiles, "", late, goneFile), says: "damage", mends: back},
		{name: "links swapped", damage: to(linkFiles, "", last, swapFile), says: "damage", mends: back},
		{name: "key cut", damage: to(keyFiles, "", first, cutFile), says: "damage", mends: back},
		{name: "key missing", damage: to(keyFiles, "", last, goneFile), says: "damage", mends: back},
		{name: "all keys missing", damage: all(keyFiles, "", goneFile), says: "damage", mends: back},
		{name: "names flipped", damage: to(nameParts, "", late, flipFile), says: "damage", mends: back},
		{name: "names missing", damage: to(nameParts, "", late, goneFile), says: "damage", mends: back},
		{name: "file flipped", damage: to(media, "", late, flipFile), says: "damage", mends: back},
		{name: "file missing", damage: to(media, "", late, goneFile), says: "damage", mends: back},
		{name: "file longer", damage: to(media, "", late, longFile), says: "damage", mends: back},
		{name: "files swapped", damage: to(media, "", early, swapFile), says: "damage", mends: back},
		{name: "look flipped", damage: to(looks, "", late, flipFile), says: "damage", mends: back},
		{name: "look missing", damage: to(looks, "", late, goneFile), says: "damage", mends: back},
		{name: "look of another day", damage: plant(looks+"dt=2026-11-01/1793520000000-AAAAAAAAAAAA.json", looks), says: "stray", mends: back},
		{name: "folders that nobody made", damage: both(plant("objects/stray", ""), plant("objects/strange/dir/f", "")), harmless: true},
	}
}

func kindsOfDerived() []kind {
	daily := []mend{compactAgain}
	return []kind{
		{name: "run missing", damage: to(derived, ".parquet", first, goneFile), says: "derived", mends: daily},
		{name: "run flipped", damage: to(derived, ".parquet", last, flipFile), says: "derived", mends: daily},
		{name: "run cut", damage: to(derived, ".parquet", last, cutFile), says: "derived", mends: daily},
		{name: "runs swapped", damage: swapRuns(".parquet"), says: "derived", mends: daily},
		{name: "extract missing", damage: to(derived, ".extract", first, goneFile), says: "derived", mends: daily},
		{name: "extract flipped", damage: to(derived, ".extract", last, flipFile), says: "derived", mends: daily},
		{name: "extract cut", damage: to(derived, ".extract", last, cutFile), says: "derived", mends: daily},
		{name: "directory of extracts missing", damage: to(derived, ".directory", first, goneFile), says: "derived", mends: daily},
		{name: "directory of extracts flipped", damage: to(derived, ".directory", last, flipFile), says: "derived", mends: daily},
		{name: "compactions gone", damage: noFolder("derived/compactions"), says: "derived", mends: daily},
		{name: "all that is derived gone", damage: noFolder("derived"), says: "derived", mends: daily},
		{name: "job lists gone", damage: noFolder("derived/fetch")},
	}
}

// swapRuns puts the objects of the months in each other's place.
func swapRuns(end string) func(*spoiler) {
	return func(s *spoiler) {
		all := s.files(derived, end)
		writeBelow(s.t, s.dir, all[0], s.base.files[all[1]])
		writeBelow(s.t, s.dir, all[1], s.base.files[all[0]])
	}
}

func kindsOfIndex() []kind {
	anew := []mend{reindex, compactAgain, scrubAgain}
	return []kind{
		{name: "index gone", damage: noIndex, says: "never_ran", mends: []mend{startAnew, compactAgain}, hides: true, blank: true},
		{name: "index garbled", damage: garbleIndexFile, broken: true, mends: []mend{startAnew, compactAgain}},
		{name: "a third of the postings gone", damage: third("conversation#*", "m#*"), says: "index", mends: anew, hides: true},
		{name: "a third of the months gone", damage: third("conversation#*", "c#*"), says: "index", mends: anew, hides: true},
		{name: "a third of the days gone", damage: third("day#*", "*"), says: "index", mends: anew, hides: true},
		{name: "a third of the pages gone", damage: third("pages", "*"), says: "index", mends: anew, hides: true},
		{name: "a third of the index gone", damage: third("*", "*"), says: "index", mends: anew, hides: true},
		{name: "open parts gone", damage: without("open", "*"), says: "index", mends: anew, hides: true},
		{name: "a part is called compacted that is not", damage: moveMark, says: "index", mends: anew, hides: true},
		{name: "a posting garbled", damage: garble("conversation#*", "m#*0"), says: "index", mends: anew, hides: true},
		{name: "the state of a page garbled", damage: garble("pages", "0*[0-5]"), says: "index", mends: anew, hides: true},
		{name: "all postings garbled", damage: garble("conversation#*", "m#*"), says: "index", mends: anew, hides: true},
		{name: "a switch names a run that is gone", damage: inIndex(`UPDATE items SET value = CAST(replace(CAST(value AS TEXT), '"id":"', '"id":"0') AS BLOB) WHERE CAST(partition AS TEXT) = 'compaction'`), says: "derived", mends: []mend{compactAgain}},
		{name: "switches gone", damage: without("compaction", "*"), says: "derived", mends: []mend{compactAgain}},
		{name: "a switch garbled", damage: garble("compaction", "2026-10"), says: "derived", mends: []mend{compactAgain}},
		{name: "row groups gone", damage: without("compaction#*", "*"), says: "derived", mends: []mend{compactAgain}},
		{name: "cursor too far", damage: inIndex(`UPDATE items SET value = CAST(json_set(CAST(value AS TEXT), '$.seq', 99999) AS BLOB) WHERE CAST(sort AS TEXT) = 'cursor'`), says: "index", mends: anew},
		{name: "cursor too low", damage: inIndex(`UPDATE items SET value = CAST(json_set(CAST(value AS TEXT), '$.seq', 91260, '$.pages', 1) AS BLOB) WHERE CAST(sort AS TEXT) = 'cursor'`), says: "index", mends: anew},
		{name: "cursor gone", damage: without("puller", "cursor"), says: "index", mends: anew},
		{name: "sums gone", damage: noFolder(".store"), refuses: "takeover", mends: []mend{takeOver}},
	}
}

// garbleIndexFile writes nonsense over the middle of the file.
func garbleIndexFile(s *spoiler) {
	s.change("index.db", func(b []byte) []byte {
		for i := 4096; i < len(b); i++ {
			b[i] = 0xa5
		}
		return b
	})
}

// moveMark has the index say of an open part that it is compacted.
func moveMark(s *spoiler) {
	day, asked, part, ok := archive.ParseSegmentKey(s.one(segments, "", last)[len("objects/"):])
	if !ok {
		s.t.Fatal("no segment")
	}
	name := day + "#" + archive.SeqName(asked) + "#000" + string(rune('0'+part))
	s.sql("index.db", `DELETE FROM items WHERE CAST(sort AS TEXT) GLOB ?1`, "m#*#"+archive.SeqName(asked)+"#*")
	s.sql("index.db", `DELETE FROM items WHERE CAST(partition AS TEXT) = 'open' AND CAST(sort AS TEXT) GLOB ?1`, "*"+archive.SeqName(asked)+"*")
	s.sql("index.db", `INSERT INTO items (partition, sort, revision, value) VALUES (?1, ?2, 1, CAST('{}' AS BLOB))`, []byte("compacted#2026-11"), []byte(name))
}

func kindsOfTwo() []kind {
	return []kind{
		{name: "segment and its page missing", damage: both(to(segments, "", last, goneFile), to(pages, "", last, goneFile)), says: "damage", mends: []mend{acknowledge}, loses: true},
		{name: "segment and its page missing, restored", damage: both(to(segments, "", last, goneFile), to(pages, "", last, goneFile)), says: "damage", mends: back},
		{name: "compactions gone, a segment flipped", damage: both(noFolder("derived/compactions"), to(segments, "", early, flipFile)), says: "damage", mends: []mend{restore, compactAgain, scrubAgain}},
		{name: "compactions gone, all pages missing", damage: both(noFolder("derived/compactions"), all(pages, "", goneFile)), says: "damage", mends: []mend{restore, compactAgain, scrubAgain}},
		{name: "index gone, a page missing", damage: both(noIndex, to(pages, "", late, goneFile)), says: "damage", mends: []mend{restore, startAnew, compactAgain, scrubAgain}, hides: true, blank: true},
		{name: "index gone, a segment flipped", damage: both(noIndex, to(segments, "", late, flipFile)), says: "damage", mends: []mend{restore, startAnew, compactAgain, scrubAgain}, hides: true, blank: true},
		{name: "index gone, an event flipped", damage: both(noIndex, to(events, "", early, flipFile)), says: "damage", mends: []mend{restore, startAnew, compactAgain, scrubAgain}, hides: true, blank: true},
		{name: "index and compactions gone", damage: both(noIndex, noFolder("derived/compactions")), says: "never_ran", mends: []mend{startAnew, compactAgain}, hides: true, blank: true},
		{name: "a key cut, a page missing", damage: both(to(keyFiles, "", first, cutFile), to(pages, "", late, goneFile)), says: "damage", mends: back},
		{name: "a third of the postings and a run gone", damage: both(third("conversation#*", "m#*"), to(derived, ".parquet", first, goneFile)), says: "index", mends: []mend{reindex, compactAgain, scrubAgain}, hides: true},
	}
}
