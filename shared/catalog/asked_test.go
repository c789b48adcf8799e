package catalog_test

import (
	"time"
)

var asked = time.Date(2026, 11, 23, 19, 0, 0, 123e6, time.UTC)
