package awsstore

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"golang.org/x/sync/errgroup"

	"wecom-archive/shared/store"
)

// Attributes of the table's items. Their names count towards the size of an
// item, so they have one letter.
const (
	attrPartition = "p" // S, partition key
	attrSort      = "s" // S, sort key
	attrValue     = "v" // B
	attrRevision  = "r" // N
	attrWrite     = "w" // B, names the last PutIf: see there
)

// parallelPuts is how many items one Put writes at a time. The SDK keeps ten idle
// connections to a host; more writers would open new ones all the time.
const parallelPuts = 8

// Index is an store.Index in one DynamoDB table with partition key "p" and sort
// key "s", both strings, and no secondary index. It is safe for concurrent use.
// Throttling and broken connections the client's own retryer retries.
//
// Reads are strongly consistent: one read unit per 4 KB.
type Index struct {
	client dynamodbCalls
	table  string
}

var _ store.Index = (*Index)(nil)

// NewIndex uses the table, which exists.
func NewIndex(client *dynamodb.Client, table string) *Index {
	return &Index{dynamodbCalls{
		client.GetItem, client.UpdateItem, client.Query, client.Scan, client.BatchGetItem, client.BatchWriteItem,
	}, table}
}

// Get implements store.Index.
func (x *Index) Get(ctx context.Context, partition, sort string) (store.Item, error) {
	item, err := x.get(ctx, partition, sort)
	if err != nil {
		return store.Item{}, x.failed("getting", partition, sort, err)
	}
	return item, nil
}

func (x *Index) get(ctx context.Context, partition, sort string) (store.Item, error) {
	if err := store.CheckIndexKey(partition, sort); err != nil {
		return store.Item{}, err
	}
	out, err := x.client.GetItem(ctx, &dynamodb.GetItemInput{
		TableName: &x.table, Key: keyOf(partition, sort), ConsistentRead: aws.Bool(true),
	})
	if err != nil {
		return store.Item{}, err
	}
	if len(out.Item) == 0 {
		return store.Item{}, store.ErrNotFound
	}
	return decodeItem(out.Item)
}

// Put implements store.Index.
//
// It updates item by item, since a BatchWriteItem cannot count: it would have to
// write a revision that it does not know, and a PutIf that read the item before
// could then overwrite it unseen. An update costs the same write units as a put
// in a batch; what it costs more is requests, which are free, and some
// milliseconds, which parallelPuts divides. If the answer to an update gets lost
// the SDK repeats it, and the revision grows by two; it only has to grow.
func (x *Index) Put(ctx context.Context, items ...store.Item) error {
	if err := store.CheckItems(items...); err != nil {
		return fmt.Errorf("putting items into table %s: %w", x.table, err)
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("putting items into table %s: %w", x.table, err)
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(parallelPuts)
	for _, item := range items {
		g.Go(func() error {
			if _, err := x.client.UpdateItem(ctx, x.update(item)); err != nil {
				return x.failed("putting", item.Partition, item.Sort, err)
			}
			return nil
		})
	}
	return g.Wait()
}

// update writes the value and counts the write, whatever was there before.
func (x *Index) update(item store.Item) *dynamodb.UpdateItemInput {
	return &dynamodb.UpdateItemInput{
		TableName:                 &x.table,
		Key:                       keyOf(item.Partition, item.Sort),
		UpdateExpression:          aws.String("SET v = :v ADD r :one"),
		ExpressionAttributeValues: map[string]types.AttributeValue{":v": binary(item.Value), ":one": number(1)},
	}
}

// PutIf implements store.Index.
//
// If the answer to the write gets lost the SDK sends it again, and the condition
// then fails because of our own first try. Each call therefore leaves a name of
// its own in the item, by which it knows its write.
func (x *Index) PutIf(ctx context.Context, item store.Item) error {
	if err := x.putIf(ctx, item); err != nil {
		return x.failed(fmt.Sprintf("putting at revision %d", item.Revision), item.Partition, item.Sort, err)
	}
	return nil
}

func (x *Index) putIf(ctx context.Context, item store.Item) error {
	if err := store.CheckItems(item); err != nil {
		return err
	}
	name := rand.Text()
	input := x.update(item)
	input.UpdateExpression = aws.String("SET v = :v, w = :w ADD r :one")
	input.ExpressionAttributeValues[":w"] = binary([]byte(name))
	input.ReturnValuesOnConditionCheckFailure = types.ReturnValuesOnConditionCheckFailureAllOld
	if item.Revision == 0 {
		input.ConditionExpression = aws.String("attribute_not_exists(p)")
	} else {
		input.ConditionExpression = aws.String("r = :seen")
		input.ExpressionAttributeValues[":seen"] = number(item.Revision)
	}
	_, err := x.client.UpdateItem(ctx, input)
	var failed *types.ConditionalCheckFailedException
	if !errors.As(err, &failed) {
		return err
	}
	if stored, ok := failed.Item[attrWrite].(*types.AttributeValueMemberB); ok && string(stored.Value) == name {
		return nil
	}
	return store.ErrConflict
}

func keyOf(partition, sort string) map[string]types.AttributeValue {
	return map[string]types.AttributeValue{
		attrPartition: text(partition),
		attrSort:      text(sort),
	}
}

func text(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }
func binary(b []byte) types.AttributeValue {
	return &types.AttributeValueMemberB{Value: append([]byte{}, b...)}
} // nil would be sent as null
func number(n int64) types.AttributeValue {
	return &types.AttributeValueMemberN{Value: strconv.FormatInt(n, 10)}
}

// decodeItem refuses items that this adapter did not write.
func decodeItem(attrs map[string]types.AttributeValue) (store.Item, error) {
	partition, okP := attrs[attrPartition].(*types.AttributeValueMemberS)
	sort, okS := attrs[attrSort].(*types.AttributeValueMemberS)
	value, okV := attrs[attrValue].(*types.AttributeValueMemberB)
	revision, okR := attrs[attrRevision].(*types.AttributeValueMemberN)
	if !okP || !okS || !okV || !okR {
		return store.Item{}, fmt.Errorf("the stored item lacks keys, value or revision: %w", store.ErrDamaged)
	}
	n, err := strconv.ParseInt(revision.Value, 10, 64)
	if err != nil || n < 1 {
		return store.Item{}, fmt.Errorf("the stored item has revision %q: %w", revision.Value, store.ErrDamaged)
	}
	return store.Item{Partition: partition.Value, Sort: sort.Value, Value: value.Value, Revision: n}, nil
}

func (x *Index) failed(doing, partition, sort string, err error) error {
	return fmt.Errorf("%s item %q of %q in table %s: %w", doing, sort, partition, x.table, err)
}
