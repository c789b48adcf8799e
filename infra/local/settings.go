package local

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"wecom-archive/shared/wecom/wecomtest"
)

const settingsFile = "local.json"

// settings are what a second start must know to continue: the simulated corp
// keeps nothing itself, so its stream is made again from these.
type settings struct {
	Version      int                `json:"version"`
	Seed         uint64             `json:"seed"`
	Unreadable   int                `json:"unreadable"`              // one in so many
	CorpusSHA256 string             `json:"corpus_sha256,omitempty"` // of the corpus file, if one is served
	Extents      []wecomtest.Extent `json:"extents"`
}

const settingsVersion = 1

// firstExtent is how far before the first start the corp began to talk: inside
// WeCom's five days, with a day to spare for whoever stops and comes back.
const firstExtent = 4 * 24 * time.Hour

// unreadableRate plants about one envelope in so many that cannot be decrypted.
const unreadableRate = 2000

// loadSettings reads the settings of the data folder, or makes them, and lets the
// corp talk on if more messages are asked for than it has said so far.
func loadSettings(dir string, seed uint64, messages int, corpusSHA256 string, now time.Time) (settings, error) {
	path := filepath.Join(dir, settingsFile)
	s := settings{Version: settingsVersion, Seed: seed, CorpusSHA256: corpusSHA256}
	if corpusSHA256 == "" {
		s.Unreadable = unreadableRate
	}
	text, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return s, fmt.Errorf("reading the settings: %w", err)
	default:
		var stored settings
		if err := json.Unmarshal(text, &stored); err != nil {
			return s, fmt.Errorf("reading %s: %w", path, err)
		}
		if err := s.sameCorp(stored, dir); err != nil {
			return s, err
		}
		s = stored
	}
	if !s.extend(messages, now) {
		return s, nil
	}
	return s, writeSettings(path, s)
}

// sameCorp refuses to mix two streams in one archive.
func (s settings) sameCorp(stored settings, dir string) error {
	switch {
	case stored.Version != settingsVersion:
		return fmt.Errorf("--dir %s was made by another version of this program (settings version %d): use a new folder", dir, stored.Version)
	case stored.CorpusSHA256 != s.CorpusSHA256:
		return fmt.Errorf("--corpus: %s holds the archive of another corpus: start with the same file, or give another --dir", dir)
	case stored.Seed != s.Seed && s.CorpusSHA256 == "":
		return fmt.Errorf("--seed %d: %s holds the archive of seed %d: start with that one, or give another --dir", s.Seed, dir, stored.Seed)
	}
	return nil
}

// extend appends a period so that there are as many messages in all, and says
// whether that was needed.
func (s *settings) extend(messages int, now time.Time) bool {
	said, from := 0, now.Add(-firstExtent)
	for _, e := range s.Extents {
		said += e.Count
		from = e.To
	}
	if messages <= said {
		return false
	}
	to := now
	if !from.Before(to) { // two starts within the clock's resolution, or a clock set back
		to = from.Add(time.Second)
	}
	s.Extents = append(s.Extents, wecomtest.Extent{Count: messages - said, From: from, To: to})
	return true
}

func writeSettings(path string, s settings) error {
	text, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return fmt.Errorf("encoding the settings: %w", err)
	}
	temp := path + ".new"
	if err := os.WriteFile(temp, text, 0o600); err != nil {
		return fmt.Errorf("writing the settings: %w", err)
	}
	if err := os.Rename(temp, path); err != nil {
		return fmt.Errorf("writing the settings: %w", err)
	}
	return nil
}

func fileSHA256(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
