package archive

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"wecom-archive/shared/store"
)

// FetchFormat is the version of job lists below fetch/.
const FetchFormat = 1

// FetchList is a job list: the files that the messages in one part of a segment
// refer to. It is made of the segment, short-lived, and all that the media stage
// knows of messages: no text, no names of people or files.
type FetchList struct {
	Format   int        `json:"format"` // FetchFormat
	Corp     string     `json:"corp"`
	SeqAsked uint64     `json:"seq_asked"` // of the page
	Part     int        `json:"part"`      // of the page's segment
	PulledAt time.Time  `json:"pulled_at"` // of the page
	Jobs     []MediaJob `json:"jobs"`

	SHA256 string `json:"list_sha256"` // of this document; set by Encode
}

// MediaJob is a file to fetch.
type MediaJob struct {
	MediaPlace
	FileID  string    `json:"sdkfileid"` // opens the file: secret
	MD5     string    `json:"md5"`       // as the message says; may be empty or wrong
	Size    int64     `json:"size"`      // bytes as the message says; -1 if it does not
	Expires time.Time `json:"expires"`   // WeCom may forget it from then on
}

// LogValue keeps the sdkfileid out of logs.
func (j MediaJob) LogValue() slog.Value { return slog.StringValue(j.String()) }

// String keeps the sdkfileid out of formatted output.
func (j MediaJob) String() string {
	return fmt.Sprintf("%s at %d %q, sdkfileid sha256 %s", j.Kind, j.Position, j.Path, j.FileIDSHA256)
}

// GoString keeps the sdkfileid out of %#v.
func (j MediaJob) GoString() string { return j.String() }

// MediaPlace says which file of which message of a page.
type MediaPlace struct {
	Position     int    `json:"position"`         // of the envelope in the page's chatdata
	Path         string `json:"path"`             // where in the message, as in MediaRef
	Seq          int64  `json:"seq"`              //
	MsgID        string `json:"msgid"`            //
	Kind         string `json:"kind"`             // as in MediaRef
	FileIDSHA256 string `json:"sdkfileid_sha256"` // hex; of the empty string if the message has no sdkfileid
}

// ref identifies the place within its page.
func (p MediaPlace) ref() mediaRef { return mediaRef{p.Position, p.Path, p.FileIDSHA256} }

type mediaRef struct {
	position       int
	path, fileHash string
}

// MediaExpiry is when WeCom may forget a file: five days after its message, or
// after the pull if the message does not say a believable time.
func MediaExpiry(msgTime, pulledAt time.Time, source string) time.Time {
	if source == "pulled_at" || msgTime.After(pulledAt) || pulledAt.Sub(msgTime) > 2*Window {
		msgTime = pulledAt
	}
	return msgTime.Add(Window).UTC()
}

const listSeal = `"list_sha256":"`

// Key is where the list is stored.
func (l FetchList) Key() string { return FetchKey(l.PulledAt, l.SeqAsked, l.Part) }

// Encode is the stored form of the list.
func (l FetchList) Encode() ([]byte, error) {
	l.Format, l.SHA256 = FetchFormat, Unsealed
	return encodeSealed(l, listSeal)
}

// encodeSealed makes JSON of a document whose last member holds its digest.
func encodeSealed(v any, prefix string) ([]byte, error) {
	doc, err := json.Marshal(v)
	if err == nil {
		err = Seal(doc, prefix)
	}
	return doc, err
}

// ReadFetchList reads a job list. ErrDamaged if it is not whole, or belongs
// elsewhere.
func ReadFetchList(ctx context.Context, derived store.ObjectReader, key string) (FetchList, error) {
	doc, err := store.ReadObject(ctx, derived, key)
	if err != nil {
		return FetchList{}, err
	}
	list, err := DecodeFetchList(doc)
	if err == nil && list.Key() != key {
		err = fmt.Errorf("belongs at %s: %w", list.Key(), store.ErrDamaged)
	}
	if err != nil {
		return FetchList{}, fmt.Errorf("reading %s: %w", key, err)
	}
	return list, nil
}

// DecodeFetchList reads the stored form of a job list.
func DecodeFetchList(doc []byte) (FetchList, error) {
	var l FetchList
	if err := decodeJSON(doc, FetchFormat, &l); err != nil {
		return FetchList{}, err
	}
	if err := CheckSeal(doc, listSeal); err != nil {
		return FetchList{}, fmt.Errorf("%w: %w", store.ErrDamaged, err)
	}
	if _, _, part, ok := ParseFetchKey(l.Key()); !ok || part != l.Part {
		return FetchList{}, fmt.Errorf("belongs under no key: %w", store.ErrDamaged)
	}
	return l, nil
}

// PutFetchList stores a job list in place of an earlier one.
func PutFetchList(ctx context.Context, derived store.Derived, l FetchList) error {
	doc, err := l.Encode()
	if err == nil {
		err = derived.Put(ctx, l.Key(), bytes.NewReader(doc))
	}
	if err != nil {
		return fmt.Errorf("storing the job list %s: %w", l.Key(), err)
	}
	return nil
}

// Verdict compares what a message says of a file with the file.
type Verdict string

// Verdicts.
const (
	VerdictMatch    Verdict = "match"
	VerdictMismatch Verdict = "mismatch" // the bytes are kept all the same
	VerdictAbsent   Verdict = "absent"   // the message says nothing that could be compared
)

// JudgeMD5 compares the MD5 that a message claims with that of the file, in hex.
func JudgeMD5(claimed, actual string) Verdict {
	claimed = strings.ToLower(strings.TrimSpace(claimed))
	switch {
	case len(claimed) != 32 || strings.Trim(claimed, "0123456789abcdef") != "":
		return VerdictAbsent
	case claimed == actual:
		return VerdictMatch
	}
	return VerdictMismatch
}

// JudgeSize compares the size that a message claims, -1 if none, with that of the
// file, in bytes.
func JudgeSize(claimed, actual int64) Verdict {
	switch {
	case claimed < 0:
		return VerdictAbsent
	case claimed == actual:
		return VerdictMatch
	}
	return VerdictMismatch
}

// sortJobs puts first what expires first.
func sortJobs(jobs []MediaJob) {
	slices.SortStableFunc(jobs, func(a, b MediaJob) int {
		return cmp.Or(a.Expires.Compare(b.Expires), cmp.Compare(a.Position, b.Position), strings.Compare(a.Path, b.Path))
	})
}

// ByExpiry are the jobs, those first that expire first.
func (l FetchList) ByExpiry() []MediaJob {
	jobs := slices.Clone(l.Jobs)
	sortJobs(jobs)
	return jobs
}
