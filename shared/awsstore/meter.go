package awsstore

import (
	"context"
	"maps"
	"sync"

	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/smithy-go/middleware"
)

// Meter counts the requests that clients send, by operation: what AWS bills. It
// is safe for concurrent use; its zero value is ready.
//
//	client := s3.NewFromConfig(config, func(o *s3.Options) { o.APIOptions = append(o.APIOptions, meter.Attach) })
type Meter struct {
	mu       sync.Mutex
	requests map[string]int
}

// Attach is an API option of a client: what the client sends from then on is
// counted, each try of its retryer, too.
func (m *Meter) Attach(stack *middleware.Stack) error {
	// After everything that could send a request again.
	return stack.Finalize.Add(middleware.FinalizeMiddlewareFunc("CountRequests",
		func(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (middleware.FinalizeOutput, middleware.Metadata, error) {
			m.mu.Lock()
			if m.requests == nil {
				m.requests = map[string]int{}
			}
			m.requests[awsmiddleware.GetOperationName(ctx)]++
			m.mu.Unlock()
			return next.HandleFinalize(ctx, in)
		}), middleware.After)
}

// Requests is how many were sent since the last Reset, by operation.
func (m *Meter) Requests() map[string]int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return maps.Clone(m.requests)
}

// Reset begins to count anew.
func (m *Meter) Reset() {
	m.mu.Lock()
	defer m.mu.Unlock()
	clear(m.requests)
}
