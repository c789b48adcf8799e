package awsstore_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"wecom-archive/shared/awsstore"
	"wecom-archive/shared/store"
)

// dynamo answers DynamoDB's requests with what no stand-in does: throttling,
// unprocessed items, answers that get lost. The contract suite runs on stand-ins,
// see standins_test.go.
type dynamo struct {
	mu     sync.Mutex
	calls  []dynamoCall
	answer func(n int, call dynamoCall) dynamoReply // n counts from 1
}

type dynamoCall struct {
	Operation string
	Body      map[string]any
}

type dynamoReply struct {
	fault string         // error type
	body  map[string]any // of the answer, or beside the fault
	lost  bool           // the connection breaks before the answer
}

func (d *dynamo) Do(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	call := dynamoCall{Operation: strings.TrimPrefix(r.Header.Get("X-Amz-Target"), "DynamoDB_20120810.")}
	if err := json.NewDecoder(r.Body).Decode(&call.Body); err != nil {
		return nil, err
	}
	d.calls = append(d.calls, call)
	reply := d.answer(len(d.calls), call)
	if reply.lost {
		return nil, io.ErrUnexpectedEOF
	}
	status := http.StatusOK
	if reply.body == nil {
		reply.body = map[string]any{}
	}
	if reply.fault != "" {
		status = http.StatusBadRequest
		reply.body["__type"] = "com.amazonaws.dynamodb.v20120810#" + reply.fault
	}
	text, err := json.Marshal(reply.body)
	return &http.Response{
		StatusCode: status, Header: http.Header{"Content-Type": {"application/x-amz-json-1.0"}},
		Body: io.NopCloser(strings.NewReader(string(text))), ContentLength: int64(len(text)), Request: r,
	}, err
}

func (d *dynamo) index() *awsstore.Index { return indexOver(d) }

func indexOver(client dynamodb.HTTPClient) *awsstore.Index {
	return awsstore.NewIndex(dynamodb.New(dynamodb.Options{
		BaseEndpoint: aws.String("https://dynamodb.example"), Region: "cn-north-1", HTTPClient: client, Retryer: patient(),
		Credentials: credentials.NewStaticCredentialsProvider("id", "secret", ""),
	}), "table")
}

// at walks down a decoded JSON object.
func at(v any, path ...string) any {
	for _, name := range path {
		m, _ := v.(map[string]any)
		v = m[name]
	}
	return v
}

func TestPutRequests(t *testing.T) {
	d := &dynamo{answer: func(n int, _ dynamoCall) dynamoReply {
		return dynamoReply{fault: []string{"ProvisionedThroughputExceededException", "", "ThrottlingException", "", ""}[n-1]}
	}}
	item := store.Item{Partition: "p", Sort: "s", Value: []byte("{}")}
	if err := d.index().Put(t.Context(), item); err != nil {
		t.Fatal(err)
	}
	if err := d.index().PutIf(t.Context(), item); err != nil {
		t.Fatal(err)
	}
	if len(d.calls) != 4 {
		t.Fatalf("%d calls, want 4", len(d.calls))
	}
	for i, call := range d.calls {
		expression, _ := call.Body["UpdateExpression"].(string)
		if call.Operation != "UpdateItem" || !strings.Contains(expression, "ADD r :one") || at(call.Body, "ExpressionAttributeValues", ":v", "B") != "e30=" {
			t.Errorf("call %d: %s %v", i, call.Operation, call.Body)
		}
		if conditional := call.Body["ConditionExpression"] != nil; conditional != (i >= 2) {
			t.Errorf("call %d: conditional is %v", i, conditional)
		}
	}
}

func TestPutGivesUp(t *testing.T) {
	d := &dynamo{answer: func(_ int, call dynamoCall) dynamoReply {
		if at(call.Body, "Key", "s", "S") == "07" {
			return dynamoReply{fault: "ProvisionedThroughputExceededException"}
		}
		return dynamoReply{}
	}}
	var items []store.Item
	for i := range 40 {
		items = append(items, store.Item{Partition: "p", Sort: fmt.Sprintf("%02d", i), Value: []byte("1")})
	}
	err := d.index().Put(t.Context(), items...)
	if err == nil || !strings.Contains(err.Error(), `"07"`) || !strings.Contains(err.Error(), "table") {
		t.Errorf("Put = %v, want the item that failed", err)
	}
	if errors.Is(err, context.Canceled) {
		t.Errorf("Put = %v: that others were given up is not the reason", err)
	}
}

