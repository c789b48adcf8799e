package awsstore_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"wecom-archive/shared/store"
)

func storedItem(sort, value, revision string) map[string]any {
	return map[string]any{
		"p": map[string]any{"S": "p"}, "s": map[string]any{"S": sort},
		"v": map[string]any{"B": value}, "r": map[string]any{"N": revision},
	}
}

// TestQueryGoesOn: a page may end early, also with no item at all.
func TestQueryGoesOn(t *testing.T) {
	pages := [][]any{{storedItem("a", "MQ==", "1")}, {}, {storedItem("b", "Mg==", "9"), storedItem("c", "Mw==", "1")}}
	d := &dynamo{answer: func(n int, call dynamoCall) dynamoReply {
		body := map[string]any{"Items": pages[n-1], "LastEvaluatedKey": map[string]any{"p": map[string]any{"S": "p"}, "s": map[string]any{"S": fmt.Sprint("key", n)}}}
		if n > 1 && at(call.Body, "ExclusiveStartKey", "s", "S") != fmt.Sprint("key", n-1) {
			t.Errorf("call %d begins at %v", n, call.Body["ExclusiveStartKey"])
		}
		if call.Body["ConsistentRead"] != true {
			t.Errorf("call %d is not strongly consistent", n)
		}
		return dynamoReply{body: body}
	}}
	items, err := d.index().Query(t.Context(), store.IndexQuery{Partition: "p", Limit: 3})
	if err != nil || len(items) != 3 || items[1].Revision != 9 || string(items[2].Value) != "3" {
		t.Errorf("Query = %+v, %v", items, err)
	}
	if len(d.calls) != 3 || d.calls[1].Body["Limit"] != 2.0 {
		t.Errorf("%d calls, want 3, and no more asked for than is missing: %v", len(d.calls), d.calls)
	}
}

// TestQueryBounds: what DynamoDB is asked for. It bounds twice with BETWEEN only,
// which includes both ends.
func TestQueryBounds(t *testing.T) {
	longest := strings.Repeat("k", store.MaxIndexKey)
	for _, test := range []struct {
		name      string
		q         store.IndexQuery
		condition string
		from, to  any
		limit     float64
	}{
		{"all", store.IndexQuery{}, "p = :p", nil, nil, 5},
		{"from", store.IndexQuery{From: "a"}, "p = :p AND s >= :from", "a", nil, 5},
		{"to", store.IndexQuery{To: "b"}, "p = :p AND s <= :to", nil, "b", 5},
		{"to, downwards", store.IndexQuery{To: "b", Descending: true}, "p = :p AND s <= :to", nil, "b", 6},
		{"both", store.IndexQuery{From: "a", To: "b"}, "p = :p AND s BETWEEN :from AND :to", "a", "b", 5},
		{"both, downwards", store.IndexQuery{From: "a", To: "b", Descending: true}, "p = :p AND s BETWEEN :from AND :to", "a", "b", 6},
		{"after a key", store.IndexQuery{From: "a\x00"}, "p = :p AND s >= :from", "a\x00", nil, 5},
		{"after the longest key", store.IndexQuery{From: longest + "\x00"}, "p = :p AND s >= :from", longest, nil, 6},
		{"to after the longest key", store.IndexQuery{To: longest + "\x00"}, "p = :p AND s <= :to", nil, longest, 5},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := &dynamo{answer: func(int, dynamoCall) dynamoReply {
				return dynamoReply{body: map[string]any{"Items": []any{storedItem(longest, "", "1")}}}
			}}
			test.q.Partition, test.q.Limit = "p", 5
			items, err := d.index().Query(t.Context(), test.q)
			if err != nil {
				t.Fatal(err)
			}
			values := d.calls[0].Body["ExpressionAttributeValues"]
			if body := d.calls[0].Body; body["KeyConditionExpression"] != test.condition || at(values, ":from", "S") != test.from ||
				at(values, ":to", "S") != test.to || body["Limit"] != test.limit || body["ScanIndexForward"] != !test.q.Descending {
				t.Errorf("request %.300v", body)
			}
			if in := longest >= test.q.From && (test.q.To == "" || longest < test.q.To); in != (len(items) == 1) {
				t.Errorf("%d items, want the one stored: %v", len(items), in)
			}
		})
	}
	d := &dynamo{answer: func(int, dynamoCall) dynamoReply { return dynamoReply{} }}
	for _, bad := range []store.IndexQuery{{From: longest + "kk"}, {To: longest + "k"}, {From: "\xff"}, {To: "会"[:1]}} {
		bad.Partition, bad.Limit = "p", 1
		if _, err := d.index().Query(t.Context(), bad); err == nil || len(d.calls) > 0 {
			t.Errorf("Query(%.20q, %.20q) = %v after %d calls, want it refused", bad.From, bad.To, err, len(d.calls))
		}
	}
}

