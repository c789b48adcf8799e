package wecomtest

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
)

// Corpus holds plaintexts to serve. Its methods may be called at the same time.
type Corpus interface {
	Len() int
	// Line returns line i, from 0 to Len()-1, byte for byte. The caller may keep it.
	Line(i int) ([]byte, error)
}

// FileCorpus is a file with one plaintext per line.
type FileCorpus struct {
	file   *os.File
	starts []int64 // offset of each line, and of the end of the file
	empty  int     // lines without any byte
}

// OpenCorpus notes where the lines of a file begin; lines are read when asked
// for, so memory needs 8 bytes a line. A line ends before its newline and is
// otherwise kept byte for byte, also a carriage return at its end. A last line
// without newline counts. Lines without any byte do not: an empty line is no message.
// The file must not change while it is open.
func OpenCorpus(path string) (*FileCorpus, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("opening the corpus: %w", err)
	}
	starts, empty, err := lineStarts(file)
	if err != nil {
		file.Close()
		return nil, fmt.Errorf("reading the corpus %s: %w", path, err)
	}
	return &FileCorpus{file: file, starts: starts, empty: empty}, nil
}

func lineStarts(r io.Reader) (starts []int64, empty int, err error) {
	in := bufio.NewReaderSize(r, 1<<18)
	var offset int64
	begin := true // of a line
	for {
		part, err := in.ReadSlice('\n')
		switch {
		case !begin || len(part) == 0:
		case part[0] == '\n':
			empty++
		default:
			starts = append(starts, offset)
		}
		offset += int64(len(part))
		begin = err == nil
		switch {
		case errors.Is(err, io.EOF):
			return append(starts, offset), empty, nil
		case err != nil && !errors.Is(err, bufio.ErrBufferFull):
			return nil, 0, err
		}
	}
}

// Len is the number of lines.
func (c *FileCorpus) Len() int { return len(c.starts) - 1 }

// Empty is the number of lines that are not served, since they have no byte.
func (c *FileCorpus) Empty() int { return c.empty }

// Line returns line i without its newline.
func (c *FileCorpus) Line(i int) ([]byte, error) {
	line := make([]byte, c.starts[i+1]-c.starts[i])
	if _, err := c.file.ReadAt(line, c.starts[i]); err != nil {
		return nil, fmt.Errorf("reading the corpus: %w", err)
	}
	// Empty lines may follow before the next one.
	line, _, _ = bytes.Cut(line, []byte("\n"))
	return line, nil
}

// Close closes the file.
func (c *FileCorpus) Close() error { return c.file.Close() }

// msgidOf is the msgid of a plaintext, or empty if it cannot be read. Control
// characters inside strings, which encoding/json refuses, are tolerated.
//
// It does not use the parser of package wecom: what that one misreads must show
// as a difference to what was served.
func msgidOf(plaintext []byte) string {
	var message struct {
		MsgID json.RawMessage `json:"msgid"`
	}
	clean := bytes.Map(func(r rune) rune {
		if r < 0x20 {
			return ' '
		}
		return r
	}, bytes.TrimPrefix(plaintext, []byte("\ufeff")))
	if err := json.Unmarshal(clean, &message); err != nil {
		return ""
	}
	var id string
	if json.Unmarshal(message.MsgID, &id) == nil {
		return id
	}
	var number json.Number
	if json.Unmarshal(message.MsgID, &number) == nil {
		return number.String()
	}
	return ""
}
