package duckdb

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// said is one message of the corpus that the auditors' questions are tried on.
type said struct {
	id, action, from string
	to               []string
	at               time.Time
	text, recalls    string
}

var china = time.FixedZone("UTC+8", 8*60*60)

// conversation is a corpus with what the questions turn on: days of China and not
// of UTC, letters of both widths and cases, rooms' lists, recalls with and without
// what they recall.
func conversation(day time.Time) (all []said) {
	at := func(days, hours, minutes int) time.Time {
		return day.AddDate(0, 0, days).Add(time.Duration(hours)*time.Hour + time.Duration(minutes)*time.Minute)
	}
	customer := "wmQx9ZDAAAexampleCust01"
	lines := []said{
		{from: "li.na", to: []string{customer}, at: at(-3, 23, 59), text: "合同明天发您"},
		{from: customer, to: []string{"li.na"}, at: at(-2, 0, 0), text: "Contract ＣＯＮＴＲＡＣＴ　１２３"},
		{from: "Wang.Wei", to: []string{"li.na", "zhao.min"}, at: at(-2, 7, 59), text: "contract 123"},
		{from: "wang.wei", to: []string{"li.na"}, at: at(-2, 8, 0), text: "别的"},
		{from: "li.na", to: []string{"zhao.min"}, at: at(-1, 23, 30), text: "合同"},
		{from: "zhao.min", to: []string{"wang.wei"}, at: at(0, 0, 0), text: "没有合约"},
		{action: "recall", from: "li.na", to: []string{"zhao.min"}, at: at(-1, 23, 31), recalls: "m5"},
		{action: "recall", from: "zhao.min", to: []string{"wang.wei"}, at: at(-2, 9, 0), recalls: "m999"},
	}
	for i, l := range lines {
		l.id = fmt.Sprintf("m%d", i+1)
		l.action = cmp.Or(l.action, "send")
		all = append(all, l)
	}
	return all
}

func (s said) line() map[string]any {
	l := map[string]any{"msgid": s.id, "action": s.action, "from": s.from, "tolist": s.to, "roomid": "", "msgtime": s.at.UnixMilli(), "msgtype": "text"}
	if s.recalls != "" {
		l["msgtype"], l["revoke"] = "revoke", map[string]any{"pre_msgid": s.recalls}
	} else {
		l["text"] = map[string]any{"content": s.text}
	}
	return l
}

// fold is what normalize of duckdb.sql and lower make of these texts.
func fold(s string) string {
	return strings.ToLower(strings.Map(func(r rune) rune {
		switch {
		case r >= '！' && r <= '～':
			return r - '！' + '!'
		case r == '　':
			return ' '
		}
		return r
	}, s))
}

// TestQuestionsOfAuditors puts the saved queries to an archive and compares the
// answers with what was said; once more with each segment doubled as a later part,
// which must change nothing.
func TestQuestionsOfAuditors(t *testing.T) {
	today := time.Now().In(china)
	day := time.Date(today.Year(), today.Month(), today.Day(), 0, 0, 0, 0, china)
	messages := conversation(day)
	dir := t.TempDir()
	var corpus []byte
	for _, m := range messages {
		line, err := json.Marshal(m.line())
		if err != nil {
			t.Fatal(err)
		}
		corpus = append(append(corpus, line...), '\n')
	}
	if err := os.WriteFile(filepath.Join(dir, "corpus.jsonl"), corpus, 0o600); err != nil {
		t.Fatal(err)
	}
	if sum := archiveAll(t, build(t), "--corpus", filepath.Join(dir, "corpus.jsonl"), "--dir", filepath.Join(dir, "data"), "--limit", "3"); sum.Archived != len(messages) {
		t.Fatalf("%+v", sum)
	}
	objects := filepath.Join(dir, "data", "objects")
	db := bare(t, objects)
	macros, views, _ := strings.Cut(asked(t, "duckdb"), "CREATE VIEW links")
	if views == "" {
		t.Fatal("duckdb.sql makes no view of links")
	}
	execute(t, db, macros) // nothing here has files, so there are no links
	check := func() {
		for first := -4; first <= 1; first++ {
			for _, last := range []int{first, 1} {
				from, to := day.AddDate(0, 0, first), day.AddDate(0, 0, last)
				within := func(m said) bool { return !m.at.Before(from) && m.at.Before(to.AddDate(0, 0, 1)) }
				period := []any{from.Format(time.DateOnly), to.Format(time.DateOnly)}
				for _, person := range []string{"li.na", "wang.wei", "wmQx9ZDAAAexampleCust01", "wmqx9zdaaaexamplecust01", "nobody"} {
					same(t, db, "messages_of_person", append(period, person), "msgid", messages, func(m said) bool {
						ids := append([]string{m.from}, m.to...)
						return within(m) && slices.ContainsFunc(ids, func(id string) bool { return id == person || person == "wang.wei" && id == "Wang.Wei" })
					})
				}
				for _, word := range []string{"合", "合同", "CONTRACT 123", "ｃｏｎｔｒａｃｔ", "没有这个"} {
					same(t, db, "keyword_in_period", append(period, word), "msgid", messages, func(m said) bool {
						return within(m) && strings.Contains(fold(m.text), fold(word))
					})
				}
				same(t, db, "recalled_messages", period, "ref_msgid", recalledOf(messages, within), func(said) bool { return true })
				activity(t, db, period, messages, within)
			}
		}
	}
	check()
	double(t, objects)
	check()
}

