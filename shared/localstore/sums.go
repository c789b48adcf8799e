package localstore

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"sync"
	"time"
)

// sums is what is known of the objects in a folder apart from their bytes, in one
// SQLite file: the SHA-256 of each put, which is on the disk before the object has
// its name. It is safe for concurrent use, also by several processes.
//
// A key has several puts while some race, and where a process ended between the
// record and the name: then any of them may be what lies there.
type sums struct {
	writer, reader *sql.DB

	find, insert, place, forget *sql.Stmt

	mu     sync.Mutex
	placed []placed // named and durable, not yet written down as such
}

// sum is a SHA-256.
type sum = [sha256.Size]byte

// recorded is a put that is written down.
type recorded struct {
	id       int64 // of the put
	sum      sum
	size     int64
	modified time.Time
	placed   bool // it surely had its name once: if no file has it now, somebody removed it
}

type placed struct {
	bucket bucketID
	key    string
	id     int64
}

// bucketID is how a bucket is called in the table.
type bucketID int

const (
	archiveID bucketID = 1
	derivedID bucketID = 2
)

const sumsSchema = `
CREATE TABLE IF NOT EXISTS puts (
	bucket   INTEGER NOT NULL,
	key      BLOB NOT NULL,
	id       INTEGER NOT NULL,
	sum      BLOB NOT NULL,
	size     INTEGER NOT NULL,
	modified INTEGER NOT NULL,
	placed   INTEGER NOT NULL,
	PRIMARY KEY (bucket, key, id)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS laid (
	bucket   INTEGER NOT NULL,
	key      BLOB NOT NULL,
	version  TEXT NOT NULL,
	size     INTEGER NOT NULL,
	modified INTEGER NOT NULL,
	marker   INTEGER NOT NULL,
	PRIMARY KEY (bucket, key, version)
) STRICT, WITHOUT ROWID`

const (
	findSumSQL   = `SELECT id, sum, size, modified, placed FROM puts WHERE bucket = ? AND key = ?`
	insertSumSQL = `INSERT INTO puts (bucket, key, id, sum, size, modified, placed) VALUES (?, ?, ?, ?, ?, ?, ?)`
	placeSumSQL  = `UPDATE puts SET placed = 1 WHERE bucket = ? AND key = ? AND id = ?`
	forgetSumSQL = `DELETE FROM puts WHERE bucket = ? AND key = ? AND id <> ? AND placed = 1`
	// sumsBatch is how many keys a listing has at a time.
	sumsBatch = 500
)

// openSums opens the file path, and creates it if there is none.
func openSums(ctx context.Context, path string) (*sums, error) {
	s := &sums{}
	if err := s.open(ctx, path); err != nil {
		return nil, errors.Join(fmt.Errorf("opening the sums %s: %w", path, err), s.close())
	}
	return s, nil
}

func (s *sums) open(ctx context.Context, path string) (err error) {
	if err := makePrivate(path); err != nil {
		return err
	}
	// synchronous=FULL: what is committed survives a power loss.
	dsn := "file:" + (&url.URL{Path: path}).EscapedPath() +
		"?_txlock=immediate&_pragma=busy_timeout(30000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)"
	if s.writer, err = sql.Open("sqlite", dsn); err != nil {
		return err
	}
	s.writer.SetMaxOpenConns(1)
	if _, err = s.writer.ExecContext(ctx, sumsSchema); err != nil {
		return err
	}
	if s.reader, err = sql.Open("sqlite", dsn+"&_pragma=query_only(1)"); err != nil {
		return err
	}
	s.reader.SetMaxOpenConns(readers)
	s.reader.SetMaxIdleConns(readers)
	for stmt, text := range map[**sql.Stmt]string{&s.insert: insertSumSQL, &s.place: placeSumSQL, &s.forget: forgetSumSQL} {
		if *stmt, err = s.writer.PrepareContext(ctx, text); err != nil {
			return err
		}
	}
	s.find, err = s.reader.PrepareContext(ctx, findSumSQL)
	return err
}

