package awsstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"wecom-archive/shared/awsevents"
	"wecom-archive/shared/store"
)

// maxMessages is how many messages a SendMessageBatch takes. With the longest
// keys they have 30 KB together; it takes 256.
const maxMessages = 10

// Notifier is an store.Notifier on an SQS queue. Its messages are those that S3
// sends itself when an object appears. It is safe for concurrent use.
type Notifier struct {
	client *sqs.Client
	queue  string // URL
	bucket string // that the objects are in
}

var _ store.Notifier = (*Notifier)(nil)

// NewNotifier sends to the queue with this URL, which exists, about objects of
// bucket.
func NewNotifier(client *sqs.Client, queueURL, bucket string) *Notifier {
	return &Notifier{client, queueURL, bucket}
}

// Notify implements store.Notifier. One batch that fails does not keep the
// others from being sent; the error says which keys were not.
func (n *Notifier) Notify(ctx context.Context, keys ...string) error {
	var errs []error
	for batch := range slices.Chunk(keys, maxMessages) {
		if err := ctx.Err(); err != nil {
			errs = append(errs, err)
			break
		}
		errs = append(errs, n.send(ctx, batch))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("queueing %d objects on %s: %w", len(keys), n.queue, err)
	}
	return nil
}

// send sends one batch. SQS takes or refuses each message for itself.
func (n *Notifier) send(ctx context.Context, keys []string) error {
	entries := make([]types.SendMessageBatchRequestEntry, len(keys))
	for i, key := range keys {
		body, err := awsevents.Message(awsevents.Object{Bucket: n.bucket, Key: key})
		if err != nil {
			return fmt.Errorf("%q: %w", key, err)
		}
		entries[i] = types.SendMessageBatchRequestEntry{Id: aws.String(strconv.Itoa(i)), MessageBody: &body}
	}
	var refused []error
	var left []string // codes of what may be sent again
	err := untilProcessed(ctx, func() (int, error) {
		out, err := n.client.SendMessageBatch(ctx, &sqs.SendMessageBatchInput{QueueUrl: &n.queue, Entries: entries})
		if err != nil {
			return 0, err
		}
		var again []types.SendMessageBatchRequestEntry
		left = nil
		for _, failed := range out.Failed {
			i := slices.IndexFunc(entries, func(e types.SendMessageBatchRequestEntry) bool { return *e.Id == aws.ToString(failed.Id) })
			if i < 0 {
				return 0, fmt.Errorf("SQS refused message %q, which was not sent", aws.ToString(failed.Id))
			}
			at, _ := strconv.Atoi(*entries[i].Id) // we wrote it
			what := fmt.Sprintf("%q: %s", keys[at], aws.ToString(failed.Code))
			if failed.SenderFault {
				refused = append(refused, errors.New(what))
				continue
			}
			left = append(left, what)
			again = append(again, entries[i])
		}
		entries = again
		return len(entries), nil
	})
	if errors.Is(err, errUnprocessed) {
		err = fmt.Errorf("%w: %s", err, strings.Join(left, ", "))
	} else if err != nil {
		err = fmt.Errorf("%q: %w", keys, err)
	}
	return errors.Join(append(refused, err)...)
}
