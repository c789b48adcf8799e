package main

import (
	"bytes"
	"flag"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the table into README.md")

const (
	file  = "../../README.md"
	begin = "<!-- costs -->\n"
	end   = "<!-- /costs -->\n"
)

// TestTable: the guide shows what the script computes.
func TestTable(t *testing.T) {
	var table bytes.Buffer
	if err := write(&table, singapore); err != nil {
		t.Fatal(err)
	}
	doc, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(doc), begin)
	shown, after, closed := strings.Cut(rest, end)
	if !ok || !closed {
		t.Fatalf("%s has no place for the table", file)
	}
	if *update {
		if err := os.WriteFile(file, []byte(before+begin+table.String()+end+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if shown != table.String() {
		t.Errorf("%s is old: go test ./infra/costs -update", file)
	}
}

// TestGrowth: what is fixed does not grow with the company, what is counted does.
func TestGrowth(t *testing.T) {
	for _, i := range bill {
		small, large := i.cost(singapore, of(10)), i.cost(singapore, of(5000))
		if small < 0 || large < small {
			t.Errorf("%s: %.2f for 10, %.2f for 5,000", i.name, small, large)
		}
	}
	if got := of(5000); got.messages != 4_400_000 || got.pages != 4400 {
		t.Errorf("%+v", got)
	}
	if got := of(10).pages; got != pullsMonth {
		t.Errorf("a small company makes %v pages", got)
	}
}

// TestCounted: what is paid for by the piece is what the stack has.
func TestCounted(t *testing.T) {
	for file, pieces := range map[string]struct {
		mark string
		want float64
	}{
		"../stack/watch.yaml":             {"Type: AWS::CloudWatch::Alarm", alarms},
		"../../shared/metrics/metrics.go": {"Name = \"", customMetrics},
	} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if got := float64(strings.Count(string(text), pieces.mark)); got != pieces.want {
			t.Errorf("%s: %v, and the bill counts %v", file, got, pieces.want)
		}
	}
}