// TestGetIsConsistent: the port promises that reads see every earlier write.
func TestGetIsConsistent(t *testing.T) {
	d := &dynamo{answer: func(int, dynamoCall) dynamoReply { return dynamoReply{} }}
	if _, err := d.index().Get(t.Context(), "p", "s"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("Get = %v, want ErrNotFound", err)
	}
	if d.calls[0].Operation != "GetItem" || d.calls[0].Body["ConsistentRead"] != true {
		t.Errorf("request %s %v", d.calls[0].Operation, d.calls[0].Body)
	}
}

// slow takes a second for each request and notes how many come at once.
type slow struct {
	*dynamo
	mu         sync.Mutex
	open, most int
}

func (s *slow) Do(r *http.Request) (*http.Response, error) {
	s.mu.Lock()
	s.open++
	s.most = max(s.most, s.open)
	s.mu.Unlock()
	time.Sleep(time.Second) // in the bubble's time
	s.mu.Lock()
	s.open--
	s.mu.Unlock()
	return s.dynamo.Do(r)
}

// TestPutParallel: many items are written at once, but not without bound.
func TestPutParallel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &slow{dynamo: &dynamo{answer: func(int, dynamoCall) dynamoReply { return dynamoReply{} }}}
		var items []store.Item
		for i := range 80 {
			items = append(items, store.Item{Partition: "p", Sort: fmt.Sprint(i)})
		}
		begin := time.Now()
		if err := indexOver(s).Put(t.Context(), items...); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(begin); s.most != 8 || took != 10*time.Second || len(s.calls) != 80 {
			t.Errorf("%d requests, %d at once, in %v; want 80, 8, 10 s", len(s.calls), s.most, took)
		}
	})
}

// TestPutIfLostAnswer: the SDK sends a write again whose answer got lost, and the
// condition fails because the first try was written.
func TestPutIfLostAnswer(t *testing.T) {
	for _, test := range []struct {
		name string
		by   func(first dynamoCall) any // what the stored item has as the name of its last PutIf
		want error
	}{
		{"our own write", func(first dynamoCall) any { return at(first.Body, "ExpressionAttributeValues", ":w") }, nil},
		{"somebody else's", func(dynamoCall) any { return map[string]any{"B": "b3RoZXI="} }, store.ErrConflict},
		{"a Put's", func(dynamoCall) any { return nil }, store.ErrConflict},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := &dynamo{}
			d.answer = func(n int, call dynamoCall) dynamoReply {
				if n == 1 {
					return dynamoReply{lost: true}
				}
				if call.Body["ReturnValuesOnConditionCheckFailure"] != "ALL_OLD" {
					t.Errorf("it does not ask what is stored: %v", call.Body)
				}
				stored := map[string]any{"p": map[string]any{"S": "p"}, "s": map[string]any{"S": "s"}, "r": map[string]any{"N": "8"}}
				if by := test.by(d.calls[0]); by != nil {
					stored["w"] = by
				}
				return dynamoReply{fault: "ConditionalCheckFailedException", body: map[string]any{"Item": stored}}
			}
			err := d.index().PutIf(t.Context(), store.Item{Partition: "p", Sort: "s", Value: []byte("1"), Revision: 7})
			if !errors.Is(err, test.want) || len(d.calls) != 2 {
				t.Errorf("PutIf = %v after %d calls, want %v after 2", err, len(d.calls), test.want)
			}
		})
	}
}

// TestPutIfNames: two calls never share a name, or one would take the other's
// write for its own.
func TestPutIfNames(t *testing.T) {
	names := map[any]bool{}
	d := &dynamo{answer: func(_ int, call dynamoCall) dynamoReply {
		names[at(call.Body, "ExpressionAttributeValues", ":w", "B")] = true
		return dynamoReply{}
	}}
	index := d.index()
	for range 100 {
		if err := index.PutIf(t.Context(), store.Item{Partition: "p", Sort: "s"}); err != nil {
			t.Fatal(err)
		}
	}
	if len(names) != 100 || names[nil] {
		t.Errorf("%d names in 100 calls", len(names))
	}
}

// deletions are the sort keys of a BatchWriteItem.
func deletions(t *testing.T, call dynamoCall) (sorts []string) {
	t.Helper()
	requests, _ := at(call.Body, "RequestItems", "table").([]any)
	for _, r := range requests {
		s, ok := at(r, "DeleteRequest", "Key", "s", "S").(string)
		if !ok {
			t.Fatalf("request %v", r)
		}
		sorts = append(sorts, s)
	}
	return sorts
}

