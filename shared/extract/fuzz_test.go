package extract

import (
	"testing"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/compaction"
)

// The bytes are verified before they are read. Whoever can change a bucket can write
// others with their SHA-256, though, if he can write the index, too.

func FuzzDirectory(f *testing.F) {
	data, _ := EncodeDirectory([]Block{{Rows: 3, First: "pair:a,b", Last: "room:r", Files: map[string]int64{"image": 2}, people: []byte{0, 0, 0, 1}}})
	f.Add(data)
	f.Fuzz(func(t *testing.T, data []byte) {
		blocks, err := parseDirectory(data)
		if err != nil && len(blocks) > 0 {
			t.Fatal("blocks beside an error")
		}
		for i := range blocks {
			blocks[i].MayHoldPerson("a")
			blocks[i].MayHold("b")
		}
	})
}

func FuzzFacts(f *testing.F) {
	rows := []compaction.Row{{Page: 7}, {Page: 8}}
	rows[1].Media = []archive.MediaRef{{Kind: "image"}}
	rows[0].ToIDs = []string{"a", "b"}
	f.Add(facts(nil, rows, make([]bool, 2)), 2)
	f.Fuzz(func(t *testing.T, data []byte, rows int) {
		facts, err := parseFacts(data, max(rows, 0)%5000)
		if err != nil {
			return
		}
		for i := range facts.Times {
			if _, err := facts.Row(i); err != nil {
				return
			}
		}
	})
}

func FuzzTexts(f *testing.F) {
	rows := []compaction.Row{{}, {}}
	rows[0].Text = "合同"
	f.Add(foldedTexts(nil, rows), originals(nil, rows), 2)
	f.Fuzz(func(t *testing.T, folded, originals []byte, rows int) {
		b := &Block{Rows: max(rows, 0) % 5000}
		n := 0
		if err := Texts(folded).Each(b, func(int, []byte) bool { n++; return true }); err == nil && n != b.Rows {
			t.Fatalf("%d texts of %d", n, b.Rows)
		}
		if texts, err := someTexts(originals, []int{1}, b.Rows); err == nil && len(texts) != 1 {
			t.Fatal("no text, and no error")
		}
	})
}
