package compact

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/parquet-go/parquet-go"

	"wecom-archive/shared/compaction"
)

// sorter sorts more rows than fit into memory: full buffers are sorted and written
// to disk, and merged at the end.
type sorter struct {
	dir     string
	limits  Limits
	program string

	buffer []compaction.Row
	size   int64 // of buffer, bytes
	total  int64 // of all rows, bytes
	rows   int64
	chunks []chunk
}

// chunk is a sorted file.
type chunk struct {
	file   *os.File
	layout compaction.Layout
}

func newSorter(dir string, limits Limits, program string) *sorter {
	return &sorter{dir: dir, limits: limits, program: program}
}

// rowBytes is about the memory that a row takes.
func rowBytes(r compaction.Row) int64 {
	const fixed = 700
	n := fixed + len(r.Raw) + len(r.Text)
	for _, id := range r.ToIDs {
		n += len(id) + 16
	}
	return int64(n + len(r.Media)*200)
}

func (s *sorter) add(r compaction.Row) error {
	n := rowBytes(r)
	s.buffer = append(s.buffer, r)
	s.size += n
	s.total += n
	s.rows++
	if s.size < s.limits.SortBytes {
		return nil
	}
	return s.spill()
}

func (s *sorter) spill() (err error) {
	slices.SortFunc(s.buffer, compaction.Row.Compare)
	file, err := os.Create(filepath.Join(s.dir, fmt.Sprintf("chunk-%d", len(s.chunks))))
	if err != nil {
		return err
	}
	c := chunk{file: file}
	s.chunks = append(s.chunks, c)
	out := bufio.NewWriterSize(file, 1<<20)
	w := compaction.NewWriter(out, s.program, &parquet.Snappy)
	// One of each chunk is in memory while they are merged, and their footer, which is
	// long if they are small.
	groups := grouper{rows: s.limits.GroupRows, bytes: s.limits.GroupBytes / 4, write: w.WriteGroup}
	for _, r := range s.buffer {
		if err := groups.add(r); err != nil {
			return err
		}
	}
	if err := groups.flush(); err != nil {
		return err
	}
	if c.layout, err = w.Close(); err != nil {
		return err
	}
	s.chunks[len(s.chunks)-1] = c
	clear(s.buffer)
	s.buffer, s.size = s.buffer[:0], 0
	return out.Flush()
}

// sources are the sorted parts; the buffer is one of them.
func (s *sorter) sources() []source {
	slices.SortFunc(s.buffer, compaction.Row.Compare)
	sources := []source{&listSource{s.buffer}}
	for _, c := range s.chunks {
		sources = append(sources, &chunkSource{chunk: c})
	}
	return sources
}

func (s *sorter) close() {
	for _, c := range s.chunks {
		c.file.Close()
	}
}

// grouper cuts sorted rows into row groups. A group that is three quarters full
// ends with its conversation, so that a small conversation lies in one.
type grouper struct {
	rows  int
	bytes int64
	write func([]compaction.Row) error

	group []compaction.Row
	size  int64
}

func (g *grouper) add(r compaction.Row) error {
	if n := len(g.group); n > 0 {
		full := n >= max(g.rows, 1) || g.size >= g.bytes
		nearly := n*4 >= g.rows*3 || g.size*4 >= g.bytes*3
		if full || nearly && g.group[n-1].Conversation != r.Conversation {
			if err := g.flush(); err != nil {
				return err
			}
		}
	}
	g.group = append(g.group, r)
	g.size += rowBytes(r)
	return nil
}

func (g *grouper) flush() error {
	if len(g.group) == 0 {
		return nil
	}
	err := g.write(g.group)
	clear(g.group)
	g.group, g.size = g.group[:0], 0
	return err
}
