package archive

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"time"

	"github.com/klauspost/compress/zstd"

	"wecom-archive/shared/chat"
	"wecom-archive/shared/store"
)

// DirectoryPrefix is where names lie in the archive bucket.
const DirectoryPrefix = "directory/"

// DirectoryFormat is the version of the objects below directory/. A reader refuses a
// greater one.
const DirectoryFormat = 1

// maxDirectoryPart bounds what is unpacked of one object, in bytes.
const maxDirectoryPart = 64 << 20

// DirectoryPart is what WeCom answered when one run of the directory asked for some
// people and rooms: an object directory/dt=<day>/<ms>-<run>-<part>.json.zst. Each
// record is whole. What a run did not ask for stands in the parts of earlier ones.
type DirectoryPart struct {
	Format  int               `json:"format"` // DirectoryFormat
	Corp    string            `json:"corp"`
	Run     string            `json:"run"`
	Part    int               `json:"part"` // of the run, from 0
	At      time.Time         `json:"at"`   // ms
	Program string            `json:"program"`
	Records []DirectoryRecord `json:"records"`

	SHA256 string `json:"part_sha256"` // of this document; set by PutDirectoryPart
}

const directorySeal = `"part_sha256":"`

// What a DirectoryRecord is of.
const (
	SubjectEmployee = string(chat.Employee)
	SubjectExternal = string(chat.External)
	SubjectRobot    = string(chat.Robot)
	SubjectRoom     = "room"
	SubjectSeats    = "seats"   // of all who have one
	SubjectConsent  = "consent" // of those outside who take part in a conversation
)

// Answer says what came of asking for a name.
type Answer string

// Answers.
const (
	Named   Answer = "named"   // WeCom knows it; a room may still have an empty name
	Unknown Answer = "unknown" // WeCom does not know the id, or not any more
	Hidden  Answer = "hidden"  // the app may not see it
	NoApp   Answer = "no_app"  // only the company's own app could see it, and there is none
)

// DirectoryRecord is what WeCom said of one id at one time. Members that do not
// belong to the kind are absent.
type DirectoryRecord struct {
	Kind   string    `json:"kind"` // Subject…
	ID     string    `json:"id"`   // as in readings; of consent: the conversation; empty for seats
	At     time.Time `json:"at"`   // ms
	Answer Answer    `json:"answer"`
	Name   string    `json:"name,omitempty"`

	Spelling       string  `json:"spelling,omitempty"` // of an employee's userid
	Alias          string  `json:"alias,omitempty"`
	Position       string  `json:"position,omitempty"`
	Departments    []int64 `json:"departments,omitempty"`
	MainDepartment int64   `json:"main_department,omitempty"`
	Status         int     `json:"status,omitempty"` // of an employee: 1 active, 2 disabled, 4 not activated, 5 left

	Type         int        `json:"type,omitempty"` // of a customer: 1 WeChat, 2 WeCom
	CorpName     string     `json:"corp_name,omitempty"`
	CorpFullName string     `json:"corp_full_name,omitempty"`
	Followers    []Follower `json:"followers,omitempty"`

	Customers bool         `json:"customers,omitempty"` // the room has some
	Owner     string       `json:"owner,omitempty"`     // of a room; creator of an internal room, of a robot
	CreatedAt time.Time    `json:"created_at,omitzero"`
	Notice    string       `json:"notice,omitempty"`
	Members   []RoomMember `json:"members,omitempty"`

	Seats map[string][]string `json:"seats,omitempty"` // userids by edition: 1 office, 2 service, 3 enterprise

	Agreements []Agreement `json:"agreements,omitempty"`
}

// Agreement is what WeCom says of somebody's consent.
type Agreement struct {
	Person    string        `json:"person"`
	Status    ConsentStatus `json:"status"`
	ChangedAt time.Time     `json:"changed_at,omitzero"` // zero: WeCom does not say, or there was no answer
}

// Follower is what an employee noted of a customer.
type Follower struct {
	UserID      string    `json:"userid"`
	Remark      string    `json:"remark,omitempty"`
	Description string    `json:"description,omitempty"`
	CorpName    string    `json:"corp_name,omitempty"`
	CreatedAt   time.Time `json:"created_at,omitzero"`
	Tags        []string  `json:"tags,omitempty"`    // group/name
	TagIDs      []string  `json:"tag_ids,omitempty"` // where WeCom does not tell names
}

