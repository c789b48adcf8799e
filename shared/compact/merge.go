package compact

import (
	"bytes"
	"container/heap"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/parquet-go/parquet-go"

	"wecom-archive/shared/compaction"
	"wecom-archive/shared/extract"
	"wecom-archive/shared/store"
)

// source gives sorted rows in batches; none at the end.
type source interface {
	next(ctx context.Context) ([]compaction.Row, error)
}

type listSource struct{ rows []compaction.Row }

func (s *listSource) next(context.Context) ([]compaction.Row, error) {
	rows := s.rows
	s.rows = nil
	return rows, nil
}

type chunkSource struct {
	chunk
	footer []byte
	at     int
}

func (s *chunkSource) next(context.Context) ([]compaction.Row, error) {
	if s.at == len(s.layout.Groups) {
		return nil, nil
	}
	if s.footer == nil {
		s.footer = make([]byte, s.layout.Size-s.layout.Footer)
		if _, err := s.file.ReadAt(s.footer, s.layout.Footer); err != nil {
			return nil, fmt.Errorf("reading a sorted chunk: %w", err)
		}
	}
	group := s.layout.Groups[s.at]
	data := make([]byte, group.Length)
	if _, err := s.file.ReadAt(data, group.Offset); err != nil {
		return nil, fmt.Errorf("reading a sorted chunk: %w", err)
	}
	s.at++
	return s.layout.ReadGroup(s.at-1, group, data, s.footer, "")
}

// runSource reads a run out of the derived bucket.
type runSource struct {
	c     *Compactor
	month string
	run   compaction.Run

	ahead  []compaction.RowGroup
	last   *compaction.RowGroup // read last
	object string               // that footer belongs to
	footer []byte
	rows   int64
}

func (s *runSource) next(ctx context.Context) (rows []compaction.Row, err error) {
	key := compaction.RunPrefix(s.month, s.run.ID)
	defer func() {
		if err != nil {
			err = fmt.Errorf("run %s: %w", s.run.ID, err)
		}
		if err != nil && cannotRead(err) {
			err = &brokenRun{key, err}
		}
	}()
	if len(s.ahead) == 0 {
		if s.ahead, err = s.c.Compactions.AllRowGroups(ctx, s.run.ID, s.last, 100); err != nil {
			return nil, err
		}
		if len(s.ahead) == 0 {
			if s.rows != s.run.Rows {
				return nil, fmt.Errorf("%d rows of %d are in its directory: %w", s.rows, s.run.Rows, store.ErrDamaged)
			}
			return nil, nil
		}
	}
	group := s.ahead[0]
	s.ahead, s.last = s.ahead[1:], &group
	if err := group.Check(s.month, s.run); err != nil {
		return nil, err
	}
	key = group.Object
	layout, at := group.Layout()
	if s.object != group.Object {
		footer, err := s.c.Derived.GetRange(ctx, group.Object, layout.Footer, layout.Size-layout.Footer)
		if err != nil {
			return nil, err
		}
		if err := layout.CheckFooter(footer); err != nil {
			return nil, err
		}
		s.object, s.footer = group.Object, footer
	}
	data, err := s.c.Derived.GetRange(ctx, group.Object, at.Offset, at.Length)
	if err != nil {
		return nil, err
	}
	s.rows += int64(group.Rows)
	return layout.ReadGroup(group.Group, at, data, s.footer, "")
}

// cursor is where the merge is in a source.
type cursor struct {
	source
	rows []compaction.Row // the first is next
}

// mergeHeap has the source with the least row on top.
type mergeHeap []*cursor

func (h mergeHeap) Len() int           { return len(h) }
func (h mergeHeap) Less(i, j int) bool { return h[i].rows[0].Compare(h[j].rows[0]) < 0 }
func (h mergeHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *mergeHeap) Push(x any)        { *h = append(*h, x.(*cursor)) }
func (h *mergeHeap) Pop() any {
	last := len(*h) - 1
	c := (*h)[last]
	*h = (*h)[:last]
	return c
}

// mergeSources calls emit for each row in order, copies of a message once.
func mergeSources(ctx context.Context, sources []source, emit func(compaction.Row) error) error {
	var h mergeHeap
	for _, s := range sources {
		rows, err := s.next(ctx)
		if err != nil {
			return err
		}
		if len(rows) > 0 {
			h = append(h, &cursor{s, rows})
		}
	}
	heap.Init(&h)
	var last compaction.Row
	for first := true; len(h) > 0; first = false {
		top := h[0]
		row := top.rows[0]
		if first || !row.Copies(last) {
			if err := emit(row); err != nil {
				return err
			}
		}
		last = row
		if top.rows = top.rows[1:]; len(top.rows) == 0 {
			more, err := top.next(ctx)
			if err != nil {
				return err
			}
			if top.rows = more; len(more) == 0 {
				heap.Pop(&h)
				continue
			}
		}
		heap.Fix(&h, 0)
	}
	return nil
}

