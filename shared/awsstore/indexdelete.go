package awsstore

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"wecom-archive/shared/archive"
)

const (
	maxBatch    = 25 // requests in a BatchWriteItem
	deleteTries = 10
	deleteWait  = 20 * time.Millisecond // before the second try, doubled for each more; 10 s in all
)

// errUnprocessed: DynamoDB had no capacity for some of a batch, again and again.
var errUnprocessed = errors.New("the table is out of capacity")

// Delete implements archive.Index.
func (x *Index) Delete(ctx context.Context, items ...archive.Item) error {
	type key struct{ partition, sort string }
	seen := make(map[key]bool, len(items))
	var requests []types.WriteRequest
	for _, item := range items {
		if err := archive.CheckIndexKey(item.Partition, item.Sort); err != nil {
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
	for batch := range slices.Chunk(requests, maxBatch) {
		if err := x.deleteBatch(ctx, batch); err != nil {
			return fmt.Errorf("deleting items from table %s: %w", x.table, err)
		}
	}
	return nil
}

// deleteBatch sends again what DynamoDB leaves unprocessed. That is how it
// throttles a part of a batch, so the SDK's retryer does not see it.
func (x *Index) deleteBatch(ctx context.Context, batch []types.WriteRequest) error {
	wait := deleteWait
	for try := 1; ; try++ {
		out, err := x.client.BatchWriteItem(ctx, &dynamodb.BatchWriteItemInput{
			RequestItems: map[string][]types.WriteRequest{x.table: batch},
		})
		if err != nil {
			return err
		}
		batch = nil
		for _, left := range out.UnprocessedItems { // of the one table, named as DynamoDB likes
			batch = left
		}
		if len(batch) == 0 {
			return nil
		}
		if try == deleteTries {
			return fmt.Errorf("%d items left after %d tries: %w", len(batch), try, errUnprocessed)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait/2 + rand.N(wait/2)): // spread, or parallel writers come back all at once
			wait *= 2
		}
	}
}
