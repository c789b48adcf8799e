package show

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"path"
	"slices"
	"strings"
	"time"
	"unicode"

	"wecom-archive/shared/access"
	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/mediatype"
	"wecom-archive/shared/wecom"
)

// linkTime is how long a link to a file works: long enough to begin a download,
// too short to pass it on.
const linkTime = 2 * time.Minute

type mediaInput struct {
	Seq int64 `path:"seq" minimum:"1" doc:"WeCom's number of the message"`
}

type mediaOutput struct {
	Body struct {
		Files   []file `json:"files" nullable:"false" doc:"In the order in which the message refers to them, nested ones too"`
		Waiting bool   `json:"waiting" doc:"The page is not archived yet: ask again"`
	}
}

// file is a file of a message: what the message says of it, and what came.
type file struct {
	Conversation string `json:"conversation"`
	Path         string `json:"path" doc:"Where in the message it is referred to"`
	Kind         string `json:"kind" enum:"image,voice,video,emotion,file,call,voip_doc,unknown" doc:"What the message calls it"`
	Name         string `json:"name,omitempty" doc:"As the message says: chosen by whoever sent it"`
	ClaimedSize  *int64 `json:"claimed_size,omitempty" doc:"Bytes, as the message says; absent if it does not"`
	ClaimedMD5   string `json:"claimed_md5,omitempty" doc:"As the message says"`

	State    archive.MediaState  `json:"state" enum:"pending,stored,failed,lost" doc:"pending: not fetched yet. failed: given up, a redrive tries again. lost: WeCom no longer has it"`
	Reason   archive.MediaReason `json:"reason,omitempty" doc:"Why it failed or is lost; of a pending one, why the last try failed"`
	Code     int                 `json:"code,omitempty" doc:"That WeCom's library gave"`
	Attempts int                 `json:"attempts,omitempty" doc:"Downloads begun"`
	NextTry  string              `json:"next_try,omitempty" format:"date-time" doc:"Of a pending file"`

	Damaged     bool            `json:"damaged,omitempty" doc:"What was stored is missing or altered now: it is reported, and there is no link"`
	Key         string          `json:"key,omitempty" doc:"Of the archive's object"`
	Type        string          `json:"type,omitempty" doc:"By the bytes of the file, whatever it calls itself"`
	Size        *int64          `json:"size,omitempty" doc:"Bytes"`
	SHA256      string          `json:"sha256,omitempty"`
	MD5         string          `json:"md5,omitempty"`
	MD5Verdict  archive.Verdict `json:"md5_verdict,omitempty" enum:"match,mismatch,absent" doc:"The file's MD5 against what the message says. The bytes are kept whatever it is"`
	SizeVerdict archive.Verdict `json:"size_verdict,omitempty" enum:"match,mismatch,absent"`

	URL        string `json:"url,omitempty" doc:"Downloads the file, for two minutes, without signing in. Always an attachment of type application/octet-stream: no browser shows or runs it"`
	URLExpires string `json:"url_expires,omitempty" format:"date-time"`
	Inline     string `json:"inline_type,omitempty" doc:"The type under which a page may show the downloaded bytes by itself; absent if they could hold a script"`
}

// Media shows the files of the message with a seq, with links to them. The look is recorded.
func (s *Content) Media(ctx context.Context, in *mediaInput) (*mediaOutput, error) {
	found, _, page, err := s.envelopes(ctx, in.Seq)
	if err != nil {
		return nil, err
	}
	out := new(mediaOutput)
	out.Body.Waiting, out.Body.Files = !page.Archived, []file{}
	for _, m := range found {
		files, err := s.filesOf(ctx, m.Row)
		if err != nil {
			return nil, err
		}
		files = s.withUnnamed(m.Row, files)
		if len(files) == 0 {
			continue
		}
		look := access.Look{Conversation: m.Conversation, What: access.WhatMedia}
		if err := s.recordLook(ctx, look, []Message{View(m, false)}); err != nil {
			return nil, err
		}
		for i := range files {
			if err := s.check(ctx, &files[i]); err != nil {
				return nil, err
			}
			if err := s.link(ctx, &files[i]); err != nil {
				return nil, err
			}
		}
		out.Body.Files = append(out.Body.Files, files...)
	}
	return out, nil
}

// filesOf says how far the files of a message are.
func (s *Content) filesOf(ctx context.Context, row archive.Row) ([]file, error) {
	var hashes []string
	seen := map[string]bool{}
	for _, ref := range row.Media {
		if !seen[ref.FileIDSHA256] {
			seen[ref.FileIDSHA256] = true
			hashes = append(hashes, ref.FileIDSHA256)
		}
	}
	known, err := s.config.Catalog.Media.MediaFiles(ctx, hashes...)
	if err != nil {
		return nil, err
	}
	files := make([]file, len(row.Media))
	for i, ref := range shownMedia(row) {
		files[i] = newFile(row.Conversation, ref, known[ref.FileIDSHA256])
	}
	return files, nil
}

