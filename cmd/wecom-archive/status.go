package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"wecom-archive/shared/api"
	"wecom-archive/shared/archive"
	"wecom-archive/shared/health"
	"wecom-archive/shared/person"
	"wecom-archive/shared/plural"
	"wecom-archive/shared/viewer"
)

// statusCommand prints what /v1/status answers.
type statusCommand struct {
	target `embed:""`
	JSON   bool `name:"json" help:"Print the answer of /v1/status as it is."`
}

// errAlarms makes status exit with 1 if somebody has to act.
var errAlarms = errors.New("somebody has to act: see the alarms")

func (c *statusCommand) Run(ctx context.Context, to streams, v version) error {
	return c.with(ctx, to, func(o *opened) error {
		answer, err := askStatus(ctx, o, v)
		if err != nil {
			return err
		}
		var s statusAnswer
		if err := json.Unmarshal(answer, &s); err != nil {
			return fmt.Errorf("reading the status: %w", err)
		}
		if !c.JSON {
			answer = s.text()
		}
		if _, err := to.Out.Write(answer); err != nil {
			return err
		}
		if s.act() {
			return errAlarms
		}
		return nil
	})
}

// askStatus asks the API in this process.
func askStatus(ctx context.Context, o *opened, v version) ([]byte, error) {
	if o.compliance == nil { // a folder, where programs are tried out
		v = ""
	}
	handler := viewer.New(viewer.Config{
		Objects: o.Objects, Derived: o.Derived, Catalog: o.Catalog, Corp: o.Corp, Log: o.Log, Version: string(v), Compliance: o.compliance, Lock: o.Lock,
		Auth: api.StaticToken("command", person.Person{Subject: "command", Roles: []person.Role{person.Operator}}),
	})
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "/v1/status", nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer command")
	w := &answer{header: http.Header{}}
	handler.ServeHTTP(w, req)
	if w.status != http.StatusOK {
		return nil, fmt.Errorf("the status cannot be told: %s", bytes.TrimSpace(w.body.Bytes()))
	}
	return w.body.Bytes(), nil
}

// answer is an http.ResponseWriter that keeps what is written.
type answer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (a *answer) Header() http.Header { return a.header }

func (a *answer) WriteHeader(status int) {
	if a.status == 0 {
		a.status = status
	}
}

func (a *answer) Write(p []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	return a.body.Write(p)
}

// statusAnswer is what text shows of an answer.
type statusAnswer struct {
	Now    time.Time
	Alarms []struct {
		Code, Severity, Message, Remedy string
	}
	Unlocked string
	Cursor   struct {
		Seq              uint64
		Pages, Envelopes int64
		PulledAt         string `json:"pulled_at"`
	}
	Archived   int64
	Pending    struct{ Pages, Envelopes int64 }
	Quarantine struct {
		Envelopes, Pages int64
		Reasons          map[archive.Outcome]int64
	}
	Parsed []struct {
		Day                string
		Messages, Unparsed int64
		UnknownType        int64 `json:"unknown_type"`
	}
	Media struct {
		Files, Pending, Stored, Failed, Lost, Bytes, Mismatches int64
		Reasons                                                 map[archive.MediaReason]int64
		Oldest                                                  string `json:"oldest_pending"`
	}
	Scrub []struct {
		What       string
		RoundEnded string `json:"round_ended"`
		Objects    int
	}
	LastSuccess string `json:"last_success"`
	HoursLeft   *int64 `json:"hours_until_first_loss"`
}

// statusDays are the last days of which it is told what could not be parsed.
const statusDays = 7

// act says whether an alarm asks somebody to act.
func (s statusAnswer) act() bool {
	for _, a := range s.Alarms {
		if a.Severity == string(health.SeverityAction) {
			return true
		}
	}
	return false
}

func (s statusAnswer) text() []byte {
	var b bytes.Buffer
	switch {
	case s.act():
		fmt.Fprintln(&b, "NOT WELL (需要处理)")
	case len(s.Alarms) > 0:
		fmt.Fprintln(&b, "Well, with notes (正常,有提示)")
	default:
		fmt.Fprintln(&b, "Well (正常)")
	}
	for _, a := range s.Alarms {
		fmt.Fprintf(&b, "  [%s] %s\n      %s\n", a.Code, a.Message, a.Remedy)
	}
	if s.Unlocked != "" {
		fmt.Fprintf(&b, "Unlocked:   %s (未锁定): who may write there can change or remove what it holds\n", s.Unlocked)
	}
	fmt.Fprintf(&b, "Pulled:     %s in %s, up to seq %d\n", plural.Of(s.Cursor.Envelopes, "message"), plural.Of(s.Cursor.Pages, "page"), s.Cursor.Seq)
	fmt.Fprintf(&b, "Archived:   %d\n", s.Archived)
	fmt.Fprintf(&b, "Waiting:    %d in %s\n", s.Pending.Envelopes, plural.Of(s.Pending.Pages, "page"))
	fmt.Fprintf(&b, "待解密:     %d not decrypted yet; %s with these or with damage\n", s.Quarantine.Envelopes, plural.Of(s.Quarantine.Pages, "page"))
	for _, reason := range sortedKeys(s.Quarantine.Reasons) {
		fmt.Fprintf(&b, "            %d %s\n", s.Quarantine.Reasons[reason], reason)
	}
	for i, d := range s.Parsed {
		name := ""
		if i == 0 {
			name = "Not parsed:"
		}
		if i == 0 || i < statusDays && d.Unparsed+d.UnknownType > 0 {
			fmt.Fprintf(&b, "%-11s %d of %d messages pulled %s (未解析), %d of an unknown type\n", name, d.Unparsed, d.Messages, d.Day, d.UnknownType)
		}
	}
	fmt.Fprintf(&b, "Files:      %d stored of %d, %s; %d waiting, %d failed, %d lost\n", s.Media.Stored, s.Media.Files, plural.Of(s.Media.Bytes, "byte"), s.Media.Pending, s.Media.Failed, s.Media.Lost)
	if s.Media.Mismatches > 0 {
		fmt.Fprintf(&b, "            %s\n", plural.Of(s.Media.Mismatches, "is not what the message says; it is kept as it came", "are not what the message says; they are kept as they came"))
	}
	for _, reason := range sortedKeys(s.Media.Reasons) {
		fmt.Fprintf(&b, "            %d %s\n", s.Media.Reasons[reason], reason)
	}
	if s.Media.Oldest != "" {
		fmt.Fprintf(&b, "            the oldest waits since %s\n", s.Media.Oldest)
	}
	for i, scrubbed := range s.Scrub {
		name := ""
		if i == 0 {
			name = "Read again:"
		}
		text := "not wholly yet"
		if scrubbed.RoundEnded != "" {
			text = fmt.Sprintf("all %s by %s (复核)", plural.Of(scrubbed.Objects, "object"), scrubbed.RoundEnded)
		}
		fmt.Fprintf(&b, "%-11s %s: %s\n", name, scrubbed.What, text)
	}
	if s.LastSuccess != "" {
		fmt.Fprintf(&b, "Last pull:  %s\n", s.LastSuccess)
	}
	if s.HoursLeft != nil {
		fmt.Fprintf(&b, "First loss: in %d h, if no pull succeeds before\n", *s.HoursLeft)
	}
	return b.Bytes()
}
