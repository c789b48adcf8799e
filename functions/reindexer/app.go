package main

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"wecom-archive/shared/rebuild"
	"wecom-archive/shared/upkeep"
)

// App is the function.
type App struct {
	rebuild.Config     // Queue and Stop are the function's own; Owner is for orders by nobody
	MaxQueued      int // pages in an answer, about: Lambda takes answers of 6 MB
}

// Handle is the Lambda handler: it reindexes until all is done or its time is nearly
// over, and says which.
func (a *App) Handle(ctx context.Context, order upkeep.Order) (upkeep.Answer, error) {
	if order.Mode != upkeep.ModeReindex {
		return upkeep.Answer{}, fmt.Errorf("mode %q is none of this function: it knows %s", order.Mode, upkeep.ModeReindex)
	}
	pages := &outbox{most: a.MaxQueued}
	c := a.Config
	if order.By != "" { // the next invocation may be another process
		c.Owner = order.By
	}
	c.Queue, c.Stop = pages, func() bool { return upkeep.DeadlineNear(ctx) || pages.full() }
	report, err := rebuild.NewReindexer(c).Run(ctx, order.Drop)
	more := errors.Is(err, rebuild.ErrUnfinished)
	if err != nil && !more {
		return upkeep.Answer{}, rebuild.Advise(err)
	}
	a.Log.Info("reindexed", "pages", report.Pages, "events", report.Events, "names", report.Names, "more", more)
	return upkeep.NewAnswer(order.Mode, more, report, pages.keys...)
}

// outbox takes what is to be queued. It is safe for concurrent use.
type outbox struct {
	most int

	mu   sync.Mutex
	keys []string
}

// Notify implements store.Notifier.
func (o *outbox) Notify(_ context.Context, keys ...string) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.keys = append(o.keys, keys...)
	return nil
}

func (o *outbox) full() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.keys) >= o.most
}
