package awsstore

import (
	"context"
	"fmt"
	"math"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"wecom-archive/shared/store"
)

// Query implements store.Index. DynamoDB answers at most 1 MB at a time; it
// goes on until it has what was asked for.
func (x *Index) Query(ctx context.Context, q store.IndexQuery) ([]store.Item, error) {
	items, err := x.query(ctx, q)
	if err != nil {
		return nil, fmt.Errorf("querying %q in table %s: %w", q.Partition, x.table, err)
	}
	return items, nil
}

func (x *Index) query(ctx context.Context, q store.IndexQuery) ([]store.Item, error) {
	if q.Limit < 1 {
		return nil, fmt.Errorf("limit %d is not at least 1", q.Limit)
	}
	if err := store.CheckIndexKey(q.Partition); err != nil {
		return nil, err
	}
	input, exact, err := x.queryInput(q)
	if err != nil || q.To != "" && q.From >= q.To {
		return nil, err // nothing lies between; DynamoDB would call it an error
	}
	var items []store.Item
	for {
		want := q.Limit - len(items)
		if !exact {
			want++ // for the item at the bound, which is dropped
		}
		input.Limit = aws.Int32(int32(min(want, math.MaxInt32)))
		out, err := x.client.Query(ctx, input)
		if err != nil {
			return nil, err
		}
		for _, attrs := range out.Items {
			item, err := decodeItem(attrs)
			if err != nil {
				return nil, err
			}
			if item.Sort >= q.From && (q.To == "" || item.Sort < q.To) {
				items = append(items, item)
			}
		}
		if len(items) >= q.Limit {
			return items[:q.Limit], nil
		}
		if len(out.LastEvaluatedKey) == 0 {
			return items, nil
		}
		input.ExclusiveStartKey = out.LastEvaluatedKey
	}
}

// queryInput asks for the range of q. It is not exact if the range that DynamoDB
// is asked for holds one key more, at the end where reading begins.
func (x *Index) queryInput(q store.IndexQuery) (input *dynamodb.QueryInput, exact bool, err error) {
	values := map[string]types.AttributeValue{":p": text(q.Partition)}
	condition := "p = :p"
	from, fromCut, err := bound(q.From)
	if err != nil {
		return nil, false, fmt.Errorf("from: %w", err)
	}
	to, _, err := bound(q.To)
	if err != nil {
		return nil, false, fmt.Errorf("to: %w", err)
	}
	exact = q.Descending || !fromCut
	switch {
	case from != "" && to != "":
		condition += " AND s BETWEEN :from AND :to" // both inclusive; there is no other way to bound twice
		exact = exact && !q.Descending
	case from != "":
		condition += " AND s >= :from"
	case to != "":
		condition += " AND s <= :to"
		exact = !q.Descending
	}
	if from != "" {
		values[":from"] = text(from)
	}
	if to != "" {
		values[":to"] = text(to)
	}
	return &dynamodb.QueryInput{
		TableName:                 &x.table,
		KeyConditionExpression:    &condition,
		ExpressionAttributeValues: values,
		ConsistentRead:            aws.Bool(true),
		ScanIndexForward:          aws.Bool(!q.Descending),
	}, exact, nil
}

// bound makes a bound that DynamoDB takes: text no longer than a sort key. A
// longer one can only be the longest key with a NUL behind it, which is how a
// caller goes on after that key; it is cut, and no other key lies between.
func bound(s string) (_ string, cut bool, err error) {
	if len(s) == store.MaxIndexKey+1 && s[store.MaxIndexKey] == 0 {
		s, cut = s[:store.MaxIndexKey], true
	}
	if len(s) > store.MaxIndexKey || !utf8.ValidString(s) {
		return "", false, fmt.Errorf("bound of %d bytes is not at most %d bytes of UTF-8", len(s), store.MaxIndexKey)
	}
	return s, cut, nil
}
