package compaction

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

// TestPagesOf: a page that says it is larger than what is there, packed or not, is found
// before anybody asks for as much memory.
func TestPagesOf(t *testing.T) {
	page := func(size, unpacked int32, body int) []byte {
		header, err := thrift.Marshal(new(thrift.CompactProtocol), &format.PageHeader{Type: format.DataPage, CompressedPageSize: size, UncompressedPageSize: unpacked})
		if err != nil {
			t.Fatal(err)
		}
		return append(header, bytes.Repeat([]byte{0xff}, body)...)
	}
	good := page(10, 100, 10)
	for name, test := range map[string]struct {
		chunk []byte
		pages int // 0: refused
	}{
		"one":                      {good, 1},
		"two":                      {append(bytes.Clone(good), page(10, densest*10, 10)...), 2},
		"an empty one":             {page(0, 0, 0), 1},
		"larger than what is left": {append(bytes.Clone(good), page(11, 11, 10)...), 0},
		"2 GiB":                    {page(1<<31-1, 100, 10), 0},
		"2 GiB when unpacked":      {page(10, 1<<31-1, 10), 0},
		"negative":                 {page(-1, 100, 10), 0},
		"negative when unpacked":   {page(10, -1, 10), 0},
		"cut off in a header":      {good[:2], 0},
	} {
		begins, err := pagesOf(test.chunk, 4)
		if len(begins) != test.pages || (err != nil) != (test.pages == 0) || test.pages > 0 && !begins[4] {
			t.Errorf("%s: %v, %v", name, begins, err)
		}
	}
	if begins, err := pagesOf(append(bytes.Clone(good), good...), 4); err != nil || !begins[4+int64(len(good))] {
		t.Errorf("the second page begins at %v, %v", fmt.Sprint(begins), err)
	}
	if _, err := pagesOf(page(11, 11, 10), 0); !errors.Is(err, errPages) {
		t.Error(err)
	}
}