// recalledOf are the messages that recalls within a period name; the id is all
// that is known of some.
func recalledOf(messages []said, within func(said) bool) (all []said) {
	for _, m := range messages {
		if m.action == "recall" && within(m) {
			all = append(all, said{id: m.recalls})
		}
	}
	return all
}

// same compares one column of an answer with the ids of the messages that it must
// have, each once.
func same(t *testing.T, db *sql.DB, query string, args []any, column string, messages []said, want func(said) bool) {
	t.Helper()
	var got, wanted []string
	for _, row := range answer(t, db, query, args) {
		got = append(got, fmt.Sprint(row[column]))
		// What stands beside a recall is the very message.
		if id, text := row["ref_msgid"], row["text"]; query == "recalled_messages" && (id == "m5") != (text == "合同") {
			t.Errorf("recall of %v shows %v", id, text)
		}
	}
	for _, m := range messages {
		if want(m) {
			wanted = append(wanted, m.id)
		}
	}
	slices.Sort(got)
	slices.Sort(wanted)
	if !slices.Equal(got, wanted) {
		t.Errorf("%s%v: %v, want %v", query, args, got, wanted)
	}
}

// activity compares the counts of each day.
func activity(t *testing.T, db *sql.DB, period []any, messages []said, within func(said) bool) {
	t.Helper()
	got, want := map[string]string{}, map[string]string{}
	for _, row := range answer(t, db, "activity_by_day", period) {
		got[row["day_in_china"].(time.Time).Format(time.DateOnly)] = fmt.Sprint(row["messages"], row["senders"], row["recalls"], row["with_outsiders"])
	}
	for _, m := range messages {
		day := m.at.In(china).Format(time.DateOnly)
		if !within(m) || want[day] != "" {
			continue
		}
		count, recalls, outside, senders := 0, 0, 0, map[string]bool{}
		for _, o := range messages {
			if o.at.In(china).Format(time.DateOnly) != day {
				continue
			}
			count++
			senders[strings.ToLower(o.from)] = true
			if o.action == "recall" {
				recalls++
			}
			if strings.HasPrefix(o.from+o.to[0], "wm") || strings.HasPrefix(o.to[0], "wm") {
				outside++
			}
		}
		want[day] = fmt.Sprint(count, len(senders), recalls, outside)
	}
	if !maps.Equal(got, want) {
		t.Errorf("activity_by_day%v: %v, want %v", period, got, want)
	}
}

// TestMediaLost compares the query with links and references read one by one.
func TestMediaLost(t *testing.T) {
	dir := t.TempDir()
	archiveAll(t, build(t), "--messages", "3000", "--seed", "7", "--dir", dir)
	objects := filepath.Join(dir, "objects")
	db := bare(t, objects)
	execute(t, db, asked(t, "duckdb"))
	var first, last time.Time
	if err := db.QueryRow("SELECT min(msgtime), max(msgtime) FROM messages").Scan(&first, &last); err != nil {
		t.Fatal(err)
	}
	period := []any{first.In(china).Format(time.DateOnly), last.In(china).Format(time.DateOnly)}
	want := troubles(t, db, objects)
	states := map[string]int{}
	for _, state := range want {
		states[state]++
	}
	if states["lost"] == 0 || states["pending"] == 0 {
		t.Fatalf("the archive has lost nothing, or has nothing pending: %v", states)
	}
	for range 2 { // the second time with doubled parts
		got := map[string]string{}
		for _, row := range answer(t, db, "media_lost", period) {
			key := fmt.Sprint(row["msgid"], " ", row["path"])
			if got[key] != "" {
				t.Errorf("%s twice", key)
			}
			got[key] = fmt.Sprint(row["state"])
		}
		if !maps.Equal(got, want) {
			t.Errorf("%d rows, want %d", len(got), len(want))
		}
		double(t, objects)
	}
	// A later link counts.
	var one string
	for key, state := range want {
		if state == "lost" {
			one = key
			break
		}
	}
	redriven(t, objects, one)
	for _, row := range answer(t, db, "media_lost", period) {
		if fmt.Sprint(row["msgid"], " ", row["path"]) == one {
			t.Errorf("%s is still %v", one, row["state"])
		}
	}
}