// TestDeleteUnprocessed: DynamoDB takes ten at a time and leaves the rest.
func TestDeleteUnprocessed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var deleted []string
		d := &dynamo{}
		d.answer = func(_ int, call dynamoCall) dynamoReply {
			sorts := deletions(t, call)
			if len(sorts) == 0 || len(sorts) > 25 {
				return dynamoReply{fault: "ValidationException"}
			}
			n := min(10, len(sorts))
			deleted = append(deleted, sorts[:n]...)
			if n == len(sorts) {
				return dynamoReply{}
			}
			left, _ := at(call.Body, "RequestItems", "table").([]any)
			return dynamoReply{body: map[string]any{"UnprocessedItems": map[string]any{"table": left[n:]}}}
		}
		var items []store.Item
		var want []string
		for i := range 60 {
			want = append(want, fmt.Sprintf("%02d", i))
			items = append(items, store.Item{Partition: "p", Sort: want[i]}, store.Item{Partition: "p", Sort: want[i]})
		}
		begin := time.Now()
		if err := d.index().Delete(t.Context(), items...); err != nil {
			t.Fatal(err)
		}
		if slices.Sort(deleted); !slices.Equal(deleted, want) {
			t.Errorf("deleted %q", deleted)
		}
		if len(d.calls) != 7 || time.Since(begin) > time.Second {
			t.Errorf("%d calls in %v, want 3 for each full batch and 1 for the last, soon", len(d.calls), time.Since(begin))
		}
	})
}

func nothingProcessed(_ int, call dynamoCall) dynamoReply {
	return dynamoReply{body: map[string]any{"UnprocessedItems": call.Body["RequestItems"]}}
}

func TestDeleteGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &dynamo{answer: nothingProcessed}
		begin := time.Now()
		err := d.index().Delete(t.Context(), store.Item{Partition: "p", Sort: "s"})
		if err == nil || !strings.Contains(err.Error(), "out of capacity") {
			t.Errorf("Delete = %v", err)
		}
		if took := time.Since(begin); len(d.calls) != 10 || took < 3*time.Second || took > 15*time.Second {
			t.Errorf("%d calls in %v, want 10 in about 8 s", len(d.calls), took)
		}
	})
}

func TestDeleteCancelledWhileWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		d := &dynamo{answer: nothingProcessed}
		if err := d.index().Delete(ctx, store.Item{Partition: "p", Sort: "s"}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Delete = %v, want context.DeadlineExceeded", err)
		}
	})
}

// TestForeignItems: an item that this adapter did not write is damage, not data.
func TestForeignItems(t *testing.T) {
	for name, damage := range map[string]func(map[string]any){
		"no revision":          func(m map[string]any) { delete(m, "r") },
		"revision as text":     func(m map[string]any) { m["r"] = map[string]any{"S": "1"} },
		"revision with a dot":  func(m map[string]any) { m["r"] = map[string]any{"N": "1.5"} },
		"revision 0":           func(m map[string]any) { m["r"] = map[string]any{"N": "0"} },
		"revision beyond 2^63": func(m map[string]any) { m["r"] = map[string]any{"N": "9223372036854775808"} },
		"value as text":        func(m map[string]any) { m["v"] = map[string]any{"S": "{}"} },
		"no value":             func(m map[string]any) { delete(m, "v") },
		"no sort key":          func(m map[string]any) { delete(m, "s") },
	} {
		t.Run(name, func(t *testing.T) {
			item := storedItem("s", "e30=", "1")
			damage(item)
			d := &dynamo{answer: func(_ int, call dynamoCall) dynamoReply {
				return dynamoReply{body: map[string]any{"Item": item, "Items": []any{item}}}
			}}
			if _, err := d.index().Get(t.Context(), "p", "s"); !errors.Is(err, store.ErrDamaged) {
				t.Errorf("Get = %v, want ErrDamaged", err)
			}
			if _, err := d.index().Query(t.Context(), store.IndexQuery{Partition: "p", Limit: 1}); !errors.Is(err, store.ErrDamaged) {
				t.Errorf("Query = %v, want ErrDamaged", err)
			}
		})
	}
}

// TestNoTable: the error says which table, and is none that a caller takes for
// "there is no such item".
func TestNoTable(t *testing.T) {
	d := &dynamo{answer: func(int, dynamoCall) dynamoReply { return dynamoReply{fault: "ResourceNotFoundException"} }}
	item := store.Item{Partition: "p", Sort: "s"}
	_, errGet := d.index().Get(t.Context(), "p", "s")
	_, errMany := d.index().GetMany(t.Context(), item)
	_, errQuery := d.index().Query(t.Context(), store.IndexQuery{Partition: "p", Limit: 1})
	for call, err := range map[string]error{
		"Get": errGet, "GetMany": errMany, "Query": errQuery, "Put": d.index().Put(t.Context(), item),
		"PutIf": d.index().PutIf(t.Context(), item), "Delete": d.index().Delete(t.Context(), item),
	} {
		if err == nil || errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrConflict) || !strings.Contains(err.Error(), "table") {
			t.Errorf("%s = %v", call, err)
		}
	}
}
