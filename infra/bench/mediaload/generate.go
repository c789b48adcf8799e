package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"
)

const (
	corpusFile = "corpus.jsonl"
	truthFile  = "truth.jsonl"
)

// truth is what must become of a reference to a file.
type truth struct {
	MsgID  string `json:"msgid"`
	Path   string `json:"path"`
	Fate   fate   `json:"fate"`
	SHA256 string `json:"sha256"`
	Size   int64  `json:"size"`
}

// generate writes messages and truth.
func generate(_ context.Context, o options) error {
	if err := os.MkdirAll(filepath.Join(o.dir, "tries"), 0o700); err != nil {
		return err
	}
	corpus, err := os.Create(filepath.Join(o.dir, corpusFile))
	if err != nil {
		return err
	}
	truths, err := os.Create(filepath.Join(o.dir, truthFile))
	if err != nil {
		return err
	}
	lines, known := bufio.NewWriter(corpus), bufio.NewWriter(truths)
	g := generator{r: rand.New(rand.NewPCG(7, 7)), sizes: sizes(o.media, o.bytes), known: json.NewEncoder(known), now: time.Now()}
	for i := range o.messages {
		// Spread evenly: message i has the files up to its share of them.
		line, err := g.message(i, g.made < (i+1)*o.media/o.messages)
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintf(lines, "%s\n", line); err != nil {
			return err
		}
	}
	fmt.Printf("%d messages, %d references to files of %d MB\n", o.messages, g.made, g.bytes>>20)
	return errors.Join(lines.Flush(), known.Flush(), corpus.Close(), truths.Close())
}

// sizes are n sizes from 1 byte to 200 MB, about total together: a few large ones,
// and the rest spread evenly over the orders of magnitude.
func sizes(n int, total int64) []int64 {
	r := rand.New(rand.NewPCG(3, 3))
	out := make([]int64, n)
	var sum int64
	for i := range out {
		out[i] = int64(math.Exp(r.Float64() * math.Log(2<<20)))
		sum += out[i]
	}
	out[0], out[1], out[2], out[3], out[4] = 1, sliceSize-1, sliceSize, sliceSize+1, 2*sliceSize
	largest := min(200_000_000, total/4)
	for i := n / 7; sum < total; i = (i + n/11 + 1) % n {
		if out[i] > largest/2 || i < 5 {
			i++
			continue
		}
		size := min(largest, max(total-sum, 1<<20))
		out[i], sum, largest = size, sum+size, max(largest*9/10, 4<<20)
	}
	return out
}

type generator struct {
	r     *rand.Rand
	sizes []int64
	known *json.Encoder
	now   time.Time
	made  int
	bytes int64
	last  medium // of the last plain file
	lastT truth
}

// object is JSON.
type object map[string]any

// message is the i-th line.
func (g *generator) message(i int, withFile bool) ([]byte, error) {
	msg := object{
		"msgid": fmt.Sprintf("9%018d_%d_external", i, g.now.UnixMilli()), "action": "send", "from": "li.na", "tolist": []string{"wmQx9ZDAAAexampleCust01"}, "roomid": "",
		"msgtime": g.now.Add(-time.Hour).UnixMilli() + int64(i),
	}
	if !withFile {
		msg["msgtype"], msg["text"] = "text", object{"content": fmt.Sprintf("第 %d 条消息", i)}
		return json.Marshal(msg)
	}
	m, t := g.file()
	sum, _ := m.sums()
	file := object{"sdkfileid": m.fileID()}
	switch m.fate {
	case lies:
		file["md5sum"], file["filesize"] = "0123456789abcdef0123456789abcdef", m.size
	case silent:
	default:
		file["md5sum"], file["filesize"] = sum, m.size
	}
	t.MsgID = msg["msgid"].(string)
	kinds := []string{"image", "voice", "video", "emotion", "file", "voip_doc_share", "meeting_voice_call", "chatrecord", "mixed"}
	kind := kinds[g.made%len(kinds)]
	msg["msgtype"], t.Path = kind, kind
	switch kind {
	case "chatrecord", "mixed":
		inner, err := json.Marshal(file)
		if err != nil {
			return nil, err
		}
		item := object{"type": "file", "content": string(inner)}
		if kind == "chatrecord" {
			item = object{"type": "ChatRecordFile", "msgtime": g.now.Unix(), "from_chatroom": false, "content": string(inner)}
		}
		msg[kind], t.Path = object{"title": "x", "item": []object{item}}, kind+".item[0]"
	default:
		msg[kind] = file
	}
	if err := g.known.Encode(t); err != nil {
		return nil, err
	}
	return json.Marshal(msg)
}

// file is the next file, or, now and then, the one before once more.
func (g *generator) file() (medium, truth) {
	n := g.made
	g.made++
	if n%40 == 39 && g.last.size > 0 {
		return g.last, g.lastT
	}
	fates := map[int]fate{5: lies, 15: silent, 25: gone, 35: late, 45: never, 55: garbled}
	m := medium{number: n, size: g.sizes[n], fate: plain}
	if f, ok := fates[n%60]; ok {
		m.fate = f
	}
	_, sum := m.sums()
	t := truth{Fate: m.fate, SHA256: sum, Size: m.size}
	g.bytes += m.size
	if m.fate == plain {
		g.last, g.lastT = m, t
	}
	return m, t
}
