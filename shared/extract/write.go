package extract

import (
	"encoding/binary"
	"strings"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/compaction"
	"wecom-archive/shared/query"
	"wecom-archive/shared/reading"
)

// Writer makes the object of extracts that belongs to a compacted object.
type Writer struct {
	object    int
	head      []byte // texts and facts
	originals []byte
	blocks    []Block
	buffer    []byte
}

// NewWriter begins the extracts of the n-th object of a run.
func NewWriter(n int) *Writer { return &Writer{object: n} }

// separator stands behind each folded text. No UTF-8 has it, so that no term is found
// across two texts.
const separator = 0xFF

// Add writes those of a row group: rows are sorted, and there is one at least.
func (w *Writer) Add(rows []compaction.Row) {
	first := rows[0].MsgTime.UnixMilli()
	b := Block{
		Object: w.object, Group: len(w.blocks), Rows: len(rows), Bounds: compaction.TimeBounds{First: first, Last: first},
		First: rows[0].Conversation, Last: rows[len(rows)-1].Conversation, Files: map[string]int64{},
	}
	people, unopened := map[string]bool{}, make([]bool, len(rows))
	for i, r := range rows {
		ms := r.MsgTime.UnixMilli()
		b.Bounds.First, b.Bounds.Last = min(b.Bounds.First, ms), max(b.Bounds.Last, ms)
		for kind := range r.FileKinds() {
			b.Files[kind]++
		}
		unopened[i] = reading.Unopened(r.Raw, r.Reading)
		if unopened[i] {
			b.Unopened++
		}
		if len(people) <= maxPeople {
			people[r.FromID] = true
			for _, id := range r.ToIDs {
				people[id] = true
			}
		}
	}
	if len(people) <= maxPeople {
		b.people = compaction.NameSums(people)
	}
	w.head, b.Texts = w.add(w.head, foldedTexts(w.buffer[:0], rows))
	w.head, b.Facts = w.add(w.head, facts(w.buffer[:0], rows, unopened))
	w.originals, b.Originals = w.add(w.originals, originals(w.buffer[:0], rows))
	w.blocks = append(w.blocks, b)
}

// add appends a section to the bytes of its object.
func (w *Writer) add(to, section []byte) ([]byte, Section) {
	w.buffer = section
	offset := len(to)
	to = encoder().EncodeAll(section, to)
	return to, Section{Offset: int64(offset), Length: int64(len(to) - offset), Sum: sumOf(to[offset:])}
}

// Size is the bytes written so far.
func (w *Writer) Size() int { return len(w.head) + len(w.originals) }

// Finish returns the object and what a directory says of it.
func (w *Writer) Finish() (object []byte, blocks []Block) {
	for i := range w.blocks {
		w.blocks[i].Originals.Offset += int64(len(w.head))
	}
	return append(w.head, w.originals...), w.blocks
}

func foldedTexts(b []byte, rows []compaction.Row) []byte {
	for _, r := range rows {
		b = append(query.AppendFolded(b, strings.ToValidUTF8(r.Text, "\uFFFD")), separator)
	}
	return b
}

func originals(b []byte, rows []compaction.Row) []byte {
	for _, r := range rows {
		b = appendName(b, r.Text)
	}
	return b
}

// table numbers what repeats, in order of its first use, and keeps how it is written.
type table struct {
	numbers map[string]uint64 // by the bytes
	written []byte
}

// number is that of an entry with these bytes.
func (t *table) number(entry []byte) uint64 {
	if n, ok := t.numbers[string(entry)]; ok {
		return n
	}
	if t.numbers == nil {
		t.numbers = map[string]uint64{}
	}
	n := uint64(len(t.numbers))
	t.numbers[string(entry)] = n
	t.written = append(t.written, entry...)
	return n
}

func (t *table) append(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(len(t.numbers)))
	return append(b, t.written...)
}

// tables are those of a row group: names, lists of names, parties and lists of files.
type tables struct {
	names, lists, parties, files table
	entry                        []byte
}

func (t *tables) name(s string) uint64 {
	return t.names.number(appendName(nil, s))
}

// list is the number of a list of names.
func (t *tables) list(names []string) uint64 {
	t.entry = binary.AppendUvarint(t.entry[:0], uint64(len(names)))
	for _, s := range names {
		t.entry = binary.AppendUvarint(t.entry, t.name(s))
	}
	return t.lists.number(t.entry)
}

// party is the number of everything that filters ask for beside time and files.
func (t *tables) party(r *compaction.Row) uint64 {
	to := t.list(r.ToIDs)
	t.entry = t.entry[:0]
	for _, s := range []string{r.Conversation, r.FromID, r.MsgType, r.SenderKind, r.ChatKind} {
		t.entry = binary.AppendUvarint(t.entry, t.name(s))
	}
	t.entry = binary.AppendUvarint(t.entry, to)
	return t.parties.number(t.entry)
}

func (t *tables) media(refs []archive.MediaRef) uint64 {
	t.entry = binary.AppendUvarint(t.entry[:0], uint64(len(refs)))
	for _, m := range refs {
		t.entry = binary.AppendUvarint(t.entry, t.name(m.Kind))
		t.entry = binary.AppendUvarint(t.entry, t.name(m.Name))
	}
	return t.files.number(t.entry)
}

// facts writes the tables, and then a column for each of them and for the places: like
// stands beside like, so that little is left of it.
func facts(b []byte, rows []compaction.Row, unopened []bool) []byte {
	var t tables
	columns := make([][]byte, factColumns)
	var last compaction.Row
	lastTime, lastPulled := int64(0), int64(0)
	for i := range rows {
		r := &rows[i]
		unsigned := func(column int, v uint64) { columns[column] = binary.AppendUvarint(columns[column], v) }
		signed := func(column int, v int64) { columns[column] = binary.AppendVarint(columns[column], v) }
		unsigned(columnParty, t.party(r))
		unsigned(columnFiles, t.media(r.Media))
		signed(columnTime, r.MsgTime.UnixMilli()-lastTime)
		flag := func(column int, is bool) {
			if is {
				unsigned(column, 1)
			} else {
				unsigned(column, 0)
			}
		}
		flag(columnUnopened, unopened[i])
		flag(columnHasSeq, r.HasSeq)
		signed(columnSeq, r.Seq-last.Seq)
		signed(columnPage, int64(r.Page-last.Page))
		unsigned(columnEnvelope, uint64(r.Row.Position))
		unsigned(columnPart, uint64(r.Part))
		unsigned(columnRow, uint64(r.SegmentRow))
		signed(columnPulled, r.PulledAt.UnixMilli()-lastPulled)
		last, lastTime, lastPulled = *r, r.MsgTime.UnixMilli(), r.PulledAt.UnixMilli()
	}
	for _, table := range []*table{&t.names, &t.lists, &t.parties, &t.files} {
		b = table.append(b)
	}
	for _, column := range columns {
		b = append(b, column...)
	}
	return b
}

// Columns of facts.
const (
	columnParty = iota
	columnFiles
	columnTime
	columnUnopened
	columnHasSeq
	columnSeq
	columnPage
	columnEnvelope
	columnPart
	columnRow
	columnPulled
	factColumns
)
