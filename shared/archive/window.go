package archive

import (
	"time"
)

// Window is how long WeCom keeps messages for us (docs/wecom.md, "The five days").
const Window = 5 * 24 * time.Hour

// ClockSkew is how far ahead of our clock a time may lie before the clock that
// gave it counts as wrong.
const ClockSkew = 5 * time.Minute

func Latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
