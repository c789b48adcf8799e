package awsstore_test

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"wecom-archive/shared/awsevents"
	"wecom-archive/shared/awsstore"
)

// queue takes messages as SQS does, over its JSON protocol, and fails as told.
type queue struct {
	keys  []string // of the messages taken, in order
	sizes []int    // messages in each batch

	// fail says what becomes of a message: "" it is taken, a code that ends in !
	// is the sender's fault.
	fail  func(batch int, key string) (code string)
	fault func(batch int) (errorType string) // of the whole batch
}

func (q *queue) Do(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	var batch struct {
		QueueUrl string
		Entries  []struct{ Id, MessageBody string }
	}
	if err := json.NewDecoder(r.Body).Decode(&batch); err != nil {
		return nil, err
	}
	if r.Header.Get("X-Amz-Target") != "AmazonSQS.SendMessageBatch" || batch.QueueUrl != queueURL {
		return nil, fmt.Errorf("%s to %s", r.Header.Get("X-Amz-Target"), batch.QueueUrl)
	}
	q.sizes = append(q.sizes, len(batch.Entries))
	if q.fault != nil && q.fault(len(q.sizes)) != "" {
		return jsonReply(r, http.StatusBadRequest, map[string]any{"__type": "com.amazonaws.sqs#" + q.fault(len(q.sizes))})
	}
	taken, failed := []any{}, []any{}
	for _, e := range batch.Entries {
		objects, err := awsevents.Created(e.MessageBody)
		if err != nil || len(objects) != 1 || objects[0].Bucket != "bucket" {
			return nil, fmt.Errorf("message %s names %v, %w", e.MessageBody, objects, err)
		}
		if q.fail != nil {
			if code, sender := strings.CutSuffix(q.fail(len(q.sizes), objects[0].Key), "!"); code != "" {
				failed = append(failed, map[string]any{"Id": e.Id, "Code": code, "SenderFault": sender})
				continue
			}
		}
		q.keys = append(q.keys, objects[0].Key)
		sum := md5.Sum([]byte(e.MessageBody))
		taken = append(taken, map[string]any{"Id": e.Id, "MessageId": e.Id, "MD5OfMessageBody": hex.EncodeToString(sum[:])})
	}
	return jsonReply(r, http.StatusOK, map[string]any{"Successful": taken, "Failed": failed})
}

func jsonReply(r *http.Request, status int, body any) (*http.Response, error) {
	text, err := json.Marshal(body)
	return &http.Response{
		StatusCode: status, Header: http.Header{"Content-Type": {"application/x-amz-json-1.0"}},
		Body: io.NopCloser(strings.NewReader(string(text))), ContentLength: int64(len(text)), Request: r,
	}, err
}

const queueURL = "https://sqs.example/1/pages"

func (q *queue) notifier() *awsstore.Notifier {
	return awsstore.NewNotifier(sqs.New(sqs.Options{
		BaseEndpoint: aws.String("https://sqs.example"), Region: "cn-north-1", HTTPClient: q, Retryer: patient(),
		Credentials: credentials.NewStaticCredentialsProvider("id", "secret", ""),
	}), queueURL, "bucket")
}

func pageKeys(n int) (keys []string) {
	for i := range n {
		keys = append(keys, fmt.Sprintf("pages/会 话+%%/%03d", i))
	}
	return keys
}

func TestNotify(t *testing.T) {
	for _, n := range []int{0, 1, 10, 11, 35} {
		q := &queue{}
		if err := q.notifier().Notify(t.Context(), pageKeys(n)...); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(q.keys, pageKeys(n)) || len(q.sizes) != (n+9)/10 {
			t.Errorf("%d keys: messages %q in batches of %v", n, q.keys, q.sizes)
		}
	}
}

// TestNotifyPartly: what SQS could not take is sent again, and what it will never
// take is reported, by key.
func TestNotifyPartly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		keys := pageKeys(25)
		refusals := 0
		q := &queue{fail: func(batch int, key string) string {
			switch {
			case key == keys[3]:
				refusals++
				return "InvalidMessageContents!"
			case key == keys[22]:
				return "InternalError"
			case strings.HasSuffix(key, "7") && batch <= 3:
				return "InternalError"
			}
			return ""
		}}
		err := q.notifier().Notify(t.Context(), keys...)
		want := slices.DeleteFunc(slices.Clone(keys), func(k string) bool { return k == keys[3] || k == keys[22] })
		got := slices.Sorted(slices.Values(q.keys))
		if !slices.Equal(got, want) {
			t.Errorf("taken %q", got)
		}
		if refusals != 1 {
			t.Errorf("what SQS will never take was sent %d times", refusals)
		}
		for i, key := range keys {
			if reported := err != nil && strings.Contains(err.Error(), fmt.Sprintf("%q", key)[1:]); reported != (i == 3 || i == 22) {
				t.Errorf("%q is reported: %v\n%v", key, reported, err)
			}
		}
	})
}

func TestNotifyFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		keys := pageKeys(20)
		q := &queue{fault: func(batch int) string {
			if batch == 1 {
				return "QueueDoesNotExist"
			}
			return ""
		}}
		if err := q.notifier().Notify(t.Context(), keys...); err == nil || !strings.Contains(err.Error(), queueURL) {
			t.Errorf("Notify = %v", err)
		}
		if !slices.Equal(q.keys, keys[10:]) {
			t.Errorf("taken %q, want the second batch", q.keys)
		}

		q = &queue{}
		if err := q.notifier().Notify(t.Context(), "pages/1", "", "pages/2"); !errors.Is(err, awsevents.ErrNoObject) {
			t.Errorf("Notify of no key = %v", err)
		}

		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		q = &queue{fail: func(int, string) string { return "InternalError" }}
		if err := q.notifier().Notify(ctx, keys...); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Notify = %v, want context.DeadlineExceeded", err)
		}
	})
}
