package local

import "os"

// makeFolder makes the data folder, which only its owner can enter. One that is
// there and empty becomes such a folder. One with something in it keeps its mode,
// it may be a place that others need; all that is put into it is private itself.
func makeFolder(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) > 0 {
		return err
	}
	return os.Chmod(dir, 0o700)
}
