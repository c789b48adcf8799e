package main

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"
)

// form is how a list is written.
type form struct {
	Format string `enum:"table,csv,json" default:"table" help:"table, csv or json (one object per line)."`
}

// lister writes a list in its form.
type lister struct {
	form
	columns []string
	out     io.Writer
	header  bool
}

// listed is a line of a list: with its JSON members in one form, its fields, as many
// as there are columns, in the others.
type listed interface{ fields() []string }

func newLister(f form, columns []string, out io.Writer) *lister {
	return &lister{form: f, columns: columns, out: out}
}

// listPage is how many ids are looked up at a time.
const listPage = 1000

func (l *lister) write(lines []listed) error {
	var buf bytes.Buffer
	var err error
	switch l.Format {
	case "json":
		encoder := json.NewEncoder(&buf)
		encoder.SetEscapeHTML(false)
		for _, one := range lines {
			if err := encoder.Encode(one); err != nil {
				return err
			}
		}
	case "csv":
		err = l.csv(&buf, lines)
	default:
		err = l.table(&buf, lines)
	}
	if err != nil {
		return err
	}
	l.header = true
	_, err = l.out.Write(buf.Bytes())
	return err
}

func (l *lister) csv(w io.Writer, lines []listed) error {
	out := csv.NewWriter(w)
	if !l.header {
		if err := out.Write(l.columns); err != nil {
			return err
		}
	}
	for _, one := range lines {
		fields := one.fields()
		for i := range fields {
			fields[i] = harmless(fields[i])
		}
		if err := out.Write(fields); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

func (l *lister) table(w io.Writer, lines []listed) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	if !l.header {
		fmt.Fprintln(table, strings.ToUpper(strings.Join(l.columns, "\t")))
	}
	for _, one := range lines {
		fields := one.fields()
		for i := range fields {
			if fields[i] = printable(fields[i]); fields[i] == "" {
				fields[i] = "-"
			}
		}
		fmt.Fprintln(table, strings.Join(fields, "\t"))
	}
	return table.Flush()
}

// harmless keeps a spreadsheet from taking what a stranger chose for a formula.
func harmless(field string) string {
	if field != "" && strings.ContainsRune("=+-@\t\r", rune(field[0])) {
		return "'" + field
	}
	return field
}

// printable keeps a terminal from taking a name for a command, or for two columns.
func printable(field string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) || unicode.Is(unicode.Bidi_Control, r) {
			return '�'
		}
		return r
	}, field)
}

func timeField(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}
