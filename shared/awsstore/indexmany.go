package awsstore

import (
	"context"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"golang.org/x/sync/errgroup"

	"wecom-archive/shared/store"
)

const (
	maxReads      = 100 // keys in a BatchGetItem
	parallelReads = 4   // BatchGetItems at a time
)

// GetMany implements store.Index.
func (x *Index) GetMany(ctx context.Context, items ...store.Item) ([]store.Item, error) {
	found, err := x.getMany(ctx, items)
	if err != nil {
		return nil, fmt.Errorf("getting %d items from table %s: %w", len(items), x.table, err)
	}
	return found, nil
}

func (x *Index) getMany(ctx context.Context, items []store.Item) ([]store.Item, error) {
	if err := store.CheckItems(items...); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	batches := slices.Collect(slices.Chunk(items, maxReads))
	found := make([][]store.Item, len(batches))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(parallelReads)
	for i, batch := range batches {
		g.Go(func() (err error) {
			found[i], err = x.getBatch(ctx, batch)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	return slices.Concat(found...), nil
}

// getBatch puts the items in the order of wanted: DynamoDB has none.
func (x *Index) getBatch(ctx context.Context, wanted []store.Item) ([]store.Item, error) {
	type key struct{ partition, sort string }
	place := make(map[key]int, len(wanted))
	keys := make([]map[string]types.AttributeValue, len(wanted))
	for i, item := range wanted {
		place[key{item.Partition, item.Sort}] = i
		keys[i] = keyOf(item.Partition, item.Sort)
	}
	found := make([]store.Item, len(wanted))
	err := untilProcessed(ctx, func() (left int, err error) {
		out, err := x.client.BatchGetItem(ctx, &dynamodb.BatchGetItemInput{RequestItems: map[string]types.KeysAndAttributes{
			x.table: {Keys: keys, ConsistentRead: aws.Bool(true)},
		}})
		if err != nil {
			return 0, err
		}
		for _, list := range out.Responses { // of the one table, named as DynamoDB likes
			for _, attrs := range list {
				item, err := decodeItem(attrs)
				if err != nil {
					return 0, err
				}
				i, ok := place[key{item.Partition, item.Sort}]
				if !ok {
					return 0, fmt.Errorf("item %q of %q came unasked: %w", item.Sort, item.Partition, store.ErrDamaged)
				}
				found[i] = item
			}
		}
		keys = nil
		for _, rest := range out.UnprocessedKeys {
			keys = rest.Keys
		}
		return len(keys), nil
	})
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(found, func(item store.Item) bool { return item.Partition == "" }), nil
}
