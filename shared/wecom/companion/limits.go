package companion

import (
	"context"
	"fmt"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"wecom-archive/shared/wecom"
)

// Calls that WeCom allows one corp for one API (D90312), and for the two that it
// limits further (D91782).
const (
	PerMinute            = 10_000
	PerHour              = 150_000
	SingleAgreePerMinute = 2_500
	RoomAgreePerMinute   = 1_500
)

// How long WeCom bans an API after too many calls in a minute, and in an hour
// (D90312). It does not say which it was.
const (
	minuteBan = time.Minute
	hourBan   = time.Hour
)

// Limits keeps the calls of a corp within WeCom's limits. Clients of the same corp
// share one: limits are the corp's, not the secret's.
type Limits struct {
	mu   sync.Mutex
	apis map[string]*apiLimit
}

type apiLimit struct {
	minute, hour *rate.Limiter
	ban          LimitedError // zero: none so far
	again        bool         // no call was taken since the last ban
}

// NewLimits returns the limits of a corp whose calls of the last hour are not known:
// none.
func NewLimits() *Limits { return &Limits{apis: map[string]*apiLimit{}} }

// of returns the limit of an API. The lock is held.
func (l *Limits) of(api string) *apiLimit {
	if l.apis[api] == nil {
		perMinute := PerMinute
		switch api {
		case apiSingleAgree:
			perMinute = SingleAgreePerMinute
		case apiRoomAgree:
			perMinute = RoomAgreePerMinute
		}
		l.apis[api] = &apiLimit{minute: within(perMinute, time.Minute), hour: within(PerHour, time.Hour)}
	}
	return l.apis[api]
}

// within allows at most n calls in any span of this length: a tenth of them at once,
// the others spread.
func within(n int, span time.Duration) *rate.Limiter {
	burst := n / 10
	return rate.NewLimiter(rate.Limit(float64(n-burst)/span.Seconds()), burst)
}

// wait returns when the API may be called, or a *LimitedError if it is banned.
func (l *Limits) wait(ctx context.Context, api string, now func() time.Time, sleep func(context.Context, time.Duration) error) error {
	delay, err := l.reserve(api, now())
	if err != nil || delay <= 0 {
		return err
	}
	// What is reserved stays so if ctx ends: the run is over then.
	if deadline, ok := ctx.Deadline(); ok && now().Add(delay).After(deadline) {
		return fmt.Errorf("%s: %w: the next call within WeCom's limits is in %s", api, context.DeadlineExceeded, delay)
	}
	if err := sleep(ctx, delay); err != nil {
		return fmt.Errorf("%s: waiting to keep within WeCom's limits: %w", api, err)
	}
	return nil
}

func (l *Limits) reserve(api string, now time.Time) (time.Duration, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	limit := l.of(api)
	if now.Before(limit.ban.Until) {
		ban := limit.ban
		return 0, &ban
	}
	// A while after the ban the next one is news again.
	if limit.again && now.Sub(limit.ban.Until) > minuteBan {
		limit.again = false
	}
	return max(limit.minute.ReserveN(now, 1).DelayFrom(now), limit.hour.ReserveN(now, 1).DelayFrom(now)), nil
}

// ban notes that WeCom refused a call as one too many. The first time it is taken
// for the minute's; if the next call after that is refused as well, for the hour's.
func (l *Limits) ban(api string, now time.Time) (until time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	limit := l.of(api)
	if now.Before(limit.ban.Until) {
		return limit.ban.Until // others were on their way
	}
	length := minuteBan
	if limit.again {
		length = hourBan
	}
	limit.again = true
	limit.ban = LimitedError{API: api, Until: now.Add(length), Err: wecom.ErrRateLimited}
	return limit.ban.Until
}
