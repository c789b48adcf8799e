package wecom

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
)

// Kinds of Media.
const (
	MediaImage   = "image"    // jpg
	MediaVoice   = "voice"    // amr
	MediaVideo   = "video"    // mp4
	MediaEmotion = "emotion"  // gif or png
	MediaFile    = "file"     // also where the type of message is not known
	MediaCall    = "call"     // recording of a call
	MediaVoipDoc = "voip_doc" // document shown in a call
)

// Media is a file that a message refers to.
type Media struct {
	// Path says where in the message: "image", "chatrecord.item[2]",
	// "mixed.item[0].chatrecord.item[1]". Empty: the message itself.
	Path   string
	Kind   string // one of the Media constants
	Name   string // file name as the message says; may be anything
	MD5    string // as the message says, hex as a rule; may be empty or wrong
	Size   int64  // bytes as the message says; -1 if it does not say or says more than int64
	FileID string `json:"-"` // the sdkfileid, which opens the file: secret, never log or index

	Seconds int64 // that a voice or film plays, as the message says; 0 if it does not
}

// FileIDHash is the hex SHA-256 of FileID, which may be stored and logged.
func (m Media) FileIDHash() string {
	sum := sha256.Sum256([]byte(m.FileID))
	return hex.EncodeToString(sum[:])
}

// LogValue keeps FileID and Name out of logs.
func (m Media) LogValue() slog.Value { return slog.StringValue(m.String()) }

// String keeps FileID and Name out of formatted output.
func (m Media) String() string {
	return fmt.Sprintf("%s at %q, %d bytes, sdkfileid sha256 %s", m.Kind, m.Path, m.Size, m.FileIDHash())
}

// GoString keeps FileID and Name out of %#v.
func (m Media) GoString() string { return m.String() }

// MediaSlice is a part of a file, as GetMediaData returns it.
type MediaSlice struct {
	Data []byte // of 512 KiB as a rule
	Next string // index of the part that follows; WeCom's own form, as Range:bytes=524288-1048575
	Last bool   // no part follows
}

// mediaOf reads the media reference that an object is.
func mediaOf(f Fields, path, kind string) Media {
	m := Media{
		Path: path, Kind: kind, Size: -1,
		Name: f.String("filename"), MD5: f.String("md5sum"), FileID: f.String("sdkfileid"),
	}
	for _, name := range []string{"filesize", "voice_size", "imagesize"} {
		if n, ok := f.Int(name); ok && n >= 0 {
			m.Size = n
			break
		}
	}
	m.Seconds, _ = f.Int("play_length")
	return m
}
