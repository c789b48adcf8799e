package segment

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/parquet-go/parquet-go"

	"wecom-archive/shared/archive"
)

// Keys of the footer's metadata.
const (
	metaFormat     = "wecom-archive.format"
	metaCorp       = "wecom-archive.corp"
	metaPage       = "wecom-archive.page"
	metaPageSHA256 = "wecom-archive.page_sha256"
	metaPart       = "wecom-archive.part"
	metaProgram    = "wecom-archive.program"
	metaWrittenAt  = "wecom-archive.written_at"
	metaSHA256     = "wecom-archive.sha256" // see seal
)

// sealPrefix stands before the digest in a segment's footer: the end of the key, and
// the Thrift header of a string of 64 bytes.
const sealPrefix = metaSHA256 + "\x18\x40"

// DataPageBytes keeps data pages small, so that one message can be read without
// unpacking all of them.
const DataPageBytes = 64 << 10

// Columns are those of a row. Compacted objects have them, too.
type Columns = parquetRow

// parquetRow is the schema of a segment; its name stands in each one, as that of the
// schema, and so must stay. Pointers are null when there is nothing
// to say, which a reader can tell from empty. Also for bytes: of an optional
// []byte, parquet-go v0.32.0 writes runs of nil as empty.
type parquetRow struct {
	Position     int32   `parquet:"position"`
	Seq          *int64  `parquet:"seq,optional"`
	MsgID        string  `parquet:"msgid"`
	PublicKeyVer *int64  `parquet:"publickey_ver,optional"`
	PulledAt     int64   `parquet:"pulled_at,timestamp(millisecond)"`
	Raw          *[]byte `parquet:"raw,optional"`
	RawSHA256    *string `parquet:"raw_sha256,optional"`
	Outcome      string  `parquet:"outcome,dict"`

	ParserVersion *int32         `parquet:"parser_version,optional"`
	Action        *string        `parquet:"action,optional,dict"`
	Conversation  *string        `parquet:"conversation,optional,dict"`
	RoomID        *string        `parquet:"roomid,optional,dict"`
	FromID        *string        `parquet:"from_id,optional,dict"`
	ToIDs         []string       `parquet:"to_ids,list"`
	MsgTime       *int64         `parquet:"msgtime,optional,timestamp(millisecond)"`
	TimeSource    *string        `parquet:"time_source,optional,dict"`
	MsgType       *string        `parquet:"msgtype,optional,dict"`
	SenderKind    *string        `parquet:"sender_kind,optional,dict"`
	ChatKind      *string        `parquet:"chat_kind,optional,dict"`
	RefMsgID      *string        `parquet:"ref_msgid,optional"`
	Text          *string        `parquet:"text,optional"`
	Media         []parquetMedia `parquet:"media,list"`
}

type parquetMedia struct {
	Path         string `parquet:"path"`
	Kind         string `parquet:"kind"`
	Name         string `parquet:"name"`
	Size         *int64 `parquet:"size,optional"`
	MD5          string `parquet:"md5"`
	FileIDSHA256 string `parquet:"sdkfileid_sha256"`
}

// Encode writes the rows, which must belong to one page, as a Parquet
// file in seq order.
func Encode(meta Meta, rows []archive.Row) ([]byte, error) {
	if len(rows) == 0 {
		return nil, fmt.Errorf("%w: there are none", ErrRows)
	}
	rows = slices.Clone(rows)
	archive.SortRows(rows)
	if err := checkRows(rows); err != nil {
		return nil, err
	}
	var out bytes.Buffer
	w := parquet.NewGenericWriter[parquetRow](&out,
		parquet.Compression(&parquet.Zstd),
		parquet.PageBufferSize(DataPageBytes),
		parquet.DataPageStatistics(false), // else whole messages, in clear; the page index has bounds
		parquet.CreatedBy("wecom-archive", meta.Program, ""),
		parquet.KeyValueMetadata(metaFormat, strconv.Itoa(Format)),
		parquet.KeyValueMetadata(metaCorp, meta.Corp),
		parquet.KeyValueMetadata(metaPage, meta.PageKey),
		parquet.KeyValueMetadata(metaPageSHA256, meta.PageSHA256),
		parquet.KeyValueMetadata(metaPart, strconv.Itoa(meta.Part)),
		parquet.KeyValueMetadata(metaProgram, meta.Program),
		parquet.KeyValueMetadata(metaWrittenAt, meta.WrittenAt.UTC().Format(time.RFC3339Nano)),
		parquet.KeyValueMetadata(metaSHA256, archive.Unsealed),
	)
	stored := make([]parquetRow, len(rows))
	for i, r := range rows {
		stored[i] = ColumnsOf(r)
	}
	if _, err := w.Write(stored); err != nil {
		return nil, fmt.Errorf("encoding %d rows: %w", len(rows), err)
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("finishing the segment: %w", err)
	}
	if err := archive.Seal(out.Bytes(), sealPrefix); err != nil {
		return nil, fmt.Errorf("finishing the segment: %w", err)
	}
	return out.Bytes(), nil
}

// checkRows refuses rows that contradict themselves or one another. They are
// locked for years, so a mistake must show before.
func checkRows(rows []archive.Row) error {
	seen := make(map[int]bool, len(rows))
	for _, r := range rows {
		if err := r.Check(); err != nil {
			return fmt.Errorf("%w: position %d %w", ErrRows, r.Position, err)
		}
		if seen[r.Position] {
			return fmt.Errorf("%w: position %d twice", ErrRows, r.Position)
		}
		seen[r.Position] = true
	}
	return nil
}

// Decode reads a segment. It returns ErrDamaged for bytes that are none or
// were changed, and ErrNewFormat for one of a later program.
func Decode(stored []byte) (Meta, []archive.Row, error) {
	s, err := open(stored, false)
	if err != nil {
		return Meta{}, nil, err
	}
	rows, err := s.Rows(0, s.Len())
	if err != nil {
		return Meta{}, nil, err
	}
	return s.Meta, rows, nil
}

func readMeta(file *parquet.File) (Meta, error) {
	var m Meta
	get := func(key string) string {
		v, _ := file.Lookup(key)
		return v
	}
	format, err := strconv.Atoi(get(metaFormat))
	if err != nil || format < 1 {
		return m, fmt.Errorf("no %s in the footer", metaFormat)
	}
	if format > Format {
		return m, fmt.Errorf("format %d: %w", format, archive.ErrNewFormat)
	}
	part, err := strconv.Atoi(get(metaPart))
	if err != nil {
		return m, fmt.Errorf("%s in the footer: %w", metaPart, err)
	}
	written, err := time.Parse(time.RFC3339Nano, get(metaWrittenAt))
	if err != nil {
		return m, fmt.Errorf("%s in the footer: %w", metaWrittenAt, err)
	}
	return Meta{
		Corp: get(metaCorp), PageKey: get(metaPage), PageSHA256: get(metaPageSHA256),
		Part: part, Program: get(metaProgram), WrittenAt: written,
	}, nil
}
