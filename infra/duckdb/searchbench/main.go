// Searchbench puts the questions of infra/bench/bench_search.sh to DuckDB, over the Parquet
// objects of a compaction, and writes the texts of all messages, a line each, for
// zstd and grep.
//
//	searchbench <glob of the objects> <file for the texts> <questions.jsonl
package main

import (
	"bufio"
	"database/sql"
	"encoding/json"
	"fmt"
	"os"
	"time"

	_ "github.com/duckdb/duckdb-go/v2"
)

type question struct {
	Question, Words, Person string
}

func main() {
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "searchbench:", err)
		os.Exit(1)
	}
}

func run(glob, texts string) error {
	db, err := sql.Open("duckdb", "")
	if err != nil {
		return err
	}
	defer db.Close()
	if _, err := db.Exec("SET threads = 2"); err != nil {
		return err
	}
	from := fmt.Sprintf("read_parquet('%s')", glob)
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		var q question
		if err := json.Unmarshal(lines.Bytes(), &q); err != nil {
			return err
		}
		best, hits := time.Duration(0), 0
		for try := range 3 {
			began := time.Now()
			if hits, err = ask(db, from, q); err != nil {
				return err
			}
			if took := time.Since(began); try == 0 || took < best {
				best = took
			}
		}
		fmt.Printf(`{"question":%q,"hits":%d,"ms":%.1f}`+"\n", q.Question, hits, best.Seconds()*1000)
	}
	if _, err := db.Exec(fmt.Sprintf("COPY (SELECT text FROM %s) TO '%s' (FORMAT csv, HEADER false)", from, texts)); err != nil {
		return err
	}
	return lines.Err()
}

// ask counts the hits of a first page. The words have no case, so that DuckDB need
// not fold the texts.
func ask(db *sql.DB, from string, q question) (hits int, err error) {
	where, args := "contains(text, ?)", []any{q.Words}
	if q.Person != "" {
		where, args = where+" AND (from_id = ? OR list_contains(to_ids, ?))", append(args, q.Person, q.Person)
	}
	rows, err := db.Query("SELECT seq, msgtime, conversation, text FROM "+from+" WHERE "+where+" ORDER BY msgtime DESC, seq DESC LIMIT 20", args...)
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	for rows.Next() {
		hits++
	}
	return hits, rows.Err()
}
