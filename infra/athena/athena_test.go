package athena_test

import (
	"bytes"
	"flag"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"wecom-archive/infra/athena"
	"wecom-archive/shared/archive"
	"wecom-archive/shared/segment"
)

var update = flag.Bool("update", false, "write infra/stack/athena.yaml")

func columns(t *testing.T) (messages, links []athena.Column) {
	t.Helper()
	segment, err := segment.Encode(segment.Meta{Corp: "c", PageKey: "p", PageSHA256: strings.Repeat("0", 64), Program: "v", WrittenAt: time.UnixMilli(1).UTC()},
		[]archive.Row{{MsgID: "m", Outcome: "bad_message", PulledAt: time.UnixMilli(1).UTC()}})
	if err != nil {
		t.Fatal(err)
	}
	if messages, err = athena.ParquetColumns(segment); err != nil {
		t.Fatal(err)
	}
	if links, err = athena.JSONColumns(reflect.TypeFor[archive.Links]()); err != nil {
		t.Fatal(err)
	}
	return messages, links
}

// TestStack: the template's columns and queries are those of the writers and files.
func TestStack(t *testing.T) {
	const path = "../stack/athena.yaml"
	want, err := athena.Stack(columns(t))
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(path, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is not what infra/athena makes; run: go test ./infra/athena -update", path)
	}
}

// TestColumns: types as docs/format.md has them, in Athena's words.
func TestColumns(t *testing.T) {
	messages, links := columns(t)
	for _, c := range []struct {
		in         []athena.Column
		name, kind string
	}{
		{messages, "position", "int"}, {messages, "seq", "bigint"}, {messages, "pulled_at", "timestamp"}, {messages, "raw", "binary"}, {messages, "outcome", "string"},
		{messages, "to_ids", "array<string>"}, {messages, "msgtime", "timestamp"}, {messages, "parser_version", "int"},
		{messages, "media", "array<struct<path:string,kind:string,name:string,size:bigint,md5:string,sdkfileid_sha256:string>>"},
		{links, "seq_asked", "bigint"}, {links, "number", "bigint"}, {links, "pulled_at", "string"},
	} {
		found := ""
		for _, column := range c.in {
			if column.Name == c.name {
				found = column.Type
			}
		}
		if found != c.kind {
			t.Errorf("%s is %q, want %q", c.name, found, c.kind)
		}
	}
	format, err := os.ReadFile("../../docs/format.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range messages {
		if !bytes.Contains(format, []byte("`"+c.Name+"`")) {
			t.Errorf("docs/format.md does not name %s", c.Name)
		}
	}
	if len(messages) != 22 || len(links) != 9 {
		t.Errorf("%d and %d columns", len(messages), len(links))
	}
}

func TestNoParquet(t *testing.T) {
	if _, err := athena.ParquetColumns([]byte("PAR1")); err == nil {
		t.Error("columns of no Parquet file")
	}
	if _, err := athena.JSONColumns(reflect.TypeFor[struct {
		F func() `json:"f"`
	}]()); err == nil {
		t.Error("a column of functions")
	}
}
