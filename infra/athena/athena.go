// Package athena makes the nested stack by which auditors ask the whole archive at
// once: Glue tables over messages/ and links/, a workgroup, and the queries beside
// this file. infra/stack/athena.yaml is what Stack makes; a test keeps it so. The
// queries run in DuckDB, too (infra/duckdb); docs/audit.md says how to use them.
package athena

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"path"
	"reflect"
	"strings"
	"text/template"
	"time"

	"github.com/parquet-go/parquet-go"
)

//go:embed *.sql stack.yaml.tmpl
var files embed.FS

// Column is a column of a Glue table.
type Column struct{ Name, Type string }

// Query is a saved query.
type Query struct {
	ID, Name, Description string
	SQL                   string
}

// Queries are the saved queries, by name. The first paragraph of comments is the
// description.
func Queries() ([]Query, error) {
	entries, err := files.ReadDir(".")
	if err != nil {
		return nil, fmt.Errorf("listing the queries: %w", err)
	}
	var all []Query
	for _, e := range entries {
		name, isSQL := strings.CutSuffix(e.Name(), ".sql")
		if !isSQL || name == "duckdb" {
			continue
		}
		sql, err := files.ReadFile(e.Name())
		if err != nil {
			return nil, fmt.Errorf("reading the query %s: %w", name, err)
		}
		q := Query{Name: name, SQL: string(sql)}
		for _, word := range strings.Split(name, "_") {
			q.ID += strings.ToUpper(word[:1]) + word[1:]
		}
		for _, line := range strings.Split(q.SQL, "\n") {
			words, isComment := strings.CutPrefix(line, "-- ")
			if !isComment {
				break
			}
			q.Description = strings.TrimSpace(q.Description + " " + words)
		}
		if q.Description == "" {
			return nil, fmt.Errorf("the query %s does not say what it is for", name)
		}
		all = append(all, q)
	}
	return all, nil
}

var errType = errors.New("not a type of Athena")

// ParquetColumns are the columns of a Parquet file, as Athena names their types.
func ParquetColumns(file []byte) ([]Column, error) {
	f, err := parquet.OpenFile(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		return nil, fmt.Errorf("reading the schema: %w", err)
	}
	var all []Column
	for _, field := range f.Schema().Fields() {
		t, err := parquetType(field)
		if err != nil {
			return nil, fmt.Errorf("column %s: %w", field.Name(), err)
		}
		all = append(all, Column{field.Name(), t})
	}
	return all, nil
}

func parquetType(n parquet.Node) (string, error) {
	logical := ""
	if l := n.Type().LogicalType(); l != nil {
		logical = l.String()
	}
	if logical == "LIST" {
		element, err := parquetType(n.Fields()[0].Fields()[0])
		return "array<" + element + ">", err
	}
	if !n.Leaf() {
		var members []string
		for _, field := range n.Fields() {
			t, err := parquetType(field)
			if err != nil {
				return "", err
			}
			members = append(members, field.Name()+":"+t)
		}
		return "struct<" + strings.Join(members, ",") + ">", nil
	}
	if t, ok := athenaType[physical{n.Type().Kind(), logical}]; ok {
		return t, nil
	}
	return "", fmt.Errorf("%w: %v %s", errType, n.Type(), logical)
}

// physical is how Parquet stores a value, and what it then says that it is.
type physical struct {
	kind    parquet.Kind
	logical string
}

var athenaType = map[physical]string{
	{parquet.ByteArray, "STRING"}:   "string",
	{parquet.ByteArray, ""}:         "binary",
	{parquet.Int32, ""}:             "int",
	{parquet.Int32, "INT(32,true)"}: "int",
	{parquet.Int64, ""}:             "bigint",
	{parquet.Int64, "INT(64,true)"}: "bigint",
	{parquet.Int64, "TIMESTAMP(isAdjustedToUTC=true,unit=MILLIS)"}: "timestamp",
}

// JSONColumns are the columns of a table of JSON documents of a struct.
func JSONColumns(t reflect.Type) ([]Column, error) {
	var all []Column
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Anonymous {
			embedded, err := JSONColumns(f.Type)
			if err != nil {
				return nil, err
			}
			all = append(all, embedded...)
			continue
		}
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		kind, err := jsonType(f.Type)
		if err != nil {
			return nil, fmt.Errorf("%s.%s: %w", t, f.Name, err)
		}
		all = append(all, Column{name, kind})
	}
	return all, nil
}

func jsonType(t reflect.Type) (string, error) {
	switch {
	case t == reflect.TypeFor[time.Time](), t.Kind() == reflect.String:
		return "string", nil
	case t.Kind() == reflect.Int, t.Kind() == reflect.Int64, t.Kind() == reflect.Uint64:
		return "bigint", nil // seqs are below 2^63
	case t.Kind() == reflect.Slice:
		element, err := jsonType(t.Elem())
		return "array<" + element + ">", err
	case t.Kind() == reflect.Struct:
		columns, err := JSONColumns(t)
		var members []string
		for _, c := range columns {
			members = append(members, c.Name+":"+c.Type)
		}
		return "struct<" + strings.Join(members, ",") + ">", err
	}
	return "", fmt.Errorf("%w: %s", errType, t)
}

// Stack is the nested stack's template, for tables with these columns.
func Stack(messages, links []Column) ([]byte, error) {
	queries, err := Queries()
	if err != nil {
		return nil, err
	}
	const name = "stack.yaml.tmpl"
	functions := template.FuncMap{
		"indent": func(n int, s string) string {
			pad := strings.Repeat(" ", n)
			return pad + strings.ReplaceAll(strings.TrimSuffix(s, "\n"), "\n", "\n"+pad)
		},
		"quote": func(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" },
	}
	t, err := template.New(path.Base(name)).Funcs(functions).ParseFS(files, name)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", name, err)
	}
	var out bytes.Buffer
	if err := t.Execute(&out, map[string]any{"Messages": messages, "Links": links, "Queries": queries}); err != nil {
		return nil, fmt.Errorf("filling in %s: %w", name, err)
	}
	return out.Bytes(), nil
}
