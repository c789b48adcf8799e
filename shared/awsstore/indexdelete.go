package awsstore

import (
	"context"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"wecom-archive/shared/store"
)

const maxWrites = 25 // requests in a BatchWriteItem

// Delete implements store.Index.
func (x *Index) Delete(ctx context.Context, items ...store.Item) error {
	type key struct{ partition, sort string }
	seen := make(map[key]bool, len(items))
	var requests []types.WriteRequest
	for _, item := range items {
		if err := store.CheckIndexKey(item.Partition, item.Sort); err != nil {
			return fmt.Errorf("deleting items from table %s: %w", x.table, err)
		}
		k := key{item.Partition, item.Sort}
		if seen[k] { // DynamoDB refuses a batch that names an item twice
			continue
		}
		seen[k] = true
		requests = append(requests, types.WriteRequest{DeleteRequest: &types.DeleteRequest{Key: keyOf(item.Partition, item.Sort)}})
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("deleting items from table %s: %w", x.table, err)
	}
	for batch := range slices.Chunk(requests, maxWrites) {
		if err := x.deleteBatch(ctx, batch); err != nil {
			return fmt.Errorf("deleting items from table %s: %w", x.table, err)
		}
	}
	return nil
}

func (x *Index) deleteBatch(ctx context.Context, batch []types.WriteRequest) error {
	return untilProcessed(ctx, func() (left int, err error) {
		out, err := x.client.BatchWriteItem(ctx, &dynamodb.BatchWriteItemInput{
			RequestItems: map[string][]types.WriteRequest{x.table: batch},
		})
		if err != nil {
			return 0, err
		}
		batch = nil
		for _, left := range out.UnprocessedItems { // of the one table, named as DynamoDB likes
			batch = left
		}
		return len(batch), nil
	})
}
