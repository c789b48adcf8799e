package catalog

import (
	"context"
	"fmt"
	"time"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog/table"
)

// Partitions of media. What stands in them follows from segments and links, but
// for tries that are not over.
const (
	partitionMediaFile    = "mediafile#"     // + sha256 of the sdkfileid
	partitionMediaLists   = "medialists#"    // + pull day
	partitionMediaDays    = "media"          // by pull day
	partitionMediaPending = "media:pending"  // lists with unfinished files, by expiry
	partitionMediaTrouble = "media:troubles" // lost and failed references, by time
)

// MediaFile is what is known of the file that an sdkfileid opens.
type MediaFile struct {
	FileIDSHA256 string             `json:"sdkfileid_sha256"`
	State        archive.MediaState `json:"state"`

	Key    string `json:"key,omitempty"`    // of the newest object with it, below media/
	SHA256 string `json:"sha256,omitempty"` // hex
	MD5    string `json:"md5,omitempty"`    // hex
	Size   int64  `json:"size,omitempty"`   // bytes
	Type   string `json:"type,omitempty"`   // media type by the bytes

	Reason   archive.MediaReason `json:"reason,omitempty"` // of the last try that failed
	Code     int                 `json:"code,omitempty"`
	Attempts int                 `json:"attempts,omitempty"` // downloads begun, since the last redrive
	NextTry  time.Time           `json:"next_try,omitzero"`  // of a pending one
	At       time.Time           `json:"at,omitzero"`        // when it came to this state
	Redriven bool                `json:"redriven,omitempty"` // pending, since somebody asked for it after it had failed
}

// FileOf is what a link says of its file.
func FileOf(l archive.Link) MediaFile {
	return MediaFile{
		FileIDSHA256: l.FileIDSHA256, State: l.State, Key: l.Key, SHA256: l.SHA256, MD5: l.MD5, Size: l.Size, Type: l.Type,
		Reason: l.Reason, Code: l.Code, Attempts: l.Attempts, At: l.At,
	}
}

// supersedes says whether f is to stand in place of known: a stored file is never
// forgotten, and the newest month's object is the one to read.
func (f MediaFile) supersedes(known MediaFile) bool {
	if known.State == archive.MediaStored {
		return f.State == archive.MediaStored && f.Key > known.Key
	}
	if known.State == archive.MediaLost {
		return f.State == archive.MediaStored
	}
	return f != known
}

// MediaFile returns what is known of a file by the SHA-256 of its sdkfileid. One
// that nothing is known of is pending.
func (c *Media) MediaFile(ctx context.Context, fileIDSHA256 string) (MediaFile, error) {
	f := MediaFile{FileIDSHA256: fileIDSHA256, State: archive.MediaPending}
	_, err := c.table.Read(ctx, partitionMediaFile+fileIDSHA256, mediaFileSort, &f)
	return f, err
}

const mediaFileSort = "file"

// MediaFiles is MediaFile for several.
func (c *Media) MediaFiles(ctx context.Context, hashes ...string) (map[string]MediaFile, error) {
	g := newGathering()
	found := g.files(hashes)
	if err := g.Read(ctx, c.table); err != nil {
		return nil, fmt.Errorf("reading what is known of %d files: %w", len(hashes), err)
	}
	return found, nil
}

// PutMediaFile records what is known of a file, unless more is known.
func (c *Media) PutMediaFile(ctx context.Context, f MediaFile) error {
	if f.FileIDSHA256 == emptySHA256 {
		return nil // no file: its messages name none
	}
	return c.changeMediaFile(ctx, f.FileIDSHA256, func(known MediaFile, found bool) (MediaFile, bool) {
		return f, !found || f.supersedes(known)
	})
}

// RedriveMedia makes a failed file pending again, with all its tries before it.
func (c *Media) RedriveMedia(ctx context.Context, fileIDSHA256 string, at time.Time) error {
	return c.changeMediaFile(ctx, fileIDSHA256, func(known MediaFile, _ bool) (MediaFile, bool) {
		return MediaFile{FileIDSHA256: fileIDSHA256, State: archive.MediaPending, At: at.UTC(), Redriven: true}, known.State == archive.MediaFailed
	})
}

// emptySHA256 stands for "no sdkfileid": it is the hash of the empty string.
const emptySHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

func (c *Media) changeMediaFile(ctx context.Context, hash string, change func(known MediaFile, found bool) (MediaFile, bool)) error {
	return table.Change(ctx, c.table, partitionMediaFile+hash, mediaFileSort, change)
}
