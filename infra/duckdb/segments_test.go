package duckdb

import (
	"context"
	"database/sql"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	_ "github.com/duckdb/duckdb-go/v2"
)

// TestSegmentsEqualTruth archives a corpus and made-up messages with the real
// program and compares every raw value with the truth file, in SQL.
func TestSegmentsEqualTruth(t *testing.T) {
	program := build(t)
	tests := map[string][]string{
		"made up": {"--messages", "6000", "--seed", "7"},
		"corpus":  {"--corpus", corpus(t)},
	}
	for name, flags := range tests {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			data, truth := filepath.Join(dir, "data"), filepath.Join(dir, "truth.jsonl")
			sum := archiveAll(t, program, append(flags, "--dir", data, "--truth", truth)...)
			if sum.Pulled == 0 || sum.Archived+sum.Quarantined != sum.Pulled {
				t.Fatalf("%+v: archived and quarantined are not all that was pulled", sum)
			}
			db := open(t, data, truth)
			for what, want := range map[string]int{
				"SELECT count(*) FROM truth":                              sum.Pulled,
				"SELECT count(*) FROM rows WHERE part = 0":                sum.Pulled,
				"SELECT count(*) FROM rows WHERE outcome = 'ok'":          sum.Archived,
				"SELECT count(*) FROM truth WHERE unreadable IS NOT NULL": sum.Quarantined,
				// Missing, doubled, altered, and quarantined without need.
				"SELECT count(*) FROM truth t WHERE unreadable IS NULL AND (SELECT count(*) FROM rows r WHERE r.seq = t.seq AND r.msgid = t.msgid AND r.outcome = 'ok') <> 1": 0,
				"SELECT count(*) FROM rows r JOIN truth t USING (seq) WHERE r.outcome = 'ok' AND r.raw <> t.raw":                                                              0,
				"SELECT count(*) FROM rows r LEFT JOIN truth t USING (seq) WHERE t.seq IS NULL":                                                                               0,
				"SELECT count(*) FROM rows r JOIN truth t USING (seq) WHERE r.outcome <> 'ok' AND t.unreadable IS NULL":                                                       0,
				// What stands beside raw.
				"SELECT count(*) FROM rows WHERE (outcome = 'ok') <> (raw IS NOT NULL)":                        0,
				"SELECT count(*) FROM rows WHERE outcome = 'ok' AND sha256(raw) <> raw_sha256":                 0,
				"SELECT count(*) FROM rows WHERE outcome = 'ok' AND (conversation IS NULL OR msgtime IS NULL)": 0,
			} {
				var got int
				if err := db.QueryRow(what).Scan(&got); err != nil {
					t.Fatalf("%s: %v", what, err)
				}
				if got != want {
					t.Errorf("%s: %d, want %d", what, got, want)
				}
			}
		})
	}
}

// open gives a database with the tables rows (of all segments) and truth.
func open(t *testing.T, data, truth string) *sql.DB {
	t.Helper()
	db, err := sql.Open("duckdb", "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	for _, statement := range []string{
		`CREATE TABLE rows AS SELECT *, CASE WHEN filename LIKE '%-r%.parquet' THEN 1 ELSE 0 END AS part
			FROM read_parquet('` + data + `/objects/messages/*/*.parquet', filename = true, union_by_name = true)`,
		`CREATE TABLE truth AS SELECT seq, msgid, from_base64(raw) AS raw, unreadable
			FROM read_json('` + truth + `', format = 'newline_delimited', columns = {seq: 'BIGINT', msgid: 'VARCHAR', raw: 'VARCHAR', unreadable: 'VARCHAR'})`,
	} {
		if _, err := db.Exec(statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	return db
}

type summary struct{ Pulled, Archived, Quarantined, Pages, Segments int }

func build(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "wecom-archive")
	run(t, exec.Command("go", "build", "-o", program, "./cmd/wecom-archive"))
	return program
}

func archiveAll(t *testing.T, program string, flags ...string) summary {
	t.Helper()
	out := run(t, exec.CommandContext(context.Background(), program, append([]string{"local", "--once", "--json"}, flags...)...))
	var s summary
	if err := json.Unmarshal(out, &s); err != nil {
		t.Fatalf("summary %q: %v", out, err)
	}
	return s
}

// run runs a command in the root of the main module.
func run(t *testing.T, cmd *exec.Cmd) []byte {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "GOWORK=off", "CGO_ENABLED=0")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %v", cmd.Args, err)
	}
	return out
}

func corpus(t *testing.T) string {
	t.Helper()
	path, err := filepath.Abs("../../shared/wecom/testdata/samples.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	return path
}
