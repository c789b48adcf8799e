package compact

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/compaction"
	"wecom-archive/shared/reading"
	"wecom-archive/shared/segment"
	"wecom-archive/shared/store"
)

// batch is the parts of segments that one round merges: their messages, sorted on
// disk, and what has to be noted of them.
type batch struct {
	c      *Compactor
	month  string
	sorter *sorter
	spans  map[string][2]time.Time // of each conversation, first and last message

	parts     int
	damaged   int
	last      string // key of the last part looked at
	exhausted bool   // there are no more

	owed map[string]bool // of a rebuild: compacted parts that were not read yet

	marks     *os.File // one markLine for each part
	marksJSON *json.Encoder
	marksBuf  *bufio.Writer
	dir       string
	aliases   catalog.Aliases
}

// markLine is a part and its postings, which go when the part is in a run.
type markLine struct {
	Key      string               `json:"key"`
	Postings []catalog.PostingRef `json:"postings"`
}

func newBatch(c *Compactor, month, dir string, aliases catalog.Aliases) *batch {
	return &batch{c: c, aliases: aliases, month: month, dir: dir, sorter: newSorter(dir, c.Limits, c.Program), spans: map[string][2]time.Time{}}
}

func (b *batch) close() {
	b.sorter.close()
	if b.marks != nil {
		b.marks.Close()
	}
}

// part is a part of a segment, read.
type part struct {
	key     string
	rows    []archive.Row // as stored
	damaged bool
}

// readAhead is how many parts are read at a time.
const readAhead = 4

// gather reads parts after a key until RoundBytes are together or there are no
// more: those that are not compacted, or all.
func (b *batch) gather(ctx context.Context, after string, all bool) error {
	b.last = after
	var err error
	if b.marks, err = os.Create(filepath.Join(b.dir, "marks")); err != nil {
		return err
	}
	b.marksBuf = bufio.NewWriter(b.marks)
	b.marksJSON = json.NewEncoder(b.marksBuf)
	if all {
		if err := b.owe(ctx, after); err != nil {
			return err
		}
	}

	var keys []string
	day, compacted := "", catalog.CompactedParts(nil)
	for info, err := range b.c.Objects.List(ctx, archive.SegmentsPrefix+"dt="+b.month+"-", after) {
		if err != nil {
			return fmt.Errorf("listing the segments: %w", err)
		}
		of, _, _, ok := archive.ParseSegmentKey(info.Key)
		if !ok {
			continue // nothing of ours
		}
		if of != day && !all {
			day = of
			if compacted, err = b.c.Conversations.CompactedParts(ctx, day); err != nil {
				return err
			}
		}
		if compacted.Has(info.Key) {
			if len(keys) == 0 {
				b.last = info.Key
			}
			continue
		}
		if keys = append(keys, info.Key); len(keys) < readAhead {
			continue
		}
		if err := b.addParts(ctx, keys); err != nil {
			return err
		}
		if keys = keys[:0]; b.sorter.total >= b.c.RoundBytes {
			return b.marksBuf.Flush()
		}
	}
	if err := b.addParts(ctx, keys); err != nil {
		return err
	}
	b.exhausted = true
	return b.marksBuf.Flush()
}

func (b *batch) addParts(ctx context.Context, keys []string) error {
	parts := make([]part, len(keys))
	group, groupCtx := errgroup.WithContext(ctx)
	for i, key := range keys {
		group.Go(func() (err error) {
			parts[i], err = b.c.readPart(groupCtx, key)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	for _, p := range parts {
		if err := b.addPart(p); err != nil {
			return fmt.Errorf("part %s: %w", p.key, err)
		}
		b.last = p.key
	}
	return nil
}

// readPart reads a part. One that is damaged holds nothing: the archiver stores its
// rows again as another part.
func (c *Compactor) readPart(ctx context.Context, key string) (part, error) {
	_, rows, err := segment.Read(ctx, c.Objects, key)
	if errors.Is(err, store.ErrDamaged) || errors.Is(err, store.ErrNotFound) {
		c.Log.Error("a part of a segment cannot be read and is left out", "key", key, "error", err)
		return part{key: key, damaged: true}, nil
	}
	if err != nil {
		return part{}, err
	}
	return part{key: key, rows: rows}, nil
}

func (b *batch) addPart(p part) error {
	if p.damaged {
		b.damaged++
		return nil // not marked: whoever mends it finds it here again
	}
	delete(b.owed, p.key)
	_, asked, number, _ := archive.ParseSegmentKey(p.key)
	read := make([]archive.Row, len(p.rows))
	reread := false
	for i, r := range p.rows {
		read[i] = b.newest(r)
		reread = reread || read[i].ParserVersion != r.ParserVersion || read[i].Conversation != r.Conversation
		if !r.Readable() {
			continue
		}
		row := compaction.Row{Row: read[i], Page: asked, Part: number, SegmentRow: i}
		b.cover(row.Conversation, row.MsgTime)
		if err := b.sorter.add(row); err != nil {
			return err
		}
	}
	// Its postings are those of the stored reading, or, after a reindex, of the
	// newest.
	postings, err := catalog.PostingRefs(p.key, p.rows)
	if err != nil {
		return err
	}
	if reread {
		more, err := catalog.PostingRefs(p.key, read)
		if err != nil {
			return err
		}
		postings = append(postings, more...)
	}
	b.parts++
	return b.marksJSON.Encode(markLine{p.key, unique(postings)})
}

func unique(refs []catalog.PostingRef) []catalog.PostingRef {
	seen := make(map[catalog.PostingRef]bool, len(refs))
	out := refs[:0]
	for _, ref := range refs {
		if !seen[ref] {
			seen[ref] = true
			out = append(out, ref)
		}
	}
	return out
}

// newest is the row as a run has it.
func (b *batch) newest(r archive.Row) archive.Row {
	return reading.Newest(r, b.c.Read, b.c.Parser, b.aliases)
}

func (b *batch) cover(conversation string, at time.Time) {
	span, known := b.spans[conversation]
	if !known || at.Before(span[0]) {
		span[0] = at
	}
	if !known || at.After(span[1]) {
		span[1] = at
	}
	b.spans[conversation] = span
}

// mark deletes the postings of all parts. The run that holds their messages must be
// visible.
func (b *batch) mark(ctx context.Context) error {
	if _, err := b.marks.Seek(0, io.SeekStart); err != nil {
		return err
	}
	lines := json.NewDecoder(bufio.NewReader(b.marks))
	for {
		var line markLine
		err := lines.Decode(&line)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading the marks: %w", err)
		}
		if err := b.c.Conversations.MarkCompacted(ctx, line.Key, line.Postings); err != nil {
			return err
		}
	}
}
