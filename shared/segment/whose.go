package segment

import "wecom-archive/shared/archive"

// Whose reads a stored segment whole, every value of it, and says of which page and corp
// it is.
func Whose(stored []byte) (pageKey, corp string, err error) {
	meta, _, err := Decode(stored)
	return meta.PageKey, meta.Corp, err
}

// RowsOf reads the rows of a stored segment.
func RowsOf(stored []byte) ([]archive.Row, error) {
	_, rows, err := Decode(stored)
	return rows, err
}
