package awsevents_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"

	"wecom-archive/shared/awsevents"
)

const bucket = "wecom-archive-example"

// worker notes what it is given and fails as told.
type worker struct {
	mu   sync.Mutex
	keys []string
	fail map[string]error
}

func (w *worker) work(_ context.Context, key string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.keys = append(w.keys, key)
	return w.fail[key]
}

// invoke sends a sample event through Lambda's own handler, JSON to JSON.
func invoke(t *testing.T, b *awsevents.Batch, payload []byte) (failed []string) {
	t.Helper()
	answer, err := lambda.NewHandler(b.Handle).Invoke(t.Context(), payload)
	if err != nil {
		t.Fatal(err)
	}
	var response struct {
		BatchItemFailures []struct{ ItemIdentifier string }
	}
	if err := json.Unmarshal(answer, &response); err != nil {
		t.Fatalf("%v: %s", err, answer)
	}
	for _, f := range response.BatchItemFailures {
		failed = append(failed, f.ItemIdentifier)
	}
	return failed
}

func sample(t *testing.T, name string) []byte {
	t.Helper()
	payload, err := os.ReadFile(filepath.Join("..", "..", "events", "archiver", name))
	if err != nil {
		t.Fatal(err)
	}
	return payload
}

func TestSampleEvents(t *testing.T) {
	const first, second = "pages/00000000000000000000.json.zst", "pages/00000000000000091002.json.zst"
	for _, test := range []struct {
		name   string
		fail   map[string]error
		keys   []string
		failed []string
	}{
		{"s3-notifications.json", nil, []string{first, second}, nil},
		{"s3-notifications.json", map[string]error{first: errors.New("no")}, []string{first, second}, []string{"059f36b4-87a3-44ab-83d2-661975830a7d"}},
		{"eventbridge.json", nil, []string{first}, nil},
		{"one-bad-message.json", nil, []string{first}, []string{"b0c1a6f4-2d7e-4a53-8b0e-1f2a3c4d5e6f"}},
		{"test-event-and-stranger.json", nil, []string{first}, []string{"e3cd03ee-59a3-4ad8-b0aa-ee2e3808ac81"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := &worker{fail: test.fail}
			failed := invoke(t, &awsevents.Batch{Bucket: bucket, Work: w.work}, sample(t, test.name))
			if !slices.Equal(w.keys, test.keys) || !slices.Equal(failed, test.failed) {
				t.Errorf("worked on %q, failed %q; want %q, %q", w.keys, failed, test.keys, test.failed)
			}
		})
	}
}

func message(id string, keys ...string) events.SQSMessage {
	var parts []string
	for _, key := range keys {
		parts = append(parts, notification("ObjectCreated:Put", bucket, key))
	}
	return events.SQSMessage{MessageId: id, Body: records(parts...)}
}

func failures(t *testing.T, b *awsevents.Batch, messages ...events.SQSMessage) (ids []string) {
	t.Helper()
	response, err := b.Handle(t.Context(), events.SQSEvent{Records: messages})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range response.BatchItemFailures {
		ids = append(ids, f.ItemIdentifier)
	}
	return ids
}

// TestOnce: an object that several messages name is worked on once, and all of
// these messages share its result.
func TestOnce(t *testing.T) {
	w := &worker{fail: map[string]error{"bad": errors.New("no")}}
	failed := failures(t, &awsevents.Batch{Bucket: bucket, Work: w.work},
		message("1", "good"), message("2", "bad"), message("3", "good", "bad"), message("4", "good"))
	if !slices.Equal(w.keys, []string{"good", "bad"}) || !slices.Equal(failed, []string{"2", "3"}) {
		t.Errorf("worked on %q, failed %q", w.keys, failed)
	}
}

