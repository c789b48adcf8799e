// Package clock waits by the system's clock. Stages take Sleep as a parameter, so that
// tests need not wait.
package clock

import (
	"context"
	"time"
)

// Sleep waits that long, or until ctx is done, and says which.
func Sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
