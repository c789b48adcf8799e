package main

import (
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"wecom-archive/shared/wecom"
)

const sliceSize = 512 << 10

// fate is what becomes of a file.
type fate string

const (
	plain   fate = "plain"
	lies    fate = "lies"    // the message's MD5 is another's
	silent  fate = "silent"  // the message says neither MD5 nor size
	gone    fate = "gone"    // 10010
	late    fate = "late"    // 10002 five times, then it comes
	never   fate = "never"   // 10002
	garbled fate = "garbled" // 10006
)

// medium is a file. Its sdkfileid says all about it, so the source keeps nothing.
type medium struct {
	number int
	size   int64
	fate   fate
}

func (m medium) fileID() string { return fmt.Sprintf("made-up:%d:%d:%s", m.number, m.size, m.fate) }

func parseFileID(id string) (m medium, err error) {
	parts := strings.Split(id, ":")
	if len(parts) != 4 || parts[0] != "made-up" {
		return m, wecom.NewSDKError("GetMediaData", 10005)
	}
	m.fate = fate(parts[3])
	if m.number, err = strconv.Atoi(parts[1]); err == nil {
		m.size, err = strconv.ParseInt(parts[2], 10, 64)
	}
	return m, err
}

// slice is a part of the file; each is computed for itself.
func (m medium) slice(offset int64) []byte {
	b := make([]byte, min(sliceSize, m.size-offset))
	var seed [32]byte
	binary.LittleEndian.PutUint64(seed[:], uint64(m.number))
	binary.LittleEndian.PutUint64(seed[8:], uint64(offset))
	_, _ = rand.NewChaCha8(seed).Read(b) // never fails
	return b
}

// sums are MD5 and SHA-256 of the file, in hex.
func (m medium) sums() (string, string) {
	h5, h256 := md5.New(), sha256.New()
	both := io.MultiWriter(h5, h256)
	for offset := int64(0); offset < m.size; offset += sliceSize {
		_, _ = both.Write(m.slice(offset)) // hashes never fail
	}
	return hex.EncodeToString(h5.Sum(nil)), hex.EncodeToString(h256.Sum(nil))
}

// source is WeCom as the media stage sees it.
type source struct {
	dir     string        // counts calls for files that come late, over processes
	latency time.Duration // of a call
}

// GetMediaData implements mediafetch.Library.
func (s *source) GetMediaData(ctx context.Context, fileID, index string) (wecom.MediaSlice, error) {
	if s.latency > 0 {
		select {
		case <-time.After(s.latency):
		case <-ctx.Done():
			return wecom.MediaSlice{}, ctx.Err()
		}
	}
	m, err := parseFileID(fileID)
	if err != nil {
		return wecom.MediaSlice{}, err
	}
	if code, err := s.refusal(m); code != 0 || err != nil {
		if err != nil {
			return wecom.MediaSlice{}, err
		}
		return wecom.MediaSlice{}, wecom.NewSDKError("GetMediaData", code)
	}
	var offset int64
	if index != "" {
		if _, err := fmt.Sscanf(index, "Range:bytes=%d-", &offset); err != nil || offset >= m.size {
			return wecom.MediaSlice{}, wecom.NewSDKError("GetMediaData", 10000)
		}
	}
	data := m.slice(offset)
	next := offset + int64(len(data))
	return wecom.MediaSlice{Data: data, Next: fmt.Sprintf("Range:bytes=%d-%d", next, next+sliceSize-1), Last: next == m.size}, nil
}

// refusal is the code that a call gets; 0: none.
func (s *source) refusal(m medium) (code int, err error) {
	switch m.fate {
	case gone:
		return 10010, nil
	case never:
		return 10002, nil
	case garbled:
		return 10006, nil
	case late:
		tries, err := os.OpenFile(filepath.Join(s.dir, strconv.Itoa(m.number)), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			return 0, err
		}
		defer tries.Close()
		info, err := tries.Stat()
		if err != nil {
			return 0, err
		}
		if info.Size() < 5 {
			_, err := tries.Write([]byte("x"))
			return 10002, err
		}
	}
	return 0, nil
}