func TestNoEvent(t *testing.T) {
	w := &worker{}
	b := &awsevents.Batch{Bucket: bucket, Work: w.work}
	for _, payload := range []string{`{}`, `{"Records":[]}`, `{"detail":{}}`} {
		if answer, err := lambda.NewHandler(b.Handle).Invoke(t.Context(), []byte(payload)); err == nil {
			t.Errorf("%s: answer %s", payload, answer)
		}
	}
}

// TestPanic: one object's panic fails its own message, and what was said does not
// get into the log.
func TestPanic(t *testing.T) {
	var log bytes.Buffer
	b := &awsevents.Batch{
		Bucket: bucket, Log: slog.New(slog.NewJSONHandler(&log, nil)),
		Work: func(_ context.Context, key string) error {
			switch key {
			case "index":
				var none []string
				_ = none[len(key)]
			case "said":
				panic("hello, this is a message")
			}
			return nil
		},
	}
	failed := failures(t, b, message("1", "index"), message("2", "fine"), message("3", "said"))
	if !slices.Equal(failed, []string{"1", "3"}) {
		t.Errorf("failed %q", failed)
	}
	for want, in := range map[string]bool{"index out of range": true, "batch_test.go": true, "hello": false} {
		if strings.Contains(log.String(), want) != in {
			t.Errorf("the log has %q: %v\n%s", want, !in, log.String())
		}
	}
}

// TestDeadline: what there is no time for comes again, and the answer leaves
// before the function is cut off.
func TestDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		b := &awsevents.Batch{
			Bucket: bucket, Reserve: 15 * time.Second,
			Work: func(ctx context.Context, key string) error {
				takes := 20 * time.Second
				if key == "endless" {
					takes = time.Hour
				}
				select {
				case <-time.After(takes):
					return nil
				case <-ctx.Done():
					return ctx.Err()
				}
			},
		}
		event := func(keys ...string) (e events.SQSEvent) {
			for _, key := range keys {
				e.Records = append(e.Records, message(key, key))
			}
			return e
		}
		// 20 s, 20 s; then 18 s are left to the reserve of 15, so "c" begins and is
		// broken off at 58 s.
		response, err := b.Handle(ctx, event("a", "b", "c", "d"))
		if got := fmt.Sprint(response.BatchItemFailures); err != nil || got != "[{c} {d}]" {
			t.Errorf("failed %s, %v", got, err)
		}
		if took := time.Since(begin); took != 58*time.Second {
			t.Errorf("it took %v", took)
		}
		response, err = b.Handle(ctx, event("late"))
		if got := fmt.Sprint(response.BatchItemFailures); err != nil || got != "[{late}]" {
			t.Errorf("failed %s, %v", got, err)
		}
	})
}

// TestReserve: with too little time left no object is begun.
func TestReserve(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		w := &worker{}
		b := &awsevents.Batch{Bucket: bucket, Work: w.work, Reserve: 9 * time.Second}
		response, err := b.Handle(ctx, events.SQSEvent{Records: []events.SQSMessage{message("1", "k")}})
		if err != nil || len(response.BatchItemFailures) != 1 || len(w.keys) != 0 {
			t.Errorf("%+v, %v; worked on %q", response, err, w.keys)
		}
	})
}

func TestParallel(t *testing.T) {
	for _, parallel := range []int{0, 1, 3} {
		synctest.Test(t, func(t *testing.T) {
			var mu sync.Mutex
			working, most := 0, 0
			b := &awsevents.Batch{
				Bucket: bucket, Parallel: parallel,
				Work: func(context.Context, string) error {
					mu.Lock()
					working++
					most = max(most, working)
					mu.Unlock()
					time.Sleep(time.Second) // in the bubble's time
					mu.Lock()
					defer mu.Unlock()
					working--
					return nil
				},
			}
			var messages []events.SQSMessage
			for i := range 9 {
				messages = append(messages, message(fmt.Sprint(i), fmt.Sprint("k", i)))
			}
			if failed := failures(t, b, messages...); len(failed) > 0 || most != max(parallel, 1) {
				t.Errorf("%d at a time, failed %q", most, failed)
			}
		})
	}
}
