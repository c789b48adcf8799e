package extract

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/compaction"
	"wecom-archive/shared/query"
	"wecom-archive/shared/store"
)

// Format is the version of what this package writes. Whoever changes it raises it:
// searches then read the compacted objects until extracts are made again.
const Format = 2

// DirectoryBlocks is how many row groups a directory has at most, about 1 MB.
const DirectoryBlocks = 1024

// maxPeople bounds what a directory says of a row group.
const maxPeople = 16 << 10

// Section is a range of bytes in an object of extracts.
type Section struct {
	Offset, Length int64
	Sum            [sha256.Size]byte // of its bytes
}

func sumOf(data []byte) [sha256.Size]byte { return sha256.Sum256(data) }

// Block is what the directory says of a row group.
type Block struct {
	Object int // of the run, from 0
	Group  int // in the object, from 0
	Rows   int

	Bounds      compaction.TimeBounds // of its messages
	First, Last string                // conversations of the first and the last row, which are sorted

	// Files are how many messages refer to a file of a kind, as archive.MediaRef has it.
	Files map[string]int64

	// Unopened are how many hold something that the parser did not look into.
	Unopened int

	Texts, Facts, Originals Section

	people []byte // compaction.NameSums of senders and receivers; nil if there are more than maxPeople
}

// Slim is the block without what MayHoldPerson and MayHold look at.
func (b *Block) Slim() Block {
	slim := *b
	slim.First, slim.Last, slim.people = "", "", nil
	return slim
}

// MayHoldPerson says whether there can be messages from or to somebody.
func (b *Block) MayHoldPerson(id string) bool {
	return b.people == nil || compaction.HasNameSum(b.people, id)
}

// MayHold says whether there can be messages of a conversation.
func (b *Block) MayHold(conversation string) bool {
	return b.First <= conversation && conversation <= b.Last
}

// Key is that of the object of extracts beside the n-th object of a run.
func Key(month, run string, n int) string {
	return fmt.Sprintf("%s%s/%s/%05d.extract", compaction.Prefix, month, run, n)
}

// DirectoryKey is that of the n-th directory of a run.
func DirectoryKey(month, run string, n int) string {
	return fmt.Sprintf("%s%s/%s/%05d.directory", compaction.Prefix, month, run, n)
}

// EncodeDirectory writes blocks, which are in order, and what a run says of the result.
func EncodeDirectory(blocks []Block) ([]byte, compaction.ExtractDirectory) {
	b := binary.AppendUvarint(nil, Format)
	b = appendName(b, query.FoldVersion)
	b = binary.AppendUvarint(b, uint64(len(blocks)))
	for i := range blocks {
		b = blocks[i].append(b)
	}
	return b, DirectoryOf(b)
}

// DirectoryOf is what a run says of the bytes of a directory.
func DirectoryOf(data []byte) compaction.ExtractDirectory {
	return compaction.ExtractDirectory{Length: int64(len(data)), SHA256: fmt.Sprintf("%x", sumOf(data))}
}

func (b *Block) append(to []byte) []byte {
	for _, n := range []int{b.Object, b.Group, b.Rows} {
		to = binary.AppendUvarint(to, uint64(n))
	}
	to = binary.AppendVarint(to, b.Bounds.First)
	to = binary.AppendVarint(to, b.Bounds.Last)
	to = appendName(to, b.First)
	to = appendName(to, b.Last)
	kinds := make([]string, 0, len(b.Files))
	for kind := range b.Files {
		kinds = append(kinds, kind)
	}
	slices.Sort(kinds)
	to = binary.AppendUvarint(to, uint64(len(kinds)))
	for _, kind := range kinds {
		to = binary.AppendUvarint(appendName(to, kind), uint64(b.Files[kind]))
	}
	to = binary.AppendUvarint(to, uint64(b.Unopened))
	for _, s := range []Section{b.Texts, b.Facts, b.Originals} {
		to = binary.AppendUvarint(to, uint64(s.Offset))
		to = binary.AppendUvarint(to, uint64(s.Length))
		to = append(to, s.Sum[:]...)
	}
	if b.people == nil {
		return append(to, 0)
	}
	return appendName(append(to, 1), string(b.people))
}

// DecodeDirectory verifies the bytes of a directory by what its run says of it, and reads
// it. ErrDamaged; archive.ErrNewFormat if another version of this program, or of Unicode's
// tables, made it: then the compacted objects are to be read. The blocks share memory with
// data.
func DecodeDirectory(data []byte, d compaction.ExtractDirectory) ([]Block, error) {
	if DirectoryOf(data) != d {
		return nil, fmt.Errorf("directory of extracts: %w: differs from its SHA-256", store.ErrDamaged)
	}
	return parseDirectory(data)
}

func parseDirectory(data []byte) ([]Block, error) {
	r := reader{rest: data}
	format, folded := r.unsigned(), string(r.bytes(r.count()))
	if r.err == nil && (format != Format || folded != query.FoldVersion) {
		return nil, fmt.Errorf("directory of extracts: format %d, folded as %q: %w", format, folded, archive.ErrNewFormat)
	}
	blocks := make([]Block, r.below(DirectoryBlocks+1))
	for i := range blocks {
		blocks[i].read(&r)
	}
	if err := r.end(); err != nil {
		return nil, fmt.Errorf("directory of extracts: %w: %w", store.ErrDamaged, err)
	}
	return blocks, nil
}

const maxNumber = 1 << 31

func (b *Block) read(r *reader) {
	b.Object, b.Group, b.Rows = r.below(maxNumber), r.below(maxNumber), r.below(maxNumber)
	b.Bounds.First, b.Bounds.Last = r.signed(), r.signed()
	b.First, b.Last = string(r.bytes(r.count())), string(r.bytes(r.count()))
	if kinds := r.count(); kinds > 0 {
		b.Files = make(map[string]int64, kinds)
		for range kinds {
			kind := string(r.bytes(r.count()))
			b.Files[kind] = int64(r.below(maxNumber))
		}
	}
	b.Unopened = r.below(maxNumber)
	for _, s := range []*Section{&b.Texts, &b.Facts, &b.Originals} {
		s.Offset, s.Length = int64(r.below(1<<48)), int64(r.below(maxSection))
		copy(s.Sum[:], r.bytes(len(s.Sum)))
	}
	if r.below(2) == 1 {
		b.people = r.bytes(r.count())
	}
}
