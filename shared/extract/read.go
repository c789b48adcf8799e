package extract

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"time"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/compaction"
	"wecom-archive/shared/store"
)

// OpenTexts verifies and unpacks the texts of a row group into a buffer, of which the
// result is a part. data are the bytes of b.Texts.
func (b *Block) OpenTexts(buffer, data []byte) (Texts, error) {
	all, err := b.Texts.unpack(buffer, data)
	if err == nil && (b.Rows == 0 || len(all) == 0 || all[len(all)-1] != separator) {
		err = errShort
	}
	return Texts(all), b.damaged("texts", err)
}

// Texts are the folded texts of a row group, each with a byte behind it that no UTF-8 has.
type Texts []byte

// Each calls do with each text and its row, until it returns false. It returns ErrDamaged
// unless there are as many as rows.
func (t Texts) Each(b *Block, do func(row int, folded []byte) bool) error {
	rest := []byte(t)
	for row := range b.Rows {
		end := bytes.IndexByte(rest, separator)
		if end < 0 {
			return b.damaged("texts", fmt.Errorf("%d of %d rows", row, b.Rows))
		}
		if !do(row, rest[:end]) {
			return nil
		}
		rest = rest[end+1:]
	}
	if len(rest) > 0 {
		return b.damaged("texts", fmt.Errorf("more than %d rows", b.Rows))
	}
	return nil
}

// TextsSize is how many bytes the texts of a row group take, unpacked, as their packed bytes
// say, before anything of them is verified; a large number if they do not say.
func (b *Block) TextsSize(data []byte) int64 { return unpackedSize(data) }

// OriginalsSize is the same of the original texts.
func (b *Block) OriginalsSize(data []byte) int64 { return unpackedSize(data) }

// EachPart is OpenTexts and Each for texts that are too large to be held: it calls do with
// one part after another of each text; last says that it ends the text. What do returns ends
// it. An error of its own is ErrDamaged.
func (b *Block) EachPart(data []byte, do func(row int, part []byte, last bool) error) error {
	if err := b.Texts.check(data); err != nil {
		return b.damaged("texts", err)
	}
	unpacked, err := streamOf(data)
	if err != nil {
		return b.damaged("texts", err)
	}
	defer unpacked.Close()
	row, between, buffer := 0, true, make([]byte, 128<<10)
	for {
		n, err := unpacked.Read(buffer)
		for part := buffer[:n]; len(part) > 0; {
			text, rest, last := bytes.Cut(part, []byte{separator})
			if row == b.Rows {
				return b.damaged("texts", fmt.Errorf("more than %d rows", b.Rows))
			}
			if failed := do(row, text, last); failed != nil {
				return failed
			}
			if between = last; last {
				row++
			}
			part = rest
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return b.damaged("texts", err)
		}
	}
	if row != b.Rows || !between {
		return b.damaged("texts", fmt.Errorf("%d of %d rows", row, b.Rows))
	}
	return nil
}

// Party is what messages with the same people, conversation and type have in common.
type Party struct {
	Conversation, FromID, MsgType, SenderKind, ChatKind string
	ToIDs                                               []string
}

// Facts are all of a row group but the texts.
type Facts struct {
	Parties []Party
	Files   [][]archive.MediaRef // lists of files; of each Kind and Name

	// Of each row:
	Party []int   // of Parties
	List  []int   // of Files
	Times []int64 // ms

	Unopened []bool // the parser did not look into all of it

	packed reader // places of all rows, which are read once one is asked for
	places []compaction.Row
}

// OpenFacts verifies and unpacks facts. data are the bytes of b.Facts.
func (b *Block) OpenFacts(data []byte) (*Facts, error) {
	all, err := b.Facts.unpack(nil, data)
	if err != nil {
		return nil, b.damaged("facts", err)
	}
	f, err := parseFacts(all, b.Rows)
	return f, b.damaged("facts", err)
}

