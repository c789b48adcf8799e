package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"time"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/doctor"
	"wecom-archive/shared/program"
	"wecom-archive/shared/timeid"
	"wecom-archive/shared/wecom/financesdk"
	"wecom-archive/shared/wecom/financesdk/decrypt"
)

// doctorCommand looks whether all is in place. Of a stack the puller function looks,
// since WeCom is asked from there; the keys are looked at from here.
type doctorCommand struct {
	target    `embed:""`
	SDK       string     `name:"sdk" type:"path" placeholder:"PATH" help:"Look at this native library on this machine. A stack has its own."`
	TrustedIP netip.Addr `name:"trusted-ip" placeholder:"IP" help:"Address that WeCom is told to trust (可信IP地址). A stack knows its own."`
	Echo      string     `default:"${echo}" placeholder:"URL" help:"Service that answers with the caller's address: what this machine's is outside."`
	Language  string     `enum:"en,zh,auto" default:"auto" help:"en, zh, or auto: as LC_ALL, LC_MESSAGES or LANG say."`
	JSON      bool       `name:"json" help:"Print the findings as JSON, in both languages."`
}

// errUnwell makes doctor exit with 1 if something is wrong.
var errUnwell = errors.New("something is not in place: see the lines above")

func (c *doctorCommand) Run(ctx context.Context, to streams) error {
	checkup, err := c.examine(ctx, to)
	if err != nil {
		return err
	}
	if c.JSON {
		err = json.NewEncoder(to.Out).Encode(checkup)
	} else {
		err = printCheckup(to.Out, checkup, c.chinese(os.Getenv))
	}
	if err == nil && !checkup.Well() {
		err = errUnwell
	}
	return err
}

// examine looks at what can be looked at: with no archive given, at this machine.
func (c *doctorCommand) examine(ctx context.Context, to streams) (checkup archive.Checkup, err error) {
	machine := c.machine()
	here := archive.Checkup{ID: timeid.New(), At: time.Now().UTC(), Where: archive.CheckedHere, Program: program.Version()}
	err = c.with(ctx, to, func(o *opened) error {
		keys := doctor.Keys(o.Ring, o.Catalog.Keys)
		if o.examine == nil {
			checks := append(machine, doctor.Version(o.compliance), doctor.Corp(o.Corp), doctor.Secret(o.Secrets), keys, doctor.Bucket(o.Objects, o.Lock, o.Corp), doctor.Table(o.Catalog.Journal))
			checkup = doctor.Examine(ctx, here, checks...)
			return nil
		}
		there, err := o.examine(ctx, c.TrustedIP)
		if err == nil {
			checkup = doctor.Examine(ctx, there, keys)
		}
		return err
	})
	if errors.Is(err, errNoTarget) && (c.SDK != "" || c.TrustedIP.IsValid()) {
		return doctor.Examine(ctx, here, machine...), nil
	}
	return checkup, err
}

// machine are the checks of the machine that the command runs on.
func (c *doctorCommand) machine() []doctor.Check {
	echo := &doctor.Echo{URL: c.Echo, Client: &http.Client{Timeout: 10 * time.Second}, Now: time.Now}
	checks := []doctor.Check{echo.Address(c.TrustedIP), echo.Clock()}
	if c.SDK != "" {
		checks = append([]doctor.Check{doctor.Library(c.SDK,
			doctor.Use{Symbols: financesdk.Symbols(), Try: financesdk.Try}, doctor.Use{Symbols: decrypt.Symbols(), Try: decrypt.Try},
		)}, checks...)
	}
	return checks
}

// chinese says whether the operator reads Chinese, by the flag or as POSIX finds the
// language of messages.
func (c *doctorCommand) chinese(getenv func(string) string) bool {
	if c.Language != "auto" {
		return c.Language == "zh"
	}
	for _, name := range []string{"LC_ALL", "LC_MESSAGES", "LANG"} {
		if value := getenv(name); value != "" {
			return strings.HasPrefix(value, "zh")
		}
	}
	return false
}

func printCheckup(w io.Writer, c archive.Checkup, chinese bool) error {
	pick := func(b archive.Bilingual) string {
		if chinese {
			return b.Chinese
		}
		return b.English
	}
	marks := map[archive.CheckupState][2]string{
		archive.CheckupOK: {"ok  ", "正常"}, archive.CheckupLook: {"LOOK", "留意"}, archive.CheckupAct: {"ACT ", "处理"},
	}
	for _, l := range c.Lines {
		mark := marks[l.State][0]
		if chinese {
			mark = marks[l.State][1]
		}
		text := fmt.Sprintf("%s  %-8s %s\n", mark, l.Check, pick(l.Found))
		if remedy := pick(l.Remedy); remedy != "" {
			text += fmt.Sprintf("                → %s\n", remedy)
		}
		if _, err := io.WriteString(w, text); err != nil {
			return err
		}
	}
	return nil
}
