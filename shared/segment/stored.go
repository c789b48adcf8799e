package segment

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/parquet-go/parquet-go"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/store"
)

// Stored is a segment of which only some rows are read: unpacking all takes
// longer than everything else that one message needs.
type Stored struct {
	Meta Meta

	file *parquet.File
	name string // for errors
}

// Fetch reads the bytes of a segment and verifies them. Its errors are those of
// Read.
func Fetch(ctx context.Context, objects store.ObjectReader, key string) (*Stored, error) {
	stored, err := store.ReadObject(ctx, objects, key)
	if err != nil {
		return nil, err
	}
	s, err := open(stored, true)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", key, err)
	}
	s.name = key
	return s, nil
}

// open verifies a segment; indexed: the places of its pages are read, too.
// ErrDamaged, ErrNewFormat.
func open(stored []byte, indexed bool) (s *Stored, err error) {
	defer mend(&err)
	if err := archive.CheckSeal(stored, sealPrefix); err != nil {
		return nil, err
	}
	file, err := parquet.OpenFile(bytes.NewReader(stored), int64(len(stored)), parquet.SkipPageIndex(!indexed), parquet.SkipBloomFilters(true))
	if err != nil {
		return nil, err
	}
	meta, err := readMeta(file)
	return &Stored{Meta: meta, file: file}, err
}

// mend says what was read: every error but ErrNewFormat means damage. The Parquet
// library panics on some damaged files.
func mend(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("the Parquet library gave up: %v", p)
	}
	switch {
	case *err == nil:
	case errors.Is(*err, archive.ErrNewFormat):
		*err = fmt.Errorf("segment: %w", *err)
	default:
		*err = fmt.Errorf("segment: %w: %.300s", store.ErrDamaged, (*err).Error()) // the library's grow with the damage
	}
}

// Len is how many rows there are.
func (s *Stored) Len() int { return int(s.file.NumRows()) }

// Seqs calls do with the seq of each row that has one, in the order of rows.
func (s *Stored) Seqs(do func(row int, seq int64)) (err error) {
	defer mend(&err)
	first := 0
	for _, group := range s.file.RowGroups() {
		rows := int(group.NumRows())
		if err := EachValue(group, rows, func(i int, v parquet.Value) { do(first+i, v.Int64()) }, "seq"); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		first += rows
	}
	return nil
}

// Rows reads those from i on and before j.
func (s *Stored) Rows(i, j int) (rows []archive.Row, err error) {
	defer mend(&err)
	if i < 0 || i > j || j > s.Len() {
		return nil, fmt.Errorf("%s: there are %d rows, not %d to %d", s.name, s.Len(), i, j)
	}
	if i == j {
		return nil, nil
	}
	if rows, err = readRows(s.file, int64(i), int64(j)); err == nil {
		err = checkRows(rows)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.name, err)
	}
	return rows, nil
}

func readRows(file *parquet.File, from, to int64) ([]archive.Row, error) {
	reader := parquet.NewGenericReader[Columns](file)
	defer reader.Close()
	if from > 0 {
		if err := reader.SeekToRow(from); err != nil {
			return nil, err
		}
	}
	var rows []archive.Row
	buf := make([]Columns, min(to-from, 1000))
	for {
		left := to - from - int64(len(rows))
		n, err := reader.Read(buf[:min(left, int64(len(buf)))])
		for _, p := range buf[:n] {
			rows = append(rows, p.Row())
		}
		switch {
		case int64(len(rows)) == to-from && (err == nil || errors.Is(err, io.EOF)):
			return rows, nil
		case err != nil || n == 0:
			return nil, fmt.Errorf("row %d of %d: %w", from+int64(len(rows)), file.NumRows(), cmp.Or(err, io.ErrNoProgress))
		}
	}
}
