package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/wecom"
)

// form is how a list is written.
type form struct {
	Format string `enum:"table,csv,json" default:"table" help:"table, csv or json (one object per line)."`
}

// peopleCommand lists people.
type peopleCommand struct {
	target `embed:""`
	form   `embed:""`
	Kind   string `enum:",employee,external,robot" default:"" placeholder:"KIND" help:"Only employee, external (customers and others outside) or robot."`
	IDOnly bool   `name:"id-only" help:"Only those of whom no name is known."`
}

// roomsCommand lists rooms.
type roomsCommand struct {
	target `embed:""`
	form   `embed:""`
	IDOnly bool `name:"id-only" help:"Only those of which no name is known."`
}

// namedLine is a person or a room in a list.
type namedLine struct {
	ID       string               `json:"id"`
	Kind     string               `json:"kind"`
	Name     string               `json:"name,omitempty"`
	IDOnly   bool                 `json:"id_only"` // no name is known
	Earlier  []archive.NamePeriod `json:"names,omitempty"`
	Answer   archive.Answer       `json:"answer,omitempty"`
	AskedAt  time.Time            `json:"asked_at,omitzero"`
	UserID   string               `json:"userid,omitempty"`
	CorpName string               `json:"corp_name,omitempty"`
}

func lineOf(id, kind string, e archive.DirectoryEntry) namedLine {
	return namedLine{
		ID: id, Kind: kind, Name: e.Now(), IDOnly: e.Now() == "", Earlier: e.Names, Answer: e.Answer, AskedAt: e.CheckedAt,
		UserID: e.Spelling, CorpName: e.CorpName,
	}
}

// Run lists people page by page, whatever their number.
func (c *peopleCommand) Run(ctx context.Context, to streams) error {
	return c.with(ctx, to, func(o *opened) error {
		list := newLister(c.form, to.Out)
		people := func(ctx context.Context, after string, limit int) ([]string, error) {
			return o.Catalog.People(ctx, "", after, limit)
		}
		return list.all(ctx, people, o.Catalog.PersonEntries, func(id string, e archive.DirectoryEntry) (namedLine, bool) {
			line := lineOf(id, string(wecom.ParticipantOf(id).Kind), e)
			return line, (c.Kind == "" || c.Kind == line.Kind) && (!c.IDOnly || line.IDOnly)
		})
	})
}

// Run lists rooms page by page.
func (c *roomsCommand) Run(ctx context.Context, to streams) error {
	return c.with(ctx, to, func(o *opened) error {
		list := newLister(c.form, to.Out)
		return list.all(ctx, o.Catalog.Rooms, o.Catalog.RoomEntries, func(id string, e archive.DirectoryEntry) (namedLine, bool) {
			kind := "internal"
			if e.Customers {
				kind = "customers"
			} else if e.Answer != archive.Named {
				kind = ""
			}
			line := lineOf(id, kind, e)
			return line, !c.IDOnly || line.IDOnly
		})
	})
}

// lister writes a list in its form.
type lister struct {
	form
	out    io.Writer
	header bool
}

func newLister(f form, out io.Writer) *lister { return &lister{form: f, out: out} }

// listPage is how many ids are looked up at a time.
const listPage = 1000

func (l *lister) all(ctx context.Context, ids func(ctx context.Context, after string, limit int) ([]string, error),
	entries func(ctx context.Context, ids ...string) (map[string]archive.DirectoryEntry, error),
	line func(string, archive.DirectoryEntry) (namedLine, bool),
) error {
	for after := ""; ; {
		page, err := ids(ctx, after, listPage)
		if err != nil {
			return err
		}
		known, err := entries(ctx, page...)
		if err != nil {
			return err
		}
		var lines []namedLine
		for _, id := range page {
			if one, ok := line(id, known[id]); ok {
				lines = append(lines, one)
			}
		}
		if err := l.write(lines); err != nil {
			return err
		}
		if len(page) < listPage {
			return nil
		}
		after = page[len(page)-1]
	}
}

func (l *lister) write(lines []namedLine) error {
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

var columns = []string{"id", "kind", "name", "id_only", "earlier_names", "answer", "asked_at", "userid", "corp_name"}

func (l *lister) csv(w io.Writer, lines []namedLine) error {
	out := csv.NewWriter(w)
	if !l.header {
		if err := out.Write(columns); err != nil {
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

func (l *lister) table(w io.Writer, lines []namedLine) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	if !l.header {
		fmt.Fprintln(table, strings.ToUpper(strings.Join(columns, "\t")))
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

func (one namedLine) fields() []string {
	earlier := make([]string, 0, len(one.Earlier))
	for _, n := range one.Earlier {
		if n.Name != one.Name && !slices.Contains(earlier, n.Name) {
			earlier = append(earlier, n.Name)
		}
	}
	asked := ""
	if !one.AskedAt.IsZero() {
		asked = one.AskedAt.UTC().Format(time.RFC3339)
	}
	return []string{one.ID, one.Kind, one.Name, fmt.Sprint(one.IDOnly), strings.Join(earlier, " | "), string(one.Answer), asked, one.UserID, one.CorpName}
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
