package wecomtest

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
	"math/rand/v2"
	"strings"

	"wecom-archive/shared/wecom"
)

// MediaSlice is how much GetMediaData returns at a time, in bytes (docs/wecom.md,
// "GetMediaData").
const MediaSlice = 512 << 10

// Form is what a file is by its bytes.
type Form byte

// Forms. Messages of the corp refer to all but the last.
const (
	FormBinary Form = iota
	FormPNG
	FormJPEG
	FormGIF
	FormMP4
	FormAMR
	FormPDF
	FormXLSX
	FormHTML // in place of an image
	FormSVG  // likewise
	FormAMRWideband
)

// Fate is what becomes of a file.
type Fate byte

// Fates.
const (
	Plain   Fate = iota // it comes
	Lying               // it comes, and the message's MD5 is another's
	Late                // 10002 five times, then it comes
	Never               // 10002 for ever
	Expired             // 10010 at once, as after five days
)

// medium is a file. Its sdkfileid says all about it, so nothing is kept, and each
// slice is made when it is asked for.
type medium struct {
	form Form
	fate Fate
	size int64
	seed [16]byte
}

const (
	idLength = 192 // bytes of a sdkfileid before base64
	idPrefix = "Ct"
)

func (m medium) fileID() string {
	var id [idLength]byte
	id[0], id[1] = byte(m.form), byte(m.fate)
	binary.LittleEndian.PutUint64(id[2:], uint64(m.size))
	copy(id[10:], m.seed[:])
	sum := crc32.ChecksumIEEE(id[:26])
	binary.LittleEndian.PutUint32(id[26:], sum)
	rest := rand.NewChaCha8(m.key(1 << 60))
	_, _ = rest.Read(id[30:]) // never fails
	// All but the first bytes hide how little there is to know.
	for i := range 30 {
		id[i] ^= id[40+i]
	}
	return idPrefix + base64.StdEncoding.EncodeToString(id[:])
}

// parseFileID is the reverse of fileID.
func parseFileID(fileID string) (m medium, ok bool) {
	text, ok := strings.CutPrefix(fileID, idPrefix)
	if !ok {
		return m, false
	}
	id, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(id) != idLength {
		return m, false
	}
	for i := range 30 {
		id[i] ^= id[40+i]
	}
	m = medium{form: Form(id[0]), fate: Fate(id[1]), size: int64(binary.LittleEndian.Uint64(id[2:]))}
	copy(m.seed[:], id[10:])
	return m, crc32.ChecksumIEEE(id[:26]) == binary.LittleEndian.Uint32(id[26:]) && m.size >= 0
}

func (m medium) key(n int64) (key [32]byte) {
	copy(key[:], m.seed[:])
	binary.LittleEndian.PutUint64(key[16:], uint64(n))
	return key
}

// head and tail are what makes the file one of its form; between them are bytes of
// no meaning, which every reader of the form passes over.
func (m medium) frame() (head, tail []byte) {
	switch m.form {
	case FormPNG, FormJPEG, FormGIF:
		return m.picture(), nil // readers stop at the picture's end
	case FormMP4:
		return m.movie(), nil
	case FormAMR:
		return []byte("#!AMR\n"), nil
	case FormAMRWideband:
		return []byte(wideband), nil
	case FormPDF:
		return []byte("%PDF-1.4\n%"), []byte("\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[]/Count 0>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n")
	case FormXLSX:
		return m.workbook(), nil
	case FormHTML:
		return []byte("<!DOCTYPE html><html><body><script>alert('from a file')</script><!--"), []byte("--></body></html>")
	case FormSVG:
		return []byte(`<svg xmlns="http://www.w3.org/2000/svg" onload="alert('from a file')"><!--`), []byte("--></svg>")
	}
	return nil, nil
}

const wideband = "#!AMR-WB\n"

// picture is a small picture of random colours.
func (m medium) picture() []byte {
	r := rand.New(rand.NewChaCha8(m.key(0)))
	palette := color.Palette{color.White}
	for range 7 {
		palette = append(palette, color.RGBA{uint8(r.IntN(256)), uint8(r.IntN(256)), uint8(r.IntN(256)), 255})
	}
	const side = 48
	img := image.NewPaletted(image.Rect(0, 0, side, side), palette)
	for y := range side {
		for x := range side {
			img.SetColorIndex(x, y, uint8((x/8+y/8*3+r.IntN(2))%len(palette)))
		}
	}
	var out bytes.Buffer
	switch m.form { // writing into memory does not fail
	case FormPNG:
		_ = png.Encode(&out, img)
	case FormJPEG:
		_ = jpeg.Encode(&out, img, nil)
	case FormGIF:
		_ = gif.Encode(&out, img, nil)
	}
	return out.Bytes()
}

// workbook is a workbook without a sheet of interest.
func (m medium) workbook() []byte {
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	for _, f := range [][2]string{
		{"[Content_Types].xml", `<?xml version="1.0" encoding="UTF-8"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Override PartName="/xl/workbook.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/></Types>`},
		{"_rels/.rels", `<?xml version="1.0" encoding="UTF-8"?><Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="r1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="xl/workbook.xml"/></Relationships>`},
		{"xl/workbook.xml", `<?xml version="1.0" encoding="UTF-8"?><workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheets/></workbook>`},
		{"xl/number.txt", hex.EncodeToString(m.seed[:])},
	} {
		if w, err := z.CreateHeader(&zip.FileHeader{Name: f[0], Method: zip.Store}); err == nil { // into memory: does not fail
			_, _ = io.WriteString(w, f[1])
		}
	}
	_ = z.Close()
	return out.Bytes()
}

