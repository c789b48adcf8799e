package local

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/store"
)

// wrappingFile is the file of the key under which private keys are stored.
const wrappingFile = "wrapping.key"

// checkFiles refuses files whose use would destroy something or never end.
func (s *System) checkFiles() error {
	if s.Corpus != "" {
		info, err := os.Stat(s.Corpus)
		if err != nil {
			return fmt.Errorf("--corpus: %w", err)
		}
		if !info.Mode().IsRegular() {
			return fmt.Errorf("--corpus %s: not a regular file: it is read twice, so write what it gives to a file first", s.Corpus)
		}
	}
	if s.Truth == "" {
		return nil
	}
	if inside, err := filepath.Rel(filepath.Join(s.Dir, archiveBucket), s.Truth); err == nil && !strings.HasPrefix(inside, "..") {
		return fmt.Errorf("--truth %s: lies in the archive: name a file elsewhere", s.Truth)
	}
	for _, path := range []string{s.Truth, s.Truth + ".new"} {
		info, err := os.Stat(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return fmt.Errorf("--truth: %w", err)
		}
		if !info.Mode().IsRegular() {
			return fmt.Errorf("--truth %s: %s is not a regular file, and would be replaced: name another file", s.Truth, path)
		}
		if s.Corpus == "" {
			continue
		}
		if corpus, err := os.Stat(s.Corpus); err == nil && os.SameFile(info, corpus) {
			return fmt.Errorf("--truth %s: %s is the file of --corpus, and would be overwritten: name another file", s.Truth, path)
		}
	}
	return nil
}

// holds says whether there are objects below a prefix.
func (s *System) holds(ctx context.Context, prefix string) (bool, error) {
	for _, err := range s.Objects.List(ctx, prefix, "") {
		return err == nil, err
	}
	return false, nil
}

// checkWrapping refuses to make a new wrapping key beside keys that need the old
// one: everything would go on, and nothing be decrypted.
func (s *System) checkWrapping(ctx context.Context, path string) error {
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	keys, err := s.holds(ctx, archive.KeysPrefix)
	if err == nil && keys {
		err = fmt.Errorf("%s is missing, and the keys below %s open with it alone: restore it from a backup", path, filepath.Join(s.Dir, archiveBucket, archive.KeysPrefix))
	}
	return err
}

// checkKeys refuses a wrapping key that opens none of the stored keys.
func (s *System) checkKeys(ctx context.Context, port store.Keyring, path string) error {
	var failed error
	for info, err := range s.Objects.List(ctx, archive.KeysPrefix, "") {
		if err != nil {
			return err
		}
		id := strings.TrimSuffix(strings.TrimPrefix(info.Key, archive.KeysPrefix), ".json")
		record, err := archive.GetKeyRecord(ctx, s.Objects, id)
		if err != nil {
			continue // the key ring says so, where it matters
		}
		if _, err = port.Unwrap(ctx, store.KeyContext{Corp: record.Corp, Key: record.ID}, record.Wrapped); err == nil {
			return nil
		}
		failed = err
	}
	if failed != nil {
		return fmt.Errorf("%s is not the file that the stored keys were wrapped with: restore that one from a backup: %w", path, failed)
	}
	return nil
}

// checkSettings refuses to make up another stream on top of an archive.
func (s *System) checkSettings(ctx context.Context) error {
	path := filepath.Join(s.Dir, settingsFile)
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	pages, err := s.holds(ctx, archive.PagesPrefix)
	if err == nil && pages {
		err = fmt.Errorf("--dir %s: %s is missing, without which the simulated company would say other things than the archive holds: restore it, or give another --dir", s.Dir, path)
	}
	return err
}