// TestQueryOfNothing: DynamoDB calls it an error if the bounds are the wrong way
// round; it is a range without items, and not worth a request.
func TestQueryOfNothing(t *testing.T) {
	d := &dynamo{answer: func(int, dynamoCall) dynamoReply { return dynamoReply{fault: "ValidationException"} }}
	for _, q := range []store.IndexQuery{{From: "b", To: "a"}, {From: "a", To: "a"}} {
		q.Partition, q.Limit = "p", 1
		if items, err := d.index().Query(t.Context(), q); err != nil || len(items) > 0 || len(d.calls) > 0 {
			t.Errorf("Query from %q to %q = %v, %v after %d calls", q.From, q.To, items, err, len(d.calls))
		}
	}
}

// TestGetManyUnprocessed: DynamoDB gives 10 at a time, in an order of its own, and
// leaves the rest.
func TestGetManyUnprocessed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &dynamo{}
		d.answer = func(n int, call dynamoCall) dynamoReply {
			keys, _ := at(call.Body, "RequestItems", "table", "Keys").([]any)
			if len(keys) == 0 || len(keys) > 100 || at(call.Body, "RequestItems", "table", "ConsistentRead") != true {
				return dynamoReply{fault: "ValidationException"}
			}
			give := min(10, len(keys))
			if n%2 == 0 {
				give = 0 // throttled
			}
			var items []any
			for _, k := range slices.Backward(keys[:give]) {
				s, _ := at(k, "s", "S").(string)
				if !strings.HasSuffix(s, "5") {
					items = append(items, storedItem(s, "e30=", "1"))
				}
			}
			body := map[string]any{"Responses": map[string]any{"table": items}}
			if give < len(keys) {
				body["UnprocessedKeys"] = map[string]any{"table": map[string]any{"Keys": keys[give:], "ConsistentRead": true}}
			}
			return dynamoReply{body: body}
		}
		var asked []store.Item
		var want []string
		for i := range 150 {
			s := fmt.Sprintf("%03d", i)
			asked = append(asked, store.Item{Partition: "p", Sort: s})
			if i%10 != 5 {
				want = append(want, s)
			}
		}
		found, err := d.index().GetMany(t.Context(), asked...)
		var got []string
		for _, item := range found {
			got = append(got, item.Sort)
		}
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("GetMany gives %q, %v", got, err)
		}
	})
}

func TestGetManyGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &dynamo{answer: func(_ int, call dynamoCall) dynamoReply {
			return dynamoReply{body: map[string]any{"UnprocessedKeys": call.Body["RequestItems"]}}
		}}
		found, err := d.index().GetMany(t.Context(), store.Item{Partition: "p", Sort: "s"})
		if err == nil || found != nil || !strings.Contains(err.Error(), "out of capacity") || len(d.calls) != 10 {
			t.Errorf("GetMany = %v, %v after %d calls", found, err, len(d.calls))
		}
	})
}
