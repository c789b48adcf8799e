package archive

// Reseal makes a changed segment pass for whole, as one of a later program would.
func Reseal(segment []byte) error { return seal(segment, segmentSeal) }

// ResealHeader does the same to the header of a page.
func ResealHeader(page []byte) error {
	head, _, err := splitHeader(page)
	if err != nil {
		return err
	}
	return seal(head, headerSeal)
}
