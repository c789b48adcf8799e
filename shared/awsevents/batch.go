package awsevents

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"golang.org/x/sync/errgroup"
)

// answerTime is kept back from the function's time for its answer. A function
// that is cut off has reported nothing, and its whole batch comes again.
const answerTime = 2 * time.Second

// ErrNoTime: there was too little time left to begin with an object.
var ErrNoTime = errors.New("too little time left in this run")

// Batch works on the objects that a batch of SQS messages names.
type Batch struct {
	Bucket string // the one whose objects are worked on
	// Work does the work on an object. It may be called again for the same one.
	Work func(ctx context.Context, key string) error

	Parallel int           // objects in work at a time; 0: one
	Reserve  time.Duration // with less time left than this no object is begun
	Log      *slog.Logger  // nil: no log
}

// Handle is a Lambda handler. It fails only for what is no SQS event; a message
// that fails is reported by its id, for itself alone, and comes again after its
// visibility timeout, at last to the dead-letter queue.
//
// An object that several messages name is worked on once.
func (b *Batch) Handle(ctx context.Context, event events.SQSEvent) (events.SQSEventResponse, error) {
	if len(event.Records) == 0 {
		return events.SQSEventResponse{}, errors.New("the event holds no SQS messages: is the function's trigger an SQS queue?")
	}
	if deadline, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, deadline.Add(-answerTime))
		defer cancel()
	}
	wanted := make([][]string, len(event.Records)) // keys, by message
	failed := make([]error, len(event.Records))
	var keys []string
	seen := map[string]int{} // index in keys
	for i, message := range event.Records {
		wanted[i], failed[i] = b.keys(message.Body)
		for _, key := range wanted[i] {
			if _, ok := seen[key]; !ok {
				seen[key] = len(keys)
				keys = append(keys, key)
			}
		}
	}
	results := b.workAll(ctx, keys)

	var response events.SQSEventResponse
	for i, message := range event.Records {
		for _, key := range wanted[i] {
			failed[i] = errors.Join(failed[i], results[seen[key]])
		}
		if failed[i] != nil {
			b.log().ErrorContext(ctx, "message failed, comes again", "message", message.MessageId,
				"received", message.Attributes["ApproximateReceiveCount"], "error", failed[i])
			response.BatchItemFailures = append(response.BatchItemFailures, events.SQSBatchItemFailure{ItemIdentifier: message.MessageId})
		}
	}
	return response, nil
}

func (b *Batch) keys(body string) ([]string, error) {
	objects, err := Created(body)
	if err != nil {
		return nil, err
	}
	var keys []string
	for _, o := range objects {
		if o.Bucket != b.Bucket {
			return nil, fmt.Errorf("the message is about bucket %q, this works on %q: %w", o.Bucket, b.Bucket, ErrNoObject)
		}
		keys = append(keys, o.Key)
	}
	return keys, nil
}

// workAll returns the result for each key.
func (b *Batch) workAll(ctx context.Context, keys []string) []error {
	results := make([]error, len(keys))
	var group errgroup.Group
	group.SetLimit(max(b.Parallel, 1))
	for i, key := range keys {
		group.Go(func() error {
			results[i] = b.workOn(ctx, key)
			return nil
		})
	}
	_ = group.Wait() // the results hold the errors
	return results
}

// workOn keeps what goes wrong with one object from the others: a panic, too.
func (b *Batch) workOn(ctx context.Context, key string) (err error) {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%s: %w: %w", key, ErrNoTime, err)
	}
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < b.Reserve {
		return fmt.Errorf("%s: %w", key, ErrNoTime)
	}
	defer func() {
		if p := recover(); p != nil {
			// The value could quote a message; the runtime's own errors do not.
			what := fmt.Sprintf("%T", p)
			if bug, ok := p.(runtime.Error); ok {
				what = bug.Error()
			}
			b.log().ErrorContext(ctx, "panic", "key", key, "panic", what, "stack", string(debug.Stack()))
			err = fmt.Errorf("%s: panic: %s", key, what)
		}
	}()
	return b.Work(ctx, key)
}

func (b *Batch) log() *slog.Logger {
	if b.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return b.Log
}
