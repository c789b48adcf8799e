package clock_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"wecom-archive/shared/clock"
)

func TestSleep(t *testing.T) {
	for _, test := range []struct {
		name        string
		sleep, ends time.Duration // ends: when the context does
		want        error
		took        time.Duration
	}{
		{"as long as asked", time.Hour, 2 * time.Hour, nil, time.Hour},
		{"until there is no more time", time.Hour, time.Minute, context.DeadlineExceeded, time.Minute},
		{"not at all", 0, time.Minute, nil, 0},
		{"less than nothing", -time.Second, time.Minute, nil, 0},
		{"not at all, too late", 0, 0, context.DeadlineExceeded, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), test.ends)
				defer cancel()
				begin := time.Now()
				if err := clock.Sleep(ctx, test.sleep); !errors.Is(err, test.want) || time.Since(begin) != test.took {
					t.Errorf("%v after %v, want %v after %v", err, time.Since(begin), test.want, test.took)
				}
			})
		})
	}
}
