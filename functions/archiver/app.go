package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/aws/aws-lambda-go/events"

	"wecom-archive/shared/awsevents"
	"wecom-archive/shared/scrub"
)

// App is the function: it archives the pages that a queue names, and, when a schedule
// asks for it, reads the day's share of the archive again.
type App struct {
	Batch *awsevents.Batch
	Scrub *scrub.Scrubber
}

// Handle is the Lambda handler: of the queue's messages, and of the schedule's event,
// which has no records.
func (a *App) Handle(ctx context.Context, event json.RawMessage) (any, error) {
	var order struct {
		Reason string `json:"reason"`
	}
	var messages events.SQSEvent
	if err := errors.Join(json.Unmarshal(event, &order), json.Unmarshal(event, &messages)); err != nil {
		return nil, fmt.Errorf("the event is neither of SQS nor of the schedule: %w", err)
	}
	if len(messages.Records) == 0 && order.Reason == "scrub" {
		return a.Scrub.RunInTime(ctx, reserve)
	}
	return a.Batch.Handle(ctx, messages)
}
