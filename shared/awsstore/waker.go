package awsstore

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
)

// Waker asks for a pull by a message on an SQS queue that starts the puller. It is
// safe for concurrent use.
type Waker struct {
	client *sqs.Client
	queue  string // URL
}

// NewWaker sends to the queue with this URL, which exists.
func NewWaker(client *sqs.Client, queueURL string) *Waker { return &Waker{client, queueURL} }

// maxDelay is the longest that SQS holds a message back.
const maxDelay = 15 * time.Minute

// Wake has the puller started after delay, in whole seconds and at most 15 minutes.
func (w *Waker) Wake(ctx context.Context, delay time.Duration) error {
	if delay < 0 || delay > maxDelay {
		return fmt.Errorf("a pull cannot be asked for in %s, at most in %s", delay, maxDelay)
	}
	_, err := w.client.SendMessage(ctx, &sqs.SendMessageInput{
		QueueUrl: &w.queue, DelaySeconds: int32(delay / time.Second), MessageBody: aws.String(`{"reason":"callback"}`),
	})
	if err != nil {
		return fmt.Errorf("sending to %s: %w", w.queue, err)
	}
	return nil
}
