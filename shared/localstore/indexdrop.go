package localstore

import (
	"context"
	"slices"

	"wecom-archive/shared/store"
)

var _ store.Dropper = (*Index)(nil)

// partitionsSQL steps from partition to partition; the table is ordered by them.
const partitionsSQL = `SELECT partition FROM items WHERE partition > ? ORDER BY partition LIMIT 1000`

// Drop implements store.Dropper. Partitions go one by one, each whole.
func (x *Index) Drop(ctx context.Context, keep ...string) error {
	if err := x.drop(ctx, keep); err != nil {
		return failed(ctx, "dropping the index", err)
	}
	return nil
}

func (x *Index) drop(ctx context.Context, keep []string) error {
	last := []byte{}
	for {
		found, err := x.partitionsAfter(ctx, last)
		if err != nil || len(found) == 0 {
			return err
		}
		for _, name := range slices.CompactFunc(found, slices.Equal) {
			if last = name; slices.Contains(keep, string(name)) {
				continue
			}
			if _, err := x.writer.ExecContext(ctx, `DELETE FROM items WHERE partition = ?`, name); err != nil {
				return err
			}
		}
	}
}

// partitionsAfter lists some partitions, with repetitions.
func (x *Index) partitionsAfter(ctx context.Context, last []byte) (found [][]byte, err error) {
	rows, err := x.writer.QueryContext(ctx, partitionsSQL, last)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var name []byte
		if err := rows.Scan(&name); err != nil {
			return nil, err
		}
		found = append(found, name)
	}
	return found, rows.Err()
}
