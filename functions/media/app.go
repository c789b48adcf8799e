package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"wecom-archive/shared/awsevents"
	"wecom-archive/shared/mediafetch"
	"wecom-archive/shared/scrub"
	"wecom-archive/shared/store"
)

// Library is WeCom's library with the corp's secret.
type Library interface {
	mediafetch.Library
	Close() error
}

// App is the function.
type App struct {
	Bucket   string // derived bucket
	Secrets  store.Secrets
	Open     func(ctx context.Context, secret, proxyPassword string) (Library, error)
	Requeuer *mediafetch.Requeuer
	Scrub    *scrub.Scrubber
	Stage    mediafetch.Config // without Library
}

// Answer is that of the schedule's event.
type Answer struct {
	Queued int `json:"queued"` // job lists that were queued again
}

const (
	parallel = 4               // job lists in work at a time; the workers are shared
	reserve  = 2 * time.Minute // with less time left no list is begun
)

// Handle is the Lambda handler: of the queue's messages, and of the schedule's event,
// which has no records.
func (a *App) Handle(ctx context.Context, event json.RawMessage) (any, error) {
	var messages events.SQSEvent
	if err := json.Unmarshal(event, &messages); err != nil {
		return nil, fmt.Errorf("the event is neither of SQS nor of the schedule: %w", err)
	}
	var order struct {
		Reason string `json:"reason"`
	}
	if len(messages.Records) == 0 && json.Unmarshal(event, &order) == nil && order.Reason == "scrub" {
		return a.Scrub.RunInTime(ctx, reserve)
	}
	if len(messages.Records) == 0 {
		queued, err := a.Requeuer.Run(ctx)
		return Answer{queued}, err
	}
	return a.fetch(ctx, messages)
}

// fetch works on the job lists that messages name.
//
// It reads the secret and opens the library anew, so that a new secret counts at
// once, and Lambda never freezes the library's processes between two runs.
func (a *App) fetch(ctx context.Context, messages events.SQSEvent) (_ events.SQSEventResponse, err error) {
	secret, err := store.ArchiveSecret(ctx, a.Secrets)
	if err != nil {
		return events.SQSEventResponse{}, err
	}
	password, err := a.Secrets.Get(ctx, store.SecretProxy)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return events.SQSEventResponse{}, err
	}
	library, err := a.Open(ctx, secret, password)
	if err != nil {
		return events.SQSEventResponse{}, err
	}
	defer func() { err = errors.Join(err, library.Close()) }()
	c := a.Stage
	c.Library = library
	stage := mediafetch.New(c)
	if err := stage.Ready(ctx); err != nil {
		return events.SQSEventResponse{}, err
	}
	batch := &awsevents.Batch{Bucket: a.Bucket, Work: stage.Handle, Parallel: parallel, Reserve: reserve, Log: c.Log}
	return batch.Handle(ctx, messages)
}
