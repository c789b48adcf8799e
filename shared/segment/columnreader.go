package segment

import (
	"cmp"
	"errors"
	"fmt"
	"io"

	"github.com/parquet-go/parquet-go"
)

// columnReader reads single columns of a row group.
type columnReader struct {
	group parquet.RowGroup
	rows  int
}

// EachValue calls do for every value of a column of a row group, which has so many rows,
// that is not null, with its row. The value is good for the call.
func EachValue(group parquet.RowGroup, rows int, do func(row int, v parquet.Value), path ...string) error {
	c := columnReader{group, rows}
	leaf, ok := c.group.Schema().Lookup(path...)
	if !ok {
		return fmt.Errorf("has no column %s", path)
	}
	pages := c.group.ColumnChunks()[leaf.ColumnIndex].Pages()
	defer pages.Close()
	row := -1
	for {
		page, err := pages.ReadPage()
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil {
			row, err = c.values(page, row, do)
			parquet.Release(page)
		}
		if err != nil {
			return fmt.Errorf("column %s: %w", path, err)
		}
	}
	if row != c.rows-1 {
		return fmt.Errorf("column %s: %d rows of %d", path, row+1, c.rows)
	}
	return nil
}

func (c columnReader) values(page parquet.Page, row int, do func(row int, v parquet.Value)) (last int, err error) {
	values := page.Values()
	var buf [128]parquet.Value
	for {
		n, err := values.ReadValues(buf[:])
		for _, v := range buf[:n] {
			if v.RepetitionLevel() == 0 {
				row++
			}
			if row < 0 || row >= c.rows {
				return row, fmt.Errorf("row %d", row)
			}
			if !v.IsNull() {
				do(row, v)
			}
		}
		if errors.Is(err, io.EOF) {
			return row, nil
		}
		if err != nil || n == 0 {
			return row, cmp.Or(err, io.ErrNoProgress)
		}
	}
}
