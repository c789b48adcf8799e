package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"wecom-archive/shared/catalog"
	"wecom-archive/shared/compact"
	"wecom-archive/shared/compaction"
	"wecom-archive/shared/consent"
	"wecom-archive/shared/plural"
	"wecom-archive/shared/rebuild"
	"wecom-archive/shared/store"
	"wecom-archive/shared/upkeep"
)

// remote are the functions of a stack that do for commands what no role of the stack
// for people may do: read messages.
type remote struct {
	client               *lambda.Client // that does not try again: the first try may be at work
	compactor, reindexer string         // names
	catalog              *catalog.Catalog
	queue                store.Notifier // of the archiver
}

// standingEvery is how often it is asked how far a function is.
const standingEvery = 5 * time.Second

// function is the one that has the rights for a mode.
func (r *remote) function(mode upkeep.Mode) (string, error) {
	name, flag := r.compactor, "--compactor"
	if mode == upkeep.ModeReindex {
		name, flag = r.reindexer, "--reindexer"
	}
	if name == "" {
		return "", fmt.Errorf("%s is missing: is the stack of an older version?", flag)
	}
	return name, nil
}

// may asks whether an order would be taken, without giving it.
func (r *remote) may(ctx context.Context, mode upkeep.Mode) error {
	function, err := r.function(mode)
	if err != nil {
		return err
	}
	if _, err := r.client.Invoke(ctx, &lambda.InvokeInput{FunctionName: &function, InvocationType: types.InvocationTypeDryRun}); err != nil {
		return fmt.Errorf("may %s be invoked? %w", function, err)
	}
	return nil
}

// order gives an order until all of it is done, says meanwhile how far it is, and
// prints the report, into which it reads the function's.
func (r *remote) order(ctx context.Context, to streams, order upkeep.Order, report any) error {
	function, err := r.function(order.Mode)
	if err != nil {
		return err
	}
	var before string // all that the last invocation left to see
	var sum compact.Summary
	for {
		stop := r.watch(ctx, to, order.Mode)
		var answer upkeep.Answer
		err := invoke(ctx, r.client, function, order, &answer)
		stop()
		switch {
		case ctx.Err() != nil:
			return fmt.Errorf("%w; %s works on until its time is over", errInterrupted, function)
		case err != nil:
			return err
		case answer.Mode != order.Mode:
			return fmt.Errorf("%s does not know the mode %s: is it of another version?", function, order.Mode)
		}
		if err := r.enqueue(ctx, answer.Queue); err != nil {
			return err
		}
		if err := json.Unmarshal(answer.Report, report); err != nil {
			return fmt.Errorf("%s gave a report that makes no sense: is it of another version? %w", function, err)
		}
		if one, ok := report.(*compact.Summary); ok && order.Mode == upkeep.ModeCompact {
			sum = sum.Plus(*one)
			*one = sum
		}
		if !answer.More {
			return printJSON(to.Out, report)
		}
		standing, err := rebuild.Standing(ctx, r.catalog.Journal, compaction.NewIndex(r.catalog.Table), order.Mode)
		if err != nil {
			standing = "" // whoever may invoke the function need not be able to read the index
		}
		now := standing + string(answer.Report)
		if now == before {
			return fmt.Errorf("%s does not get on in its time: %s", function, now)
		}
		before = now
		fmt.Fprintln(to.Err, "Its time was over; it goes on.")
	}
}

// enqueue hands pages to the archiver.
func (r *remote) enqueue(ctx context.Context, pages []string) error {
	if len(pages) == 0 {
		return nil
	}
	if err := r.queue.Notify(ctx, pages...); err != nil {
		return fmt.Errorf("%s for the archiver; the next pull queues those without a segment: %w", plural.Of(len(pages), "page waits", "pages wait"), err)
	}
	return nil
}

// watch says how far a function is, from the index, until stop is called.
func (r *remote) watch(ctx context.Context, to streams, mode upkeep.Mode) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		ticker := time.NewTicker(standingEvery)
		defer ticker.Stop()
		for last := ""; ; {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
			}
			line, err := rebuild.Standing(ctx, r.catalog.Journal, compaction.NewIndex(r.catalog.Table), mode)
			if err == nil && line != "" && line != last {
				fmt.Fprintf(to.Err, "%s: %s\n", mode, line)
				last = line
			}
		}
	}()
	return func() { cancel(); <-done }
}

// consent asks the compactor for a page of who agreed.
func (r *remote) consent(ctx context.Context, q consent.Question) (reply consent.Reply, err error) {
	function, err := r.function(consent.ModeConsent)
	if err != nil {
		return reply, err
	}
	if err := invoke(ctx, r.client, function, q, &reply); err != nil {
		return reply, err
	}
	if reply.Mode != consent.ModeConsent {
		return reply, errors.New(function + " does not know the mode consent: is it of another version?")
	}
	return reply, nil
}
