package localstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"

	"modernc.org/sqlite" // the pure Go driver "sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"wecom-archive/shared/store"
)

// Index is an store.Index in one SQLite file. It is safe for concurrent use,
// also by several processes.
//
// A write that returned survives a crash of the process. After a power loss the
// last ones may be missing, never the middle (WAL with synchronous=NORMAL): the
// index is derived, and a cursor that went back only makes the puller ask again
// for pages that it finds stored. It cannot run ahead of the objects, since
// these are on the disk before the index hears of them.
type Index struct {
	// One connection writes, so that writers wait here in turn and not in
	// SQLite's busy loop; several read beside it, each from the last commit.
	writer, reader *sql.DB

	get, query, queryDown         *sql.Stmt
	put, insert, replace, delete_ *sql.Stmt
}

var _ store.Index = (*Index)(nil)

// Keys are blobs: compared byte by byte, and NUL is a character like others.
const schema = `
CREATE TABLE IF NOT EXISTS items (
	partition BLOB NOT NULL,
	sort      BLOB NOT NULL,
	revision  INTEGER NOT NULL,
	value     BLOB NOT NULL,
	PRIMARY KEY (partition, sort)
) STRICT, WITHOUT ROWID`

const (
	readers = 4

	getSQL    = `SELECT sort, revision, value FROM items WHERE partition = ? AND sort = ?`
	querySQL  = `SELECT sort, revision, value FROM items WHERE partition = ?1 AND sort >= ?2 AND (?3 IS NULL OR sort < ?3) ORDER BY sort ASC LIMIT ?4`
	downSQL   = `SELECT sort, revision, value FROM items WHERE partition = ?1 AND sort >= ?2 AND (?3 IS NULL OR sort < ?3) ORDER BY sort DESC LIMIT ?4`
	putSQL    = `INSERT INTO items (partition, sort, revision, value) VALUES (?, ?, 1, ?) ON CONFLICT DO UPDATE SET revision = revision + 1, value = excluded.value`
	insertSQL = `INSERT INTO items (partition, sort, revision, value) VALUES (?, ?, 1, ?) ON CONFLICT DO NOTHING`
	changeSQL = `UPDATE items SET revision = revision + 1, value = ? WHERE partition = ? AND sort = ? AND revision = ?`
	deleteSQL = `DELETE FROM items WHERE partition = ? AND sort = ?`
)

// OpenIndex opens the index in the file path, and creates it if there is none.
// Nobody but its owner can read the file, nor the two that SQLite puts beside it
// (path-wal and path-shm). Close it after use. A file that is no sound database
// is reported as store.ErrIndexDamaged, here or by the call that comes across
// the damage.
func OpenIndex(ctx context.Context, path string) (*Index, error) {
	x := &Index{}
	if err := x.open(ctx, path); err != nil {
		return nil, errors.Join(failed(ctx, "opening the index "+path, err), x.Close())
	}
	return x, nil
}

func (x *Index) open(ctx context.Context, path string) (err error) {
	if err := makePrivate(path); err != nil {
		return err
	}
	// _txlock=immediate: a transaction that begins as a reader and then writes
	// fails with SQLITE_BUSY when another process wrote in between.
	dsn := "file:" + (&url.URL{Path: path}).EscapedPath() +
		"?_txlock=immediate&_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=synchronous(NORMAL)"
	if x.writer, err = sql.Open("sqlite", dsn); err != nil {
		return err
	}
	x.writer.SetMaxOpenConns(1)
	if _, err = x.writer.ExecContext(ctx, schema); err != nil {
		return err
	}
	if x.reader, err = sql.Open("sqlite", dsn+"&_pragma=query_only(1)"); err != nil {
		return err
	}
	x.reader.SetMaxOpenConns(readers)
	x.reader.SetMaxIdleConns(readers)
	for _, s := range []struct {
		db   *sql.DB
		sql  string
		stmt **sql.Stmt
	}{
		{x.reader, getSQL, &x.get},
		{x.reader, querySQL, &x.query},
		{x.reader, downSQL, &x.queryDown},
		{x.writer, putSQL, &x.put},
		{x.writer, insertSQL, &x.insert},
		{x.writer, changeSQL, &x.replace},
		{x.writer, deleteSQL, &x.delete_},
	} {
		if *s.stmt, err = s.db.PrepareContext(ctx, s.sql); err != nil {
			return err
		}
	}
	return nil
}

// Close closes the file. Calls that are under way fail.
func (x *Index) Close() error {
	var errs []error
	for _, db := range []*sql.DB{x.reader, x.writer} { // the writer last: it tidies up the WAL
		if db != nil {
			errs = append(errs, db.Close()) // closes its statements too
		}
	}
	return errors.Join(errs...)
}

// Get implements store.Index.
func (x *Index) Get(ctx context.Context, partition, sort string) (store.Item, error) {
	item := store.Item{Partition: partition}
	err := store.CheckIndexKey(partition, sort)
	if err == nil {
		err = scanItem(x.get.QueryRowContext(ctx, []byte(partition), []byte(sort)), &item)
	}
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return store.Item{}, fmt.Errorf("getting index item %q of %q: %w", sort, partition, store.ErrNotFound)
	case err != nil:
		return store.Item{}, failed(ctx, "getting an index item", err)
	}
	return item, nil
}

