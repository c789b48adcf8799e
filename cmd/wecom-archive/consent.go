package main

import (
	"context"
	"fmt"
	"time"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/consent"
)

// consentCommand lists who agreed to being archived.
type consentCommand struct {
	target `embed:""`
	form   `embed:""`
	Status string `enum:",agreed,refused,unanswered" default:"" placeholder:"STATUS" help:"Only people who agreed, refused, or are unanswered."`
}

var consentColumns = []string{"conversation", "person", "name", "status", "since", "source", "asked_at", "answer", "messages_after"}

// consentLine is a line of the list.
type consentLine struct {
	Conversation  string                `json:"conversation"`
	Person        string                `json:"person,omitempty"`
	Name          string                `json:"name,omitempty"`
	Status        archive.ConsentStatus `json:"status"`
	Since         time.Time             `json:"since,omitzero"`
	Source        string                `json:"source,omitempty"`
	AskedAt       time.Time             `json:"asked_at,omitzero"`
	Answer        archive.Answer        `json:"answer,omitempty"`
	MessagesAfter bool                  `json:"messages_after,omitempty"` // after a refusal
}

func (c consentLine) fields() []string {
	after := ""
	if c.Status == archive.ConsentRefused {
		after = fmt.Sprint(c.MessagesAfter)
	}
	return []string{c.Conversation, c.Person, c.Name, string(c.Status), timeField(c.Since), c.Source, timeField(c.AskedAt), string(c.Answer), after}
}

// Run lists consents page by page.
func (c *consentCommand) Run(ctx context.Context, to streams) error {
	return c.with(ctx, to, func(o *opened) error {
		out := newLister(c.form, consentColumns, to.Out)
		ask := consent.Lister{Consents: o.Catalog.Consents, People: o.Catalog.People, Transcript: o.transcript()}.Ask
		if o.Remote != nil {
			ask = o.Remote.consent
		}
		question := consent.Question{Mode: consent.ModeConsent, Limit: listPage, Status: archive.ConsentStatus(c.Status)}
		for {
			reply, err := ask(ctx, question)
			if err != nil {
				return err
			}
			lines := make([]listed, len(reply.Lines))
			for i, l := range reply.Lines {
				lines[i] = consentLine{l.Conversation, l.Person, reply.Names[l.Person], l.Status, l.Since, l.Source, l.AskedAt, l.Answer, l.MessagesAfter}
			}
			if err := out.write(lines); err != nil {
				return err
			}
			if reply.Next == nil {
				return nil
			}
			question.After = *reply.Next
		}
	})
}
