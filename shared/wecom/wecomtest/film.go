package wecomtest

import (
	"encoding/binary"
	"math/rand/v2"
)

// A film of two seconds that players play: H.264 in MP4 (ISO 14496-10 and -12). Each
// picture is one macroblock of raw samples (I_PCM), so that no encoder is needed.
const (
	filmSide     = 16 // pixels
	filmPictures = 8
	filmScale    = 1000 // ticks a second
	filmTicks    = 250  // a picture
)

// bitWriter writes bit by bit, the highest first.
type bitWriter struct {
	out  []byte
	free int // in the last byte
}

func (b *bitWriter) put(value uint32, width int) {
	for i := width - 1; i >= 0; i-- {
		if b.free == 0 {
			b.out, b.free = append(b.out, 0), 8
		}
		b.free--
		b.out[len(b.out)-1] |= byte(value>>i&1) << b.free
	}
}

// golomb writes numbers in Exp-Golomb code, as most of H.264's fields are.
func (b *bitWriter) golomb(values ...uint32) {
	for _, v := range values {
		width := 0
		for v+1 >= 2<<width {
			width++
		}
		b.put(0, width)
		b.put(v+1, width+1)
	}
}

// align fills the byte with zeros.
func (b *bitWriter) align() { b.free = 0 }

// end closes a unit.
func (b *bitWriter) end() []byte {
	b.put(1, 1)
	b.align()
	return b.out
}

// sequence and pictures are the parameter sets: baseline profile, level 1, one
// macroblock a picture.
func sequenceParameters() []byte {
	b := &bitWriter{out: []byte{0x67, 66, 0xC0, 10}}
	b.golomb(0, 0, 2, 1) // id, bits of frame_num, order as decoded, one reference
	b.put(0, 1)
	b.golomb(filmSide/16-1, filmSide/16-1)
	b.put(0b1100, 4) // frames, no cropping, no usability information
	return b.end()
}

func pictureParameters() []byte {
	b := &bitWriter{out: []byte{0x68}}
	b.golomb(0, 0)
	b.put(0, 2)
	b.golomb(0, 0, 0)
	b.put(0, 3)
	b.golomb(0, 0, 0)
	b.put(0, 3)
	return b.end()
}

// filmPicture is picture n: four fields of grey in a colour. No sample is below 16, so
// nothing looks like the start of a unit.
func filmPicture(n int, r *rand.Rand) []byte {
	b := &bitWriter{out: []byte{0x65}}
	b.golomb(0, 7, 0) // first macroblock, all intra, parameters
	b.put(0, 4)       // frame_num
	b.golomb(uint32(n % 2))
	b.put(0, 2)
	b.golomb(0)  // quantiser as it is
	b.golomb(25) // I_PCM
	b.align()
	var greys [4]byte
	for i := range greys {
		greys[i] = byte(40 + r.IntN(180))
	}
	for y := range filmSide {
		for x := range filmSide {
			b.out = append(b.out, greys[y/8*2+x/8])
		}
	}
	for range 2 {
		colour := byte(40 + r.IntN(180))
		for range filmSide * filmSide / 4 {
			b.out = append(b.out, colour)
		}
	}
	return b.end()
}

// box is a box of MP4, made of parts.
func box(name string, parts ...[]byte) []byte {
	b := append(make([]byte, 4), name...)
	for _, part := range parts {
		b = append(b, part...)
	}
	binary.BigEndian.PutUint32(b, uint32(len(b)))
	return b
}

func words(values ...uint32) []byte {
	var b []byte
	for _, v := range values {
		b = binary.BigEndian.AppendUint32(b, v)
	}
	return b
}

func halves(values ...uint16) []byte {
	var b []byte
	for _, v := range values {
		b = binary.BigEndian.AppendUint16(b, v)
	}
	return b
}

// movie is a film, and a box of bytes of no meaning to the file's end.
func (m medium) movie() []byte {
	r := rand.New(rand.NewChaCha8(m.key(0)))
	var frames []byte
	sizes := words(0, 0, filmPictures) // version and flags, no common size, how many
	for n := range filmPictures {
		picture := filmPicture(n, r)
		frames = append(append(frames, words(uint32(len(picture)))...), picture...)
		sizes = append(sizes, words(uint32(4+len(picture)))...)
	}
	head := box("ftyp", []byte("isom\x00\x00\x02\x00isomiso2avc1mp41"))
	// The pictures stand behind moov, whose length does not depend on where.
	at := len(head) + len(filmIndex(sizes, 0)) + 8
	head = append(append(head, filmIndex(sizes, uint32(at))...), box("mdat", frames)...)
	free := binary.BigEndian.AppendUint64(append(words(1), "free"...), uint64(max(m.size-int64(len(head)), 16)))
	return append(head, free...)
}

// filmIndex is the box moov, for pictures of these sizes that stand at a place of the
// file.
func filmIndex(sizes []byte, at uint32) []byte {
	const duration = filmPictures * filmTicks
	matrix := words(0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
	sps, pps := sequenceParameters(), pictureParameters()
	parameters := box("avcC", []byte{1}, sps[1:4], []byte{0xFF, 0xE1}, halves(uint16(len(sps))), sps, []byte{1}, halves(uint16(len(pps))), pps)
	coded := box("avc1", words(0), halves(0, 1), make([]byte, 16), halves(filmSide, filmSide), words(72<<16, 72<<16, 0),
		halves(1), make([]byte, 32), halves(24, 0xFFFF), parameters)
	table := box("stbl",
		box("stsd", words(0, 1), coded),
		box("stts", words(0, 1, filmPictures, filmTicks)),
		box("stsc", words(0, 1, 1, filmPictures, 1)),
		box("stsz", sizes),
		box("stco", words(0, 1, at)))
	media := box("mdia",
		box("mdhd", words(0, 0, 0, filmScale, duration), halves(0x55C4, 0)), // language "und"
		box("hdlr", words(0, 0), []byte("vide"), make([]byte, 13)),
		box("minf",
			box("vmhd", words(1, 0, 0)),
			box("dinf", box("dref", words(0, 1), box("url ", words(1)))),
			table))
	track := box("trak",
		box("tkhd", words(3, 0, 0, 1, 0, duration, 0, 0), halves(0, 0, 0, 0), matrix, words(filmSide<<16, filmSide<<16)),
		media)
	return box("moov",
		box("mvhd", words(0, 0, 0, filmScale, duration, 0x10000), halves(0x0100, 0), words(0, 0), matrix, make([]byte, 24), words(2)),
		track)
}