func (s *sums) close() error {
	var errs []error
	if s.writer != nil && s.insert != nil {
		errs = append(errs, s.settle())
	}
	for _, db := range []*sql.DB{s.reader, s.writer} { // the writer last: it tidies up the WAL
		if db != nil {
			errs = append(errs, db.Close())
		}
	}
	return errors.Join(errs...)
}

// write runs do in a transaction, and writes down what was placed meanwhile: what is
// known of one put waits for the record of the next one, so that each costs one
// commit.
//
// It goes to its end whatever becomes of its caller.
func (s *sums) write(do func(tx *sql.Tx) error) (err error) {
	s.mu.Lock()
	waiting := s.placed
	s.placed = nil
	s.mu.Unlock()
	defer func() {
		if err != nil {
			s.mu.Lock()
			s.placed = append(s.placed, waiting...)
			s.mu.Unlock()
		}
	}()
	tx, err := s.writer.BeginTx(context.Background(), nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() // no effect after Commit
	place := tx.Stmt(s.place)
	for _, p := range waiting {
		if _, err := place.Exec(p.bucket, []byte(p.key), p.id); err != nil {
			return err
		}
	}
	if err := do(tx); err != nil {
		return err
	}
	return tx.Commit()
}

// record writes a put down; it is on the disk when record returns.
func (s *sums) record(bucket bucketID, key string, r recorded) error {
	return s.write(func(tx *sql.Tx) error { return s.add(tx, bucket, key, r) })
}

func (s *sums) add(tx *sql.Tx, bucket bucketID, key string, r recorded) error {
	_, err := tx.Stmt(s.insert).Exec(bucket, []byte(key), r.id, r.sum[:], r.size, r.modified.UnixNano(), r.placed)
	return err
}

// settled notes that a put has its name, durably.
func (s *sums) settled(bucket bucketID, key string, id int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.placed = append(s.placed, placed{bucket, key, id})
}

// settle writes down what was placed.
func (s *sums) settle() error {
	s.mu.Lock()
	waiting := len(s.placed)
	s.mu.Unlock()
	if waiting == 0 {
		return nil
	}
	return s.write(func(*sql.Tx) error { return nil })
}

// replace runs rename, which puts the bytes of a recorded put in the place of those
// before, and forgets these. No other process does so at the same time.
func (s *sums) replace(bucket bucketID, key string, id int64, rename func() error) error {
	return s.write(func(tx *sql.Tx) error {
		// Before anything is written the transaction has the lock (_txlock=immediate).
		if err := rename(); err != nil {
			return err
		}
		if _, err := tx.Stmt(s.place).Exec(bucket, []byte(key), id); err != nil {
			return err
		}
		_, err := tx.Stmt(s.forget).Exec(bucket, []byte(key), id)
		return err
	})
}

// remove forgets the puts of keys whose files are gone.
func (s *sums) remove(bucket bucketID, keys ...string) error {
	return s.write(func(tx *sql.Tx) error {
		for _, key := range keys {
			if _, err := tx.Stmt(s.forget).Exec(bucket, []byte(key), 0); err != nil {
				return err
			}
		}
		return nil
	})
}

// of gives the puts of a key.
func (s *sums) of(ctx context.Context, bucket bucketID, key string) ([]recorded, error) {
	rows, err := s.find.QueryContext(ctx, bucket, []byte(key))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []recorded
	for rows.Next() {
		var r recorded
		if err := r.scan(rows); err != nil {
			return nil, err
		}
		all = append(all, r)
	}
	return all, rows.Err()
}

func (r *recorded) scan(rows *sql.Rows, before ...any) error {
	var bytes []byte
	var at int64
	if err := rows.Scan(append(before, &r.id, &bytes, &r.size, &at, &r.placed)...); err != nil {
		return err
	}
	if len(bytes) != len(r.sum) {
		return fmt.Errorf("a sum of %d bytes", len(bytes))
	}
	copy(r.sum[:], bytes)
	r.modified = time.Unix(0, at).UTC()
	return nil
}