// GetMany implements store.Index.
func (x *Index) GetMany(ctx context.Context, items ...store.Item) ([]store.Item, error) {
	err := errors.Join(ctx.Err(), store.CheckItems(items...))
	if err != nil {
		return nil, failed(ctx, "getting index items", err)
	}
	var found []store.Item
	for _, item := range items {
		stored := store.Item{Partition: item.Partition}
		err := scanItem(x.get.QueryRowContext(ctx, []byte(item.Partition), []byte(item.Sort)), &stored)
		if errors.Is(err, sql.ErrNoRows) {
			continue
		}
		if err != nil {
			return nil, failed(ctx, "getting index items", err)
		}
		found = append(found, stored)
	}
	return found, nil
}

func scanItem(row interface{ Scan(...any) error }, item *store.Item) error {
	var sort []byte
	if err := row.Scan(&sort, &item.Revision, &item.Value); err != nil {
		return err
	}
	item.Sort = string(sort)
	return nil
}

// Query implements store.Index.
func (x *Index) Query(ctx context.Context, q store.IndexQuery) ([]store.Item, error) {
	items, err := x.runQuery(ctx, q)
	if err != nil {
		return nil, failed(ctx, "querying the index", err)
	}
	return items, nil
}

func (x *Index) runQuery(ctx context.Context, q store.IndexQuery) ([]store.Item, error) {
	if q.Limit < 1 {
		return nil, fmt.Errorf("limit %d is not at least 1", q.Limit)
	}
	if err := store.CheckIndexKey(q.Partition); err != nil {
		return nil, err
	}
	var to []byte // NULL
	if q.To != "" {
		to = []byte(q.To)
	}
	stmt := x.query
	if q.Descending {
		stmt = x.queryDown
	}
	rows, err := stmt.QueryContext(ctx, []byte(q.Partition), append([]byte{}, q.From...), to, q.Limit)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var items []store.Item
	for rows.Next() {
		item := store.Item{Partition: q.Partition}
		if err := scanItem(rows, &item); err != nil {
			return nil, err
		}
		items = append(items, item)
	}
	return items, rows.Err()
}

// Put implements store.Index. Here it is atomic.
func (x *Index) Put(ctx context.Context, items ...store.Item) error {
	err := store.CheckItems(items...)
	if err == nil {
		err = x.write(ctx, x.put, items, func(item store.Item) []any {
			return []any{[]byte(item.Partition), []byte(item.Sort), append([]byte{}, item.Value...)}
		})
	}
	if err != nil {
		return failed(ctx, "putting index items", err)
	}
	return nil
}

// Delete implements store.Index. Here it is atomic.
func (x *Index) Delete(ctx context.Context, items ...store.Item) error {
	for _, item := range items {
		if err := store.CheckIndexKey(item.Partition, item.Sort); err != nil {
			return failed(ctx, "deleting index items", err)
		}
	}
	err := x.write(ctx, x.delete_, items, func(item store.Item) []any {
		return []any{[]byte(item.Partition), []byte(item.Sort)}
	})
	if err != nil {
		return failed(ctx, "deleting index items", err)
	}
	return nil
}

// write runs stmt for each item, in one transaction.
func (x *Index) write(ctx context.Context, stmt *sql.Stmt, items []store.Item, args func(store.Item) []any) error {
	if len(items) == 0 {
		return ctx.Err()
	}
	tx, err := x.writer.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() // no effect after Commit
	inTx := tx.StmtContext(ctx, stmt)
	for _, item := range items {
		if _, err := inTx.ExecContext(ctx, args(item)...); err != nil {
			return err
		}
	}
	return tx.Commit()
}

// PutIf implements store.Index.
func (x *Index) PutIf(ctx context.Context, item store.Item) error {
	err := store.CheckItems(item)
	var result sql.Result
	if err == nil {
		partition, sort, value := []byte(item.Partition), []byte(item.Sort), append([]byte{}, item.Value...)
		if item.Revision == 0 {
			result, err = x.insert.ExecContext(ctx, partition, sort, value)
		} else {
			result, err = x.replace.ExecContext(ctx, value, partition, sort, item.Revision)
		}
	}
	var written int64
	if err == nil {
		written, err = result.RowsAffected()
	}
	switch {
	case err != nil:
		return failed(ctx, "putting an index item", err)
	case written == 0:
		return fmt.Errorf("putting index item %q of %q at revision %d: %w", item.Sort, item.Partition, item.Revision, store.ErrConflict)
	}
	return nil
}

// failed wraps err, or the context's error if that is why SQLite was interrupted,
// and marks what SQLite says of a damaged file.
func failed(ctx context.Context, doing string, err error) error {
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	var refused *sqlite.Error
	if errors.As(err, &refused) {
		switch refused.Code() & 0xff { // the rest tells kinds of it apart
		case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
			return fmt.Errorf("%s: %w: %w", doing, store.ErrIndexDamaged, err)
		}
	}
	return fmt.Errorf("%s: %w", doing, err)
}

// makePrivate creates the file path if there is none, and takes it, and what
// SQLite left beside it, from everybody but the owner. New files beside it get
// its mode.
func makePrivate(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	for _, name := range []string{path, path + "-wal", path + "-shm"} {
		info, err := os.Stat(name)
		if errors.Is(err, fs.ErrNotExist) && name != path {
			continue
		}
		if err != nil {
			return err
		}
		if info.Mode().Perm()&0o077 != 0 {
			if err := os.Chmod(name, 0o600); err != nil {
				return err
			}
		}
	}
	return nil
}