func parseFacts(data []byte, rows int) (*Facts, error) {
	r := &reader{rest: data}
	if rows > len(data) {
		return nil, errShort
	}
	names := readTable(r, func() string { return string(r.bytes(r.count())) })
	name := func() string {
		if n := r.below(len(names)); r.err == nil {
			return names[n]
		}
		return ""
	}
	lists := readTable(r, func() []string { return readTable(r, name) })
	f := &Facts{}
	f.Parties = readTable(r, func() Party {
		p := Party{Conversation: name(), FromID: name(), MsgType: name(), SenderKind: name(), ChatKind: name()}
		if n := r.below(len(lists)); r.err == nil {
			p.ToIDs = lists[n]
		}
		return p
	})
	f.Files = readTable(r, func() []archive.MediaRef {
		return readTable(r, func() archive.MediaRef { return archive.MediaRef{Kind: name(), Name: name(), Size: -1} })
	})
	f.Party, f.List, f.Times = make([]int, rows), make([]int, rows), make([]int64, rows)
	for i := range f.Party {
		f.Party[i] = r.below(len(f.Parties))
	}
	for i := range f.List {
		f.List[i] = r.below(len(f.Files))
	}
	last := int64(0)
	for i := range f.Times {
		last += r.signed()
		f.Times[i] = last
	}
	f.Unopened = make([]bool, rows)
	for i := range f.Unopened {
		f.Unopened[i] = r.below(2) == 1
	}
	f.packed = *r
	return f, r.err
}

// readTable reads a list with its length in front.
func readTable[T any](r *reader, one func() T) []T {
	n := r.count()
	if n == 0 {
		return nil
	}
	all := make([]T, 0, min(n, 1024))
	for range n {
		if r.err != nil {
			return nil
		}
		all = append(all, one())
	}
	return all
}

// Row is a row with what a search shows of a message but its text: Place works.
// ErrDamaged.
func (f *Facts) Row(i int) (compaction.Row, error) {
	if f.places == nil {
		places, err := readPlaces(f.packed, len(f.Times))
		if err != nil {
			return compaction.Row{}, fmt.Errorf("places: %w: %w", store.ErrDamaged, err)
		}
		f.places = places
	}
	row := f.places[i]
	row.Outcome = archive.OutcomeOK // no others are compacted
	row.Reading = f.Parties[f.Party[i]].Reading()
	row.MsgTime, row.Media = time.UnixMilli(f.Times[i]).UTC(), f.Files[f.List[i]]
	return row, nil
}

func readPlaces(r reader, n int) ([]compaction.Row, error) {
	rows := make([]compaction.Row, n)
	column := func(set func(row *compaction.Row)) {
		for i := range rows {
			set(&rows[i])
		}
	}
	seq, page, pulled := int64(0), uint64(0), int64(0)
	column(func(row *compaction.Row) { row.HasSeq = r.below(2) == 1 })
	column(func(row *compaction.Row) { seq += r.signed(); row.Seq = seq })
	column(func(row *compaction.Row) { page += uint64(r.signed()); row.Page = page })
	column(func(row *compaction.Row) { row.Row.Position = r.below(maxNumber) })
	column(func(row *compaction.Row) { row.Part = r.below(maxNumber) })
	column(func(row *compaction.Row) { row.SegmentRow = r.below(maxNumber) })
	column(func(row *compaction.Row) { pulled += r.signed(); row.PulledAt = time.UnixMilli(pulled).UTC() })
	return rows, r.end()
}

// Reading has what the party says.
func (p Party) Reading() archive.Reading {
	return archive.Reading{Conversation: p.Conversation, FromID: p.FromID, ToIDs: p.ToIDs, MsgType: p.MsgType, SenderKind: p.SenderKind, ChatKind: p.ChatKind}
}

// OpenOriginals verifies the originals and returns the texts of some rows, in their order.
// data are the bytes of b.Originals, rows ascend.
func (b *Block) OpenOriginals(data []byte, rows []int) ([]string, error) {
	all, err := b.Originals.unpack(nil, data)
	if err != nil {
		return nil, b.damaged("original texts", err)
	}
	texts, err := someTexts(all, rows, b.Rows)
	return texts, b.damaged("original texts", err)
}

func someTexts(data []byte, wanted []int, rows int) ([]string, error) {
	r, texts := reader{rest: data}, make([]string, 0, len(wanted))
	for i := range rows {
		text := r.bytes(r.count())
		if len(texts) < len(wanted) && wanted[len(texts)] == i {
			texts = append(texts, string(text))
		}
	}
	if err := r.end(); err != nil {
		return nil, err
	}
	if len(texts) < len(wanted) {
		return nil, errors.New("a row is asked for that is not there")
	}
	return texts, nil
}