// withUnnamed puts between the files of a message those that it speaks of without an
// sdkfileid. They are nowhere in the index: there is nothing to fetch, now or ever.
func (s *Content) withUnnamed(row archive.Row, files []file) (all []file) {
	defer func() {
		if recover() != nil { // the panic's value may quote the message
			s.config.Log.Error("the parser panicked", "seq", row.Seq)
			all = files
		}
	}()
	all = []file{}
	for _, f := range wecom.Parse(row.Raw, row.MsgID, row.PulledAt).Files() {
		switch {
		case f.FileID == "":
			ref := archive.MediaRef{Path: f.Path, Kind: f.Kind, Name: f.Name, Size: f.Size, MD5: f.MD5}
			all = append(all, newFile(row.Conversation, ref, catalog.MediaFile{State: archive.MediaFailed, Reason: archive.ReasonNoFileID}))
		case len(files) > 0:
			all, files = append(all, files[0]), files[1:]
		}
	}
	return append(all, files...)
}

// hidesIDs is the first version of the parser that leaves the sdkfileids of a message
// out of the names and MD5s of its files.
const hidesIDs = 2

// shownMedia is the media of a reading as anybody may see it: older readings may have
// an sdkfileid in a name.
func shownMedia(row archive.Row) []archive.MediaRef {
	if row.ParserVersion >= hidesIDs {
		return row.Media
	}
	ids := map[string]bool{}
	for _, ref := range row.Media {
		ids[ref.FileIDSHA256] = true
	}
	shown := slices.Clone(row.Media)
	for i := range shown {
		ref := &shown[i]
		ref.Name, ref.MD5 = withoutIDs(ref.Name, ids), withoutIDs(ref.MD5, ids)
	}
	return shown
}

// withoutIDs hides the words of which a hash is known: a reading has no ids.
func withoutIDs(s string, hashes map[string]bool) string {
	const shortest = 8 // sdkfileids are long
	inID := func(r rune) bool {
		return unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("+/=_-", r)
	}
	for word := range strings.FieldsFuncSeq(s, func(r rune) bool { return !inID(r) }) {
		if len(word) < shortest {
			continue
		}
		if sum := sha256.Sum256([]byte(word)); hashes[hex.EncodeToString(sum[:])] {
			s = strings.ReplaceAll(s, word, "…")
		}
	}
	return s
}

func newFile(conversation string, ref archive.MediaRef, known catalog.MediaFile) file {
	f := file{
		Conversation: conversation, Path: ref.Path, Kind: ref.Kind, Name: ref.Name, ClaimedMD5: ref.MD5,
		State: known.State, Reason: known.Reason, Code: known.Code, Attempts: known.Attempts,
	}
	if ref.Size >= 0 {
		f.ClaimedSize = &ref.Size
	}
	if f.State == archive.MediaPending {
		f.NextTry = formatTime(known.NextTry)
	}
	if f.State != archive.MediaStored {
		return f
	}
	f.Key, f.Type, f.Size, f.SHA256, f.MD5 = known.Key, known.Type, &known.Size, known.SHA256, known.MD5
	f.MD5Verdict, f.SizeVerdict = archive.JudgeMD5(ref.MD5, known.MD5), archive.JudgeSize(ref.Size, known.Size)
	if safe := mediatype.Safe(known.Type); safe != mediatype.Binary {
		f.Inline = safe
	}
	return f
}

// check compares a stored file with what was stored.
func (s *Content) check(ctx context.Context, f *file) error {
	if f.State != archive.MediaStored {
		return nil
	}
	intact, err := s.intact(ctx, catalog.MediaFile{Key: f.Key, SHA256: f.SHA256, Size: *f.Size})
	if err == nil && !intact {
		f.Damaged, f.MD5Verdict, f.SizeVerdict, f.Inline = true, "", "", ""
	}
	return err
}

// link adds the URL of a stored file, which works for a short time.
func (s *Content) link(ctx context.Context, f *file) error {
	if f.State != archive.MediaStored || f.Damaged {
		return nil
	}
	url, err := s.config.Objects.PresignGet(ctx, f.Key, f.saveAs(), linkTime)
	if err != nil {
		return err
	}
	f.URL, f.URLExpires = url, formatTime(s.config.Now().Add(linkTime))
	return nil
}

// saveAs is the name to save a file under: the sender's, or one of ours.
func (f *file) saveAs() string {
	if name := strings.TrimSpace(f.Name); name != "" {
		return name
	}
	return f.Kind + "-" + path.Base(f.Key)[:8]
}
