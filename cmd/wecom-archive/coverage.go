package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/coverage"
	"wecom-archive/shared/plural"
	"wecom-archive/shared/timeid"
)

// coverageCommand says who should be archived and is not.
type coverageCommand struct {
	Report coverageReport `cmd:"" default:"withargs" help:"Seats against scope, silent seats, employees without a seat, days without messages (覆盖检查)."`
	Scope  coverageScope  `cmd:"" help:"Say whom the company archives: the list in the console's 开启范围, one userid per line."`
}

type coverageReport struct {
	target `embed:""`
	form   `embed:""`
	From   string `placeholder:"DAY" help:"First UTC day; without it the 30 days up to --to."`
	To     string `placeholder:"DAY" help:"Last UTC day; without it yesterday."`
	Days   int    `default:"14" help:"A seat that wrote nothing for so many days is silent."`
}

var coverageColumns = []string{"finding", "id", "userid", "name", "status", "seat_from", "seat_to", "last_wrote", "last_active"}

// finding is a line of the report.
type finding struct {
	Finding string `json:"finding"` // without_seat, unexpected, silent, unseated; quiet_day
	coverage.Member
}

func (f finding) fields() []string {
	status := ""
	if f.Status != 0 {
		status = fmt.Sprint(f.Status)
	}
	day := func(t *time.Time) string {
		if t == nil {
			return ""
		}
		return timeField(*t)
	}
	return []string{f.Finding, f.ID, f.UserID, f.Name, status, day(f.SeatFrom), day(f.SeatTo), f.LastWrote, f.LastActive}
}

// Run writes what was found to standard output, and what that rests on to standard
// error.
func (c *coverageReport) Run(ctx context.Context, to streams) error {
	q := coverage.Question{Days: c.Days}
	for flag, day := range map[string]struct {
		text string
		to   *time.Time
	}{"--from": {c.From, &q.From}, "--to": {c.To, &q.To}} {
		if day.text == "" {
			continue
		}
		var err error
		if *day.to, err = time.Parse(time.DateOnly, day.text); err != nil {
			return fmt.Errorf("%s: %q is not a day, as 2026-11-23", flag, day.text)
		}
	}
	return c.with(ctx, to, func(o *opened) error {
		report, err := coverage.Reporter{
			Objects: o.Objects, People: o.Catalog.People, Pages: o.Catalog.Pages, Conversations: o.Catalog.Conversations, Now: time.Now,
		}.Report(ctx, q)
		if err != nil {
			return err
		}
		fmt.Fprintln(to.Err, basis(report))
		var lines []listed
		for _, list := range []struct {
			finding string
			members []coverage.Member
		}{{"without_seat", report.WithoutSeat}, {"unexpected", report.Unexpected}, {"silent", report.Silent}, {"unseated", report.Unseated}} {
			for _, m := range list.members {
				lines = append(lines, finding{list.finding, m})
			}
		}
		for _, day := range report.QuietDays {
			lines = append(lines, finding{"quiet_day", coverage.Member{ID: day}})
		}
		return newLister(c.form, coverageColumns, to.Out).write(lines)
	})
}

// basis says what a report rests on.
func basis(r *coverage.Report) string {
	text := fmt.Sprintf("%s to %s: %s", r.From, r.To, plural.Of(r.Seats, "seat"))
	if r.SeatsAt == nil {
		text += " (WeCom has not said who has one: see `wecom-archive status`)"
	} else {
		text += " as WeCom said " + timeField(*r.SeatsAt)
	}
	if r.ScopeAt == nil {
		return text + "; whom the company archives is not known: `wecom-archive coverage scope` says so"
	}
	return text + fmt.Sprintf("; %d in the scope of %s", r.Scope, timeField(*r.ScopeAt))
}

type coverageScope struct {
	target `embed:""`
	File   string `default:"-" type:"path" help:"File with one userid per line, in any case; - is standard input. Empty lines, and what follows #, do not count."`
}

// Run stores the list, locked, as the one that counts from now on.
func (c *coverageScope) Run(ctx context.Context, to streams) error {
	text, err := readUpTo(c.File, to.In, archive.MaxScope*(maxUserID+2))
	if err != nil {
		return err
	}
	userids, err := readScope(text)
	if err != nil {
		return fmt.Errorf("--file %s: %w", c.File, err)
	}
	return c.with(ctx, to, func(o *opened) error {
		scope := archive.Scope{ID: timeid.New(), At: time.Now().UTC().Truncate(time.Millisecond), Who: operator(), UserIDs: userids}
		if err := catalog.PutScope(ctx, o.Objects, o.Catalog.People, o.Corp, scope); err != nil {
			return err
		}
		fmt.Fprintf(to.Err, "Stored a scope of %s.\n", plural.Of(len(userids), "employee"))
		return nil
	})
}

// maxUserID is the longest userid of WeCom, in bytes.
const maxUserID = 64

func readScope(text []byte) ([]string, error) {
	var userids []string
	lines := bufio.NewScanner(bytes.NewReader(text))
	for n := 1; lines.Scan(); n++ {
		line, _, _ := strings.Cut(lines.Text(), "#")
		line = strings.TrimSpace(strings.TrimPrefix(line, "\ufeff"))
		switch {
		case line == "":
			continue
		case len(line) > maxUserID || strings.ContainsAny(line, " \t,;"):
			return nil, fmt.Errorf("line %d is no userid: one a line, of at most %d bytes", n, maxUserID)
		}
		userids = append(userids, line)
	}
	slices.Sort(userids)
	if userids = slices.Compact(userids); len(userids) == 0 {
		return nil, errors.New("there is no userid in it")
	}
	return userids, lines.Err()
}
