package archive

// ResealHeader makes a changed header of a page pass for whole, as one of a later
// program would.
func ResealHeader(page []byte) error {
	head, _, err := splitHeader(page)
	if err != nil {
		return err
	}
	return Seal(head, headerSeal)
}

// What stands before the digests of documents, for tests that make changed ones pass
// for whole.
const (
	EventSeal = eventSeal
	ListSeal  = listSeal
	LinksSeal = linksSeal
)