// content is the file from a place on, at most a slice of it.
func (m medium) content(offset int64) []byte {
	b := make([]byte, max(min(MediaSlice, m.size-offset), 0))
	// Bytes of no meaning come in blocks, each from its own seed.
	for at := offset - offset%MediaSlice; at < offset+int64(len(b)); at += MediaSlice {
		block := make([]byte, min(MediaSlice, m.size-at))
		_, _ = rand.NewChaCha8(m.key(1 + at)).Read(block) // never fails
		m.shape(block, at)
		if at < offset {
			copy(b, block[offset-at:])
		} else {
			copy(b[at-offset:], block)
		}
	}
	head, tail := m.frame()
	lay(b, offset, head, 0)
	if m.size >= int64(len(head)+len(tail)) {
		lay(b, offset, tail, m.size-int64(len(tail)))
	}
	return b
}

// shape gives bytes at a place of the file the form that readers expect there.
func (m medium) shape(block []byte, at int64) {
	switch m.form {
	case FormAMR: // frames of 13 bytes after 6 bytes of head, 50 a second: 4.75 kbit/s
		for i := range block {
			if (at+int64(i)-6)%13 == 0 {
				block[i] = 0x04
			}
		}
	case FormAMRWideband: // frames of 18 bytes: 6.60 kbit/s
		for i := range block {
			if (at+int64(i)-int64(len(wideband)))%18 == 0 {
				block[i] = 0x04
			}
		}
	case FormPDF, FormHTML, FormSVG: // comments
		for i := range block {
			block[i] = 'a' + block[i]%26
		}
	}
}

// lay writes what stands at a place of the file into b, which stands at offset.
func lay(b []byte, offset int64, what []byte, at int64) {
	from, to := max(at, offset), min(at+int64(len(what)), offset+int64(len(b)))
	if from < to {
		copy(b[from-offset:], what[from-at:to-at])
	}
}

// sums are MD5 and SHA-256 of the file, in hex.
func (m medium) sums() (md5Hex, sha256Hex string) {
	h5, h256 := md5.New(), sha256.New()
	for offset := int64(0); offset < m.size; offset += MediaSlice {
		slice := m.content(offset)
		h5.Write(slice)
		h256.Write(slice)
	}
	return hex.EncodeToString(h5.Sum(nil)), hex.EncodeToString(h256.Sum(nil))
}

// MediaTruth says what a sdkfileid of the corp leads to, for tests to compare with.
// The SHA-256 is empty for a file that nobody gets.
func MediaTruth(fileID string) (sha256 string, size int64, fate Fate, ok bool) {
	m, ok := parseFileID(fileID)
	if !ok {
		return "", 0, 0, false
	}
	if m.fate != Never && m.fate != Expired { // nobody gets those, and some are huge
		_, sha256 = m.sums()
	}
	return sha256, m.size, m.fate, true
}

// MakeFile makes a file beside those of the corp's own messages: its sdkfileid, which
// any number of messages may use, and its MD5. Files of different numbers differ.
func MakeFile(form Form, size int64, fate Fate, number uint64) (fileID, md5 string) {
	m := medium{form: form, size: size, fate: fate}
	binary.LittleEndian.PutUint64(m.seed[:], number)
	md5, _ = m.sums()
	return m.fileID(), md5
}

// lateTries is how often a late file is refused.
const lateTries = 5

// GetMediaData is the function of WeCom's library, for a client with the right
// credentials: a slice of at most MediaSlice bytes. Errors are *wecom.Error.
func (c *Corp) GetMediaData(ctx context.Context, fileID, index string) (wecom.MediaSlice, error) {
	if err := ctx.Err(); err != nil {
		return wecom.MediaSlice{}, err
	}
	m, ok := parseFileID(fileID)
	if !ok {
		return wecom.MediaSlice{}, wecom.NewSDKError("GetMediaData", 10005)
	}
	if code := c.mediaRefusal(fileID, m); code != 0 {
		return wecom.MediaSlice{}, wecom.NewSDKError("GetMediaData", code)
	}
	var offset int64
	if index != "" {
		if _, err := fmt.Sscanf(index, "Range:bytes=%d-", &offset); err != nil || offset <= 0 || offset >= m.size {
			return wecom.MediaSlice{}, wecom.NewSDKError("GetMediaData", 10000)
		}
	}
	data := m.content(offset)
	next := offset + int64(len(data))
	if next >= m.size {
		return wecom.MediaSlice{Data: data, Last: true}, nil
	}
	return wecom.MediaSlice{Data: data, Next: fmt.Sprintf("Range:bytes=%d-%d", next, next+MediaSlice-1)}, nil
}

// mediaRefusal is the code that a call for a file gets; 0: none.
func (c *Corp) mediaRefusal(fileID string, m medium) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch m.fate {
	case Expired:
		return 10010
	case Never:
		return 10002
	case Late:
		if c.lateCalls == nil {
			c.lateCalls = map[string]int{}
		}
		if c.lateCalls[fileID] < lateTries {
			c.lateCalls[fileID]++
			return 10002
		}
	}
	return 0
}

// GetMediaData is Corp.GetMediaData for a client with the right credentials; with
// others it is refused as GetChatData is.
func (cl *Client) GetMediaData(ctx context.Context, fileID, index string) (wecom.MediaSlice, error) {
	if code := cl.corp.refuses(cl.corpid, cl.secret); code != 0 {
		return wecom.MediaSlice{}, wecom.NewSDKError("GetMediaData", 10009)
	}
	return cl.corp.GetMediaData(ctx, fileID, index)
}
