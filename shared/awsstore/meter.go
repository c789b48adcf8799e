package awsstore

import (
	"context"
	"maps"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go/middleware"
)

// Meter counts what clients send and AWS bills: requests by operation, and units
// of capacity as DynamoDB says. It is safe for concurrent use; its zero value is
// ready.
//
//	client := s3.NewFromConfig(config, func(o *s3.Options) { o.APIOptions = append(o.APIOptions, meter.Attach) })
type Meter struct {
	mu       sync.Mutex
	requests map[string]int
	capacity Capacity
}

// Capacity is in units of DynamoDB. Writes that a condition refused are not in
// it, though they are billed: DynamoDB does not say what they took.
type Capacity struct{ Read, Write float64 }

// Attach is an API option of a client: what the client sends from then on is
// counted, each try of its retryer, too. DynamoDB is asked to say what capacity a
// request took.
func (m *Meter) Attach(stack *middleware.Stack) error {
	err := stack.Initialize.Add(middleware.InitializeMiddlewareFunc("CountCapacity", m.countCapacity), middleware.Before)
	if err != nil {
		return err
	}
	// After everything that could send a request again.
	return stack.Finalize.Add(middleware.FinalizeMiddlewareFunc("CountRequests", m.countRequest), middleware.After)
}

func (m *Meter) countRequest(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (middleware.FinalizeOutput, middleware.Metadata, error) {
	m.mu.Lock()
	if m.requests == nil {
		m.requests = map[string]int{}
	}
	m.requests[awsmiddleware.GetOperationName(ctx)]++
	m.mu.Unlock()
	return next.HandleFinalize(ctx, in)
}

func (m *Meter) countCapacity(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (middleware.InitializeOutput, middleware.Metadata, error) {
	const total = types.ReturnConsumedCapacityTotal
	switch input := in.Parameters.(type) {
	case *dynamodb.GetItemInput:
		input.ReturnConsumedCapacity = total
	case *dynamodb.BatchGetItemInput:
		input.ReturnConsumedCapacity = total
	case *dynamodb.QueryInput:
		input.ReturnConsumedCapacity = total
	case *dynamodb.UpdateItemInput:
		input.ReturnConsumedCapacity = total
	case *dynamodb.BatchWriteItemInput:
		input.ReturnConsumedCapacity = total
	}
	out, metadata, err := next.HandleInitialize(ctx, in)
	if err != nil {
		return out, metadata, err
	}
	switch output := out.Result.(type) {
	case *dynamodb.GetItemOutput:
		m.add(&m.capacity.Read, output.ConsumedCapacity)
	case *dynamodb.BatchGetItemOutput:
		m.addAll(&m.capacity.Read, output.ConsumedCapacity)
	case *dynamodb.QueryOutput:
		m.add(&m.capacity.Read, output.ConsumedCapacity)
	case *dynamodb.UpdateItemOutput:
		m.add(&m.capacity.Write, output.ConsumedCapacity)
	case *dynamodb.BatchWriteItemOutput:
		m.addAll(&m.capacity.Write, output.ConsumedCapacity)
	}
	return out, metadata, nil
}

func (m *Meter) add(to *float64, c *types.ConsumedCapacity) {
	if c != nil {
		m.addAll(to, []types.ConsumedCapacity{*c})
	}
}

func (m *Meter) addAll(to *float64, consumed []types.ConsumedCapacity) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, c := range consumed {
		*to += aws.ToFloat64(c.CapacityUnits)
	}
}

// Requests is how many were sent since the last Reset, by operation.
func (m *Meter) Requests() map[string]int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return maps.Clone(m.requests)
}

// Capacity is what DynamoDB said that it took since the last Reset.
func (m *Meter) Capacity() Capacity {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.capacity
}

// Reset begins to count anew.
func (m *Meter) Reset() {
	m.mu.Lock()
	defer m.mu.Unlock()
	clear(m.requests)
	m.capacity = Capacity{}
}
