package archive

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/parquet-go/parquet-go"
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
)

// dataPageBytes keeps data pages small, so that one message can be read without
// unpacking all of them.
const dataPageBytes = 64 << 10

// parquetRow is the schema of a segment. Pointers are null when there is nothing
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

// EncodeSegment writes the rows, which must belong to one page, as a Parquet
// file in seq order.
func EncodeSegment(meta SegmentMeta, rows []Row) ([]byte, error) {
	if len(rows) == 0 {
		return nil, fmt.Errorf("%w: there are none", ErrRows)
	}
	rows = slices.Clone(rows)
	SortRows(rows)
	for i := range rows {
		if err := rows[i].check(); err != nil {
			return nil, err
		}
	}
	var out bytes.Buffer
	w := parquet.NewGenericWriter[parquetRow](&out,
		parquet.Compression(&parquet.Zstd),
		parquet.PageBufferSize(dataPageBytes),
		parquet.CreatedBy("wecom-archive", meta.Program, ""),
		parquet.KeyValueMetadata(metaFormat, strconv.Itoa(SegmentFormat)),
		parquet.KeyValueMetadata(metaCorp, meta.Corp),
		parquet.KeyValueMetadata(metaPage, meta.PageKey),
		parquet.KeyValueMetadata(metaPageSHA256, meta.PageSHA256),
		parquet.KeyValueMetadata(metaPart, strconv.Itoa(meta.Part)),
		parquet.KeyValueMetadata(metaProgram, meta.Program),
		parquet.KeyValueMetadata(metaWrittenAt, meta.WrittenAt.UTC().Format(time.RFC3339Nano)),
	)
	stored := make([]parquetRow, len(rows))
	for i, r := range rows {
		stored[i] = r.toParquet()
	}
	if _, err := w.Write(stored); err != nil {
		return nil, fmt.Errorf("encoding %d rows: %w", len(rows), err)
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("finishing the segment: %w", err)
	}
	return out.Bytes(), nil
}

// SortRows puts rows in the order that a segment has them: by seq, those without
// one at the end, equal ones as the page has them.
func SortRows(rows []Row) { slices.SortStableFunc(rows, bySeq) }

func bySeq(a, b Row) int {
	if a.HasSeq != b.HasSeq {
		if a.HasSeq {
			return -1
		}
		return 1
	}
	return cmp.Or(cmp.Compare(a.Seq, b.Seq), cmp.Compare(a.Position, b.Position))
}

func (r Row) check() error {
	switch {
	case r.Position < 0 || r.Position > math.MaxInt32:
		return fmt.Errorf("%w: position %d", ErrRows, r.Position)
	case r.Outcome == "":
		return fmt.Errorf("%w: position %d has no outcome", ErrRows, r.Position)
	case r.Readable() && (r.Raw == nil || r.RawSHA256 == "" || r.Conversation == "" || !r.HasSeq):
		return fmt.Errorf("%w: position %d is ok, but has no raw, hash, conversation or seq", ErrRows, r.Position)
	case !r.Readable() && r.Raw != nil:
		return fmt.Errorf("%w: position %d is %s, but has raw", ErrRows, r.Position, r.Outcome)
	}
	return nil
}

// DecodeSegment reads a segment. It returns ErrDamaged for bytes that are none,
// and ErrNewFormat for one of a later program.
func DecodeSegment(stored []byte) (meta SegmentMeta, rows []Row, err error) {
	// The Parquet library panics on some damaged files.
	defer func() {
		if p := recover(); p != nil {
			meta, rows, err = SegmentMeta{}, nil, fmt.Errorf("segment: %w: %v", ErrDamaged, p)
		}
	}()
	file, err := parquet.OpenFile(bytes.NewReader(stored), int64(len(stored)), parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true))
	if err != nil {
		return meta, nil, fmt.Errorf("segment: %w: %w", ErrDamaged, err)
	}
	if meta, err = readMeta(file); err != nil {
		return meta, nil, err
	}
	if err := plausible(file, len(stored)); err != nil {
		return meta, nil, err
	}
	reader := parquet.NewGenericReader[parquetRow](file)
	defer reader.Close()
	buf := make([]parquetRow, file.NumRows())
	for n := 0; n < len(buf); {
		k, err := reader.Read(buf[n:])
		if n += k; n < len(buf) && (err != nil || k == 0) {
			return meta, nil, fmt.Errorf("segment: row %d of %d: %w: %w", n, len(buf), ErrDamaged, cmp.Or(err, io.ErrNoProgress))
		}
	}
	rows = make([]Row, len(buf))
	for i, p := range buf {
		rows[i] = p.toRow()
	}
	return meta, rows, nil
}

// plausible refuses files whose footer announces more than such a file can
// hold, before anything is allocated for it.
func plausible(file *parquet.File, size int) error {
	const maxRatio = 1 << 12 // zstd on the most repetitive chat
	var unpacked, values int64
	for _, group := range file.Metadata().RowGroups {
		for _, column := range group.Columns {
			unpacked += max(column.MetaData.TotalUncompressedSize, 0)
			values = max(values, column.MetaData.NumValues)
		}
	}
	if rows := file.NumRows(); rows < 0 || rows > int64(size)*8 || values > int64(size)*maxRatio || unpacked > int64(size)*maxRatio {
		return fmt.Errorf("segment: announces %d rows and %d bytes in %d: %w", rows, unpacked, size, ErrDamaged)
	}
	return nil
}

func readMeta(file *parquet.File) (SegmentMeta, error) {
	var m SegmentMeta
	get := func(key string) string {
		v, _ := file.Lookup(key)
		return v
	}
	format, err := strconv.Atoi(get(metaFormat))
	if err != nil || format < 1 {
		return m, fmt.Errorf("segment: no %s in the footer: %w", metaFormat, ErrDamaged)
	}
	if format > SegmentFormat {
		return m, fmt.Errorf("segment: format %d: %w", format, ErrNewFormat)
	}
	part, err := strconv.Atoi(get(metaPart))
	if err != nil {
		return m, fmt.Errorf("segment: %s in the footer: %w", metaPart, ErrDamaged)
	}
	written, err := time.Parse(time.RFC3339Nano, get(metaWrittenAt))
	if err != nil {
		return m, fmt.Errorf("segment: %s in the footer: %w", metaWrittenAt, ErrDamaged)
	}
	return SegmentMeta{
		Corp: get(metaCorp), PageKey: get(metaPage), PageSHA256: get(metaPageSHA256),
		Part: part, Program: get(metaProgram), WrittenAt: written,
	}, nil
}