// merge writes a batch, older runs and more as one run, with its directory.
func (c *Compactor) merge(ctx context.Context, now time.Time, month string, b *batch, inputs []compaction.Run, more []source) (compaction.Run, error) {
	sources := append(b.sorter.sources(), more...)
	for _, run := range inputs {
		sources = append(sources, &runSource{c: c, month: month, run: run})
	}
	w := &runWriter{c: c, ctx: ctx, month: month, dir: b.dir, run: compaction.Run{ID: c.runID(now), At: now.UTC(), Parser: -1}}
	defer w.abandon()
	groups := grouper{rows: c.GroupRows, bytes: c.GroupBytes, write: w.writeGroup}
	if err := mergeSources(ctx, sources, groups.add); err != nil {
		return w.run, fmt.Errorf("merging: %w", err)
	}
	if err := groups.flush(); err != nil {
		return w.run, err
	}
	if err := w.finishObject(); err != nil {
		return w.run, err
	}
	if err := w.finishDirectory(); err != nil {
		return w.run, err
	}
	c.Log.Info("wrote a run", "month", month, "run", w.run.ID, "rows", w.run.Rows, "objects", w.run.Objects, "bytes", w.run.Bytes, "merged", len(inputs))
	return w.run, nil
}

// mostExtracts are the bytes of an object of extracts, which is made in memory, beside the
// last row group's.
const mostExtracts = 16 << 20

// runWriter writes row groups into objects, one at a time on disk.
type runWriter struct {
	c     *Compactor
	ctx   context.Context
	month string
	dir   string
	run   compaction.Run

	file   *os.File
	w      *compaction.Writer
	groups []compaction.RowGroup // of the object that is being written

	extracts *extract.Writer // of this object
	blocks   []extract.Block // that no directory has yet
}

func (w *runWriter) writeGroup(rows []compaction.Row) error {
	if w.file == nil {
		file, err := os.Create(filepath.Join(w.dir, "object"))
		if err != nil {
			return err
		}
		w.file, w.w, w.extracts = file, compaction.NewWriter(file, w.c.Program, &parquet.Zstd), extract.NewWriter(w.run.Objects)
	}
	if err := w.w.WriteGroup(rows); err != nil {
		return err
	}
	w.extracts.Add(rows)
	for _, r := range rows {
		if w.run.Parser < 0 || r.ParserVersion < w.run.Parser {
			w.run.Parser = r.ParserVersion
		}
	}
	group := compaction.NewRowGroup(rows)
	group.Number, group.Group = w.run.Groups, len(w.groups)
	w.groups = append(w.groups, group)
	w.run.Groups++
	w.run.Rows += int64(len(rows))
	if len(w.groups) < w.c.ObjectParts && w.extracts.Size() < mostExtracts {
		return nil
	}
	return w.finishObject()
}

// finishObject stores the object, then its part of the directory.
func (w *runWriter) finishObject() error {
	if w.file == nil {
		return nil
	}
	layout, err := w.w.Close()
	if err != nil {
		return err
	}
	key := compaction.Key(w.month, w.run.ID, w.run.Objects)
	if _, err := w.file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	if err := w.c.Derived.Put(w.ctx, key, w.file); err != nil {
		return fmt.Errorf("storing %s: %w", key, err)
	}
	footers, err := layout.OwnFooters(w.file)
	if err != nil {
		return err
	}
	for i, at := range layout.Groups {
		g := &w.groups[i]
		g.Own = footers[i]
		g.Object, g.Offset, g.Length, g.SHA256 = key, at.Offset, at.Length, at.SHA256
		g.Size, g.Footer, g.FooterSHA256 = layout.Size, layout.Footer, layout.FooterSHA256
	}
	if err := w.c.Compactions.PutRowGroups(w.ctx, w.run.ID, w.groups...); err != nil {
		return err
	}
	if err := w.finishExtracts(); err != nil {
		return err
	}
	w.run.Objects++
	w.run.Bytes += layout.Size
	w.groups = w.groups[:0]
	return w.abandon()
}

// finishExtracts stores the extracts of the object and, if it is full, their directory.
func (w *runWriter) finishExtracts() error {
	object, blocks := w.extracts.Finish()
	key := extract.Key(w.month, w.run.ID, w.run.Objects)
	if err := w.c.Derived.Put(w.ctx, key, bytes.NewReader(object)); err != nil {
		return fmt.Errorf("storing %s: %w", key, err)
	}
	w.run.Bytes += int64(len(object))
	if len(w.blocks)+len(blocks) > extract.DirectoryBlocks {
		if err := w.finishDirectory(); err != nil {
			return err
		}
	}
	w.blocks = append(w.blocks, blocks...)
	return nil
}

// finishDirectory stores the directory of the extracts that no other one has.
func (w *runWriter) finishDirectory() error {
	if len(w.blocks) == 0 {
		return nil
	}
	data, directory := extract.EncodeDirectory(w.blocks)
	key := extract.DirectoryKey(w.month, w.run.ID, len(w.run.Extracts))
	if err := w.c.Derived.Put(w.ctx, key, bytes.NewReader(data)); err != nil {
		return fmt.Errorf("storing %s: %w", key, err)
	}
	w.run.Extracts = append(w.run.Extracts, directory)
	w.run.Bytes += int64(len(data))
	w.blocks = w.blocks[:0]
	return nil
}

// abandon closes the file of the object.
func (w *runWriter) abandon() error {
	if w.file == nil {
		return nil
	}
	err := w.file.Close()
	w.file, w.w = nil, nil
	return err
}
