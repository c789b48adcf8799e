package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/chat"
	"wecom-archive/shared/upkeep"
)

// peopleCommand is about people.
type peopleCommand struct {
	List  peopleList  `cmd:"" default:"withargs" help:"List them."`
	Alias peopleAlias `cmd:"" help:"Say that WeCom changed an employee's userid, so that their conversations stay one."`
}

type peopleAlias struct {
	target `embed:""`
	Was    string `arg:"" help:"Userid before."`
	Is     string `arg:"" help:"Userid now."`
	Unseen bool   `help:"A userid of which the archive knows nothing yet is no typing error."`
	Later  bool   `help:"Do not read the messages again now. Those under the new userid that are archived already stay apart until reparse has run."`
}

// Run stores the alias, locked, and reads again what it concerns. What is locked cannot
// be taken back: all that can be looked at is looked at before.
func (c *peopleAlias) Run(ctx context.Context, to streams) error {
	was, is := chat.ParticipantOf(c.Was), chat.ParticipantOf(c.Is)
	if was.Kind != chat.Employee || is.Kind != chat.Employee {
		return fmt.Errorf("%s, %s: only an employee's userid changes", c.Was, c.Is)
	}
	return c.with(ctx, to, func(o *opened) error {
		alias := archive.Alias{Was: was.ID, Is: is.ID, At: time.Now().UTC().Truncate(time.Millisecond), Who: operator()}
		if err := c.check(ctx, o, alias); err != nil {
			return err
		}
		if err := catalog.SayAlias(ctx, o.Objects, o.Catalog.People, o.Corp, alias); err != nil {
			return err
		}
		if c.Later {
			fmt.Fprintln(to.Err, "Stored. It holds for messages from now on; run `wecom-archive reparse` for earlier ones.")
			return nil
		}
		if err := runReparse(ctx, o, to); err != nil {
			return fmt.Errorf("%s is %s: that is stored; run `wecom-archive reparse` for what is archived already: %w", c.Was, c.Is, err)
		}
		return nil
	})
}

// check refuses an alias that contradicts another one, or about people whom nobody
// knows, and one after which the messages could not be read again.
func (c *peopleAlias) check(ctx context.Context, o *opened, alias archive.Alias) error {
	if err := o.Catalog.People.CheckAlias(ctx, alias); err != nil {
		return err
	}
	for _, id := range []string{alias.Was, alias.Is} {
		known, err := o.Catalog.People.Knows(ctx, id)
		if err != nil {
			return err
		}
		if !known && !c.Unseen {
			return fmt.Errorf("nobody in the archive has the userid %s: an alias cannot be taken back; if it is right, give --unseen", id)
		}
	}
	if o.Remote == nil || c.Later {
		return nil
	}
	return o.Remote.may(ctx, upkeep.ModeReparse)
}

type peopleList struct {
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
	Earlier  []catalog.NamePeriod `json:"names,omitempty"`
	Answer   archive.Answer       `json:"answer,omitempty"`
	AskedAt  time.Time            `json:"asked_at,omitzero"`
	UserID   string               `json:"userid,omitempty"`
	CorpName string               `json:"corp_name,omitempty"`
}

func lineOf(id, kind string, e catalog.DirectoryEntry) namedLine {
	return namedLine{
		ID: id, Kind: kind, Name: e.Now(), IDOnly: e.Now() == "", Earlier: e.Names, Answer: e.Answer, AskedAt: e.CheckedAt,
		UserID: e.Spelling, CorpName: e.CorpName,
	}
}

// Run lists people page by page, whatever their number.
func (c *peopleList) Run(ctx context.Context, to streams) error {
	return c.with(ctx, to, func(o *opened) error {
		list := newLister(c.form, nameColumns, to.Out)
		people := func(ctx context.Context, after string, limit int) ([]string, error) {
			return o.Catalog.People.Seen(ctx, "", after, limit)
		}
		return list.all(ctx, people, o.Catalog.People.PersonEntries, func(id string, e catalog.DirectoryEntry) (namedLine, bool) {
			line := lineOf(id, string(chat.ParticipantOf(id).Kind), e)
			return line, (c.Kind == "" || c.Kind == line.Kind) && (!c.IDOnly || line.IDOnly)
		})
	})
}

// Run lists rooms page by page.
func (c *roomsCommand) Run(ctx context.Context, to streams) error {
	return c.with(ctx, to, func(o *opened) error {
		list := newLister(c.form, nameColumns, to.Out)
		return list.all(ctx, o.Catalog.People.Rooms, o.Catalog.People.RoomEntries, func(id string, e catalog.DirectoryEntry) (namedLine, bool) {
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

func (l *lister) all(ctx context.Context, ids func(ctx context.Context, after string, limit int) ([]string, error),
	entries func(ctx context.Context, ids ...string) (map[string]catalog.DirectoryEntry, error),
	line func(string, catalog.DirectoryEntry) (namedLine, bool),
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
		var lines []listed
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

var nameColumns = []string{"id", "kind", "name", "id_only", "earlier_names", "answer", "asked_at", "userid", "corp_name"}

func (one namedLine) fields() []string {
	earlier := make([]string, 0, len(one.Earlier))
	for _, n := range one.Earlier {
		if n.Name != one.Name && !slices.Contains(earlier, n.Name) {
			earlier = append(earlier, n.Name)
		}
	}
	return []string{one.ID, one.Kind, one.Name, fmt.Sprint(one.IDOnly), strings.Join(earlier, " | "), string(one.Answer), timeField(one.AskedAt), one.UserID, one.CorpName}
}
