package awsstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cenkalti/backoff/v5"

	"wecom-archive/shared/clock"
)

const (
	batchTries = 10
	batchWait  = 15 * time.Millisecond // before the second try, a third more or less; doubled for each more; 8 s in all
)

// errUnprocessed: AWS left a part of a batch, again and again.
var errUnprocessed = errors.New("out of capacity")

// untilProcessed repeats a batch until nothing of it is left. Leaving a part is
// how AWS throttles a part of a batch, so the SDK's retryer does not see it. The
// tries begin anew whenever some of the batch went through.
func untilProcessed(ctx context.Context, send func() (left int, err error)) error {
	before := 0
	pause := backoff.NewExponentialBackOff()
	pause.InitialInterval, pause.Multiplier = batchWait, 2
	pause.RandomizationFactor = 1.0 / 3 // spread, or parallel callers come back all at once
	for try := 1; ; try++ {
		left, err := send()
		if err != nil || left == 0 {
			return err
		}
		if left < before {
			try = 1
			pause.Reset()
		}
		before = left
		if try == batchTries {
			return fmt.Errorf("%d left after %d tries: %w", left, try, errUnprocessed)
		}
		if err := clock.Sleep(ctx, pause.NextBackOff()); err != nil {
			return err
		}
	}
}
