package awsstore

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

const (
	batchTries = 10
	batchWait  = 20 * time.Millisecond // before the second try, doubled for each more; 10 s in all
)

// errUnprocessed: AWS left a part of a batch, again and again.
var errUnprocessed = errors.New("out of capacity")

// untilProcessed repeats a batch until nothing of it is left. Leaving a part is
// how AWS throttles a part of a batch, so the SDK's retryer does not see it. The
// tries begin anew whenever some of the batch went through.
func untilProcessed(ctx context.Context, send func() (left int, err error)) error {
	before := 0
	wait := batchWait
	for try := 1; ; try++ {
		left, err := send()
		if err != nil || left == 0 {
			return err
		}
		if left < before {
			try, wait = 1, batchWait
		}
		before = left
		if try == batchTries {
			return fmt.Errorf("%d left after %d tries: %w", left, try, errUnprocessed)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait/2 + rand.N(wait/2)): // spread, or parallel callers come back all at once
			wait *= 2
		}
	}
}
