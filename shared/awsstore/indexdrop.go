package awsstore

import (
	"context"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"wecom-archive/shared/store"
)

var _ store.Dropper = (*Index)(nil)

// Drop implements store.Dropper with a Scan and deletions: read units for the
// whole table, and a write unit for each KB of an item. It is the one Scan there
// is; nothing but a rebuild calls it.
func (x *Index) Drop(ctx context.Context, keep ...string) error {
	input := &dynamodb.ScanInput{
		TableName: &x.table, ConsistentRead: aws.Bool(true), ProjectionExpression: aws.String("p, s"),
	}
	for {
		out, err := x.client.Scan(ctx, input)
		if err != nil {
			return fmt.Errorf("dropping the items of table %s: %w", x.table, err)
		}
		var items []store.Item
		for _, attrs := range out.Items {
			partition, okP := attrs[attrPartition].(*types.AttributeValueMemberS)
			sort, okS := attrs[attrSort].(*types.AttributeValueMemberS)
			if okP && okS && !slices.Contains(keep, partition.Value) {
				items = append(items, store.Item{Partition: partition.Value, Sort: sort.Value})
			}
		}
		if err := x.Delete(ctx, items...); err != nil {
			return err
		}
		if len(out.LastEvaluatedKey) == 0 {
			return nil
		}
		input.ExclusiveStartKey = out.LastEvaluatedKey
	}
}