// TestAuditPage runs the page's first block as it stands; .read is the shell's.
func TestAuditPage(t *testing.T) {
	page, err := os.ReadFile("../../docs/audit.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(page), "```sql\n")
	block, _, ok := strings.Cut(rest, "```")
	before, after, reads := strings.Cut(block, ".read infra/athena/duckdb.sql\n")
	if !ok || !reads {
		t.Fatal("docs/audit.md has no block that reads infra/athena/duckdb.sql")
	}
	dir := t.TempDir()
	archiveAll(t, build(t), "--messages", "2000", "--seed", "7", "--dir", filepath.Join(dir, "wecom-archive-data"))
	db := bare(t, "elsewhere")
	execute(t, db, strings.Replace(before, "'wecom", "'"+dir+"/wecom", 1)+asked(t, "duckdb"))
	var counts []int
	for query := range strings.SplitSeq(strings.TrimSpace(after), ";\n") {
		rows, err := db.Query(query)
		if err != nil {
			t.Fatalf("%s: %v", query, err)
		}
		n := 0
		for rows.Next() {
			n++
		}
		if err := cmp.Or(rows.Err(), rows.Close()); err != nil {
			t.Fatalf("%s: %v", query, err)
		}
		counts = append(counts, n)
	}
	if len(counts) != 2 || counts[0] < 1 || counts[1] < 1 {
		t.Errorf("the page's questions have %v rows", counts)
	}
}

type link struct {
	MsgID, Path, State string
	raw                map[string]any
}

// linksOf reads the links below a folder, with the file's whole document.
func linksOf(t *testing.T, objects string, each func(file string, document map[string]any, l link)) {
	t.Helper()
	files, err := filepath.Glob(objects + "/links/*/*.json")
	if err != nil || len(files) == 0 {
		t.Fatal(err, "no links")
	}
	for _, file := range files {
		doc, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var document map[string]any
		if err := json.Unmarshal(doc, &document); err != nil {
			t.Fatal(err)
		}
		for _, l := range document["links"].([]any) {
			l := l.(map[string]any)
			each(file, document, link{l["msgid"].(string), l["path"].(string), l["state"].(string), l})
		}
	}
}

// troubles are the references that are not stored, by message and path.
func troubles(t *testing.T, db *sql.DB, objects string) map[string]string {
	t.Helper()
	told := map[string]string{}
	linksOf(t, objects, func(_ string, _ map[string]any, l link) { told[l.MsgID+" "+l.Path] = l.State })
	rows, err := db.Query("SELECT msgid, unnest(media).path FROM messages WHERE outcome = 'ok'")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	bad := map[string]string{}
	for rows.Next() {
		var id, path string
		if err := rows.Scan(&id, &path); err != nil {
			t.Fatal(err)
		}
		if state := cmp.Or(told[id+" "+path], "pending"); state != "stored" {
			bad[id+" "+path] = state
		}
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return bad
}

// redriven adds an object with a later link, by which a lost file is stored.
func redriven(t *testing.T, objects, which string) {
	t.Helper()
	var file string
	var document map[string]any
	linksOf(t, objects, func(f string, d map[string]any, l link) {
		if l.MsgID+" "+l.Path == which {
			later := maps.Clone(l.raw)
			later["state"] = "stored"
			file, document = f, maps.Clone(d)
			document["number"], document["links"] = 999, []any{later}
		}
	})
	doc, err := json.Marshal(document)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file[:strings.LastIndex(file, "-")]+"-999.json", doc, 0o600); err != nil {
		t.Fatal(err)
	}
}

// double lays a copy beside each segment, as a part 12.
func double(t *testing.T, objects string) {
	t.Helper()
	segments, err := filepath.Glob(objects + "/messages/*/*[0-9].parquet")
	if err != nil || len(segments) == 0 {
		t.Fatal(err, "no segments")
	}
	for _, segment := range segments {
		doc, err := os.ReadFile(segment)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(strings.TrimSuffix(segment, ".parquet")+"-r12.parquet", doc, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func bare(t *testing.T, objects string) *sql.DB {
	t.Helper()
	db, err := sql.Open("duckdb", "")
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(1) // a variable belongs to a connection
	t.Cleanup(func() { db.Close() })
	execute(t, db, "SET VARIABLE archive = '"+objects+"'")
	return db
}

func execute(t *testing.T, db *sql.DB, statements string) {
	t.Helper()
	if _, err := db.ExecContext(context.Background(), statements); err != nil {
		t.Fatalf("%s: %v", statements, err)
	}
}

// asked is a file of infra/athena.
func asked(t *testing.T, name string) string {
	t.Helper()
	doc, err := os.ReadFile("../athena/" + name + ".sql")
	if err != nil {
		t.Fatal(err)
	}
	return string(doc)
}

// answer runs a saved query in DuckDB's dialect.
func answer(t *testing.T, db *sql.DB, query string, args []any) (all []map[string]any) {
	t.Helper()
	rows, err := db.Query(strings.ReplaceAll(asked(t, query), ", NFKC)", ")"), args...)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	for rows.Next() {
		values, into := make([]any, len(names)), make([]any, len(names))
		for i := range values {
			into[i] = &values[i]
		}
		if err := rows.Scan(into...); err != nil {
			t.Fatalf("%s: %v", query, err)
		}
		row := map[string]any{}
		for i, name := range names {
			row[name] = values[i]
		}
		all = append(all, row)
	}
	if err := rows.Err(); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return all
}
