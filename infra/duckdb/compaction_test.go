package duckdb

import (
	"database/sql"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestCompactionEqualsSegments compacts made-up messages and compares the objects
// with the segments that they were made of, in SQL.
func TestCompactionEqualsSegments(t *testing.T) {
	dir := t.TempDir()
	program, data := filepath.Join(dir, "compactload"), filepath.Join(dir, "data")
	run(t, exec.Command("go", "build", "-o", program, "./infra/bench/compactload"))
	run(t, exec.Command("mkdir", data))
	for _, step := range []string{"generate", "compact"} {
		run(t, exec.CommandContext(t.Context(), program, "--dir", data, "--messages", "12000", step))
	}
	db, err := sql.Open("duckdb", "")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, statement := range []string{
		`CREATE TABLE segments AS SELECT * FROM read_parquet('` + data + `/objects/messages/*/*.parquet', hive_partitioning = false)`,
		`CREATE TABLE compacted AS SELECT * FROM read_parquet('` + data + `/derived/compactions/*/*/*.parquet', filename = true, file_row_number = true, hive_partitioning = false)`,
	} {
		if _, err := db.Exec(statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	const same = `position, seq, msgid, publickey_ver, pulled_at, raw, raw_sha256, outcome, parser_version, action, conversation, from_id, to_ids, msgtime, time_source, msgtype, sender_kind, chat_kind, text, media`
	for what, want := range map[string]int{
		"SELECT count(*) FROM compacted": 12000,
		"SELECT count(*) FROM (SELECT " + same + " FROM segments EXCEPT ALL SELECT " + same + " FROM compacted)":                                                                                       0,
		"SELECT count(*) FROM (SELECT " + same + " FROM compacted EXCEPT ALL SELECT " + same + " FROM segments)":                                                                                       0,
		"SELECT count(*) FROM (SELECT (conversation, msgtime, seq) AS here, lag((conversation, msgtime, seq)) OVER (ORDER BY filename, file_row_number) AS before FROM compacted) WHERE here < before": 0,
		"SELECT count(*) FROM compacted WHERE page <> (seq - 1) // 1000 * 1000 OR part <> 0 OR segment_row <> (seq - 1) % 1000":                                                                        0,
	} {
		var got int
		if err := db.QueryRow(what).Scan(&got); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if got != want {
			t.Errorf("%s: %d, want %d", what, got, want)
		}
	}
}