// RoomMember is a member of a room.
type RoomMember struct {
	ID       string    `json:"id"` // as WeCom writes it
	Name     string    `json:"name,omitempty"`
	Nickname string    `json:"nickname,omitempty"` // in this room
	JoinedAt time.Time `json:"joined_at,omitzero"`
}

// DirectoryKey is the key of a part.
func DirectoryKey(p DirectoryPart) string {
	return fmt.Sprintf("%sdt=%s/%013d-%s-%05d.json.zst", DirectoryPrefix, Day(p.At), p.At.UnixMilli(), p.Run, p.Part)
}

var directoryName = regexp.MustCompile(`^directory/dt=(\d{4}-\d\d-\d\d)/(\d{13})-[^/]+-\d{5}\.json\.zst$`)

// ParseDirectoryKey reads the time of a part from its key.
func ParseDirectoryKey(key string) (at time.Time, ok bool) {
	m := directoryName.FindStringSubmatch(key)
	if m == nil {
		return time.Time{}, false
	}
	ms, err := strconv.ParseInt(m[2], 10, 64)
	at = time.UnixMilli(ms).UTC()
	if err != nil || Day(at) != m[1] {
		return time.Time{}, false
	}
	return at, true
}

// PutDirectoryPart stores a part and returns its key. That it is already there is no
// error.
func PutDirectoryPart(ctx context.Context, objects store.Objects, p DirectoryPart) (key string, err error) {
	key = DirectoryKey(p)
	stored, err := encodeDirectoryPart(p)
	if err != nil {
		return key, fmt.Errorf("encoding %s: %w", key, err)
	}
	if err := objects.PutIfAbsent(ctx, key, bytes.NewReader(stored)); err != nil && !errors.Is(err, store.ErrExists) {
		return key, fmt.Errorf("storing %s: %w", key, err)
	}
	return key, nil
}

func encodeDirectoryPart(p DirectoryPart) ([]byte, error) {
	p.Format, p.SHA256 = DirectoryFormat, Unsealed
	doc, err := json.Marshal(p)
	if err == nil {
		err = Seal(doc, directorySeal)
	}
	if err != nil {
		return nil, err
	}
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
	if err != nil {
		return nil, fmt.Errorf("starting zstd: %w", err)
	}
	defer enc.Close()
	return enc.EncodeAll(doc, nil), nil
}

// GetDirectoryPart reads a part; ErrDamaged if it is not what was put there.
func GetDirectoryPart(ctx context.Context, objects store.ObjectReader, key string) (DirectoryPart, error) {
	stored, err := store.ReadObject(ctx, objects, key)
	if err != nil {
		return DirectoryPart{}, err
	}
	p, err := DecodeDirectoryPart(stored)
	if err == nil && DirectoryKey(p) != key {
		err = fmt.Errorf("its content belongs under %s: %w", DirectoryKey(p), store.ErrDamaged)
	}
	if err != nil {
		return DirectoryPart{}, fmt.Errorf("reading %s: %w", key, err)
	}
	return p, nil
}

// DecodeDirectoryPart reads the bytes of a part. ErrDamaged, ErrNewFormat.
func DecodeDirectoryPart(stored []byte) (p DirectoryPart, err error) {
	dec, err := zstd.NewReader(bytes.NewReader(stored), zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(64<<20))
	if err != nil {
		return p, fmt.Errorf("starting zstd: %w", err)
	}
	defer dec.Close()
	doc, err := io.ReadAll(io.LimitReader(dec, maxDirectoryPart+1))
	switch {
	case err != nil:
		return p, fmt.Errorf("%w: %w", store.ErrDamaged, err)
	case len(doc) > maxDirectoryPart:
		return p, fmt.Errorf("over %d bytes: %w", maxDirectoryPart, store.ErrDamaged)
	}
	if err := decodeJSON(doc, DirectoryFormat, &p); err != nil {
		return DirectoryPart{}, err
	}
	if err := CheckSeal(doc, directorySeal); err != nil {
		return DirectoryPart{}, fmt.Errorf("%w: %w", store.ErrDamaged, err)
	}
	if _, ok := ParseDirectoryKey(DirectoryKey(p)); !ok {
		return DirectoryPart{}, fmt.Errorf("belongs under no key: %w", store.ErrDamaged)
	}
	return p, nil
}
