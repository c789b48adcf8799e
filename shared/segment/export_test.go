package segment

import (
	"wecom-archive/shared/archive"
)

// Reseal makes a changed segment pass for whole, as one of a later program would.
func Reseal(segment []byte) error { return archive.Seal(segment, sealPrefix) }
