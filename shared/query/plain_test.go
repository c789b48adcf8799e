package query

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// plainPlaces is Places as one would write it first: fold all, list every place of every
// term, sort.
func plainPlaces(w Words, text string) (out []Range) {
	f := folders.Get().(*folder)
	var folded []byte
	var from, to []int
	for at := 0; at < len(text); {
		end, piece := f.next(text, at)
		from, to = append(from, at), append(to, len(folded))
		folded, at = w.variants.append(folded, piece), end
	}
	from, to = append(from, len(text)), append(to, len(folded))
	var all []Range
	for _, t := range w.terms {
		for at := 0; t.shown; {
			n := bytes.Index(folded[at:], t.folded)
			if n < 0 {
				break
			}
			all = append(all, Range{at + n, at + n + len(t.folded)})
			at += n + 1
		}
	}
	join := func(ranges []Range) (out []Range) {
		slices.SortFunc(ranges, func(a, b Range) int { return a.Start - b.Start })
		for _, r := range ranges {
			if n := len(out); n > 0 && r.Start <= out[n-1].End {
				out[n-1].End = max(out[n-1].End, r.End)
				continue
			}
			out = append(out, r)
		}
		return out
	}
	for _, r := range join(all) {
		first, _ := slices.BinarySearch(to, r.Start+1)
		last, _ := slices.BinarySearch(to, r.End)
		out = append(out, Range{from[first-1], from[last]})
	}
	return join(out)
}

// TestPlacesLikePlainOnes: places of a long text, looked at in steps, are those of the
// whole, and so is whether it is meant, wherever between two steps a term stands.
func TestPlacesLikePlainOnes(t *testing.T) {
	pieces := []string{"合", "同", "合同", "編號", "编号", "aa", "a", "ﬁ", "e\u0301", "e\u200d\u0301", "\u200b", "ß", "①", "\ufdfa", " ", "头", "髮"}
	words := []string{"a OR aa OR aaa", "合 OR 同 OR 合同合", "编号 OR fi", "é", `"合同合同合同" OR -a`, "صلى", "头发 OR ss", "没有 OR (合 -没有)", "1 aaa", strings.Repeat("合同", 150)}
	filler := []string{"a", "合", "合同", "\ufdfa", "e\u200d\u0301", "x", "編", "１"}
	rapid.Check(t, func(t *rapid.T) {
		w, err := ParseWords(rapid.SampledFrom(words).Draw(t, "words"))
		if err != nil {
			t.Fatal(err)
		}
		if rapid.Bool().Draw(t, "variants") {
			w = w.WithVariants()
		}
		some := func(label string) string {
			return strings.Join(rapid.SliceOfN(rapid.SampledFrom(pieces), 0, 6).Draw(t, label), "")
		}
		fill := rapid.SampledFrom(filler).Draw(t, "filler")
		n := (foldBytes + rapid.IntRange(-40, 40).Draw(t, "more")) / len(Fold(fill))
		text := some("before") + strings.Repeat(fill, n) + some("between") + strings.Repeat(fill, rapid.SampledFrom([]int{0, 1, n}).Draw(t, "again")) + some("behind")

		folded := AppendFolded(nil, text)
		letters := w.variants.append(nil, folded)
		want := w.root.match(func(i int) bool { return bytes.Contains(letters, w.terms[i].folded) })
		meant, err := w.Meant(text, nil)
		if err != nil || meant != want {
			t.Fatalf("meant: %v, %v, want %v", meant, err, want)
		}
		s := w.Scan()
		for range 2 { // one text after another
			step := rapid.IntRange(1, 9).Draw(t, "step")
			if len(folded) > 500 {
				step *= 301
			}
			for part := range slices.Chunk(folded, step) {
				s.Write(part)
			}
			if got := s.Meant(); got != want {
				t.Fatalf("in parts: %v, want %v", got, want)
			}
		}
		plain := plainPlaces(w, text)
		places, more, err := w.Places(text, nil)
		if err != nil || more != (len(plain) > MaxRanges) || !more && !reflect.DeepEqual(places, plain) || more && !reflect.DeepEqual(places, plain[:min(len(places), len(plain))]) {
			t.Fatalf("%d places, more %v, %v; want %d", len(places), more, err, len(plain))
		}
	})
}

// hostile are texts and words that cost most, each for a reason of its own.
func hostile(bytes int) []struct{ name, words, text string } {
	var overlapping []string
	for i := 1; i < MaxTerms; i++ {
		overlapping = append(overlapping, strings.Repeat("a", i))
	}
	var apart []string
	for i := range MaxTerms {
		apart = append(apart, fmt.Sprintf("%c", 'a'+i%26)+strings.Repeat("b", i/26))
	}
	text := func(s string) string { return strings.Repeat(s, bytes/len(s)) }
	return []struct{ name, words, text string }{
		{"31 terms that overlap", strings.Join(overlapping, " OR "), text("a")},
		{"one long term", strings.Repeat("a", 1000), text("a")},
		{"32 terms that do not", strings.Join(apart, " OR "), text("abcdefghijklmnopqrstuvwxyz ")},
		{"U+FDFA, which grows", "عليه", text("\ufdfa")},
		{"U+FDFA, many terms", "ص OR ل OR ى OR ا OR لل OR ه OR ع OR ي OR و OR س OR م", text("\ufdfa")},
		{"ligatures and signs", "株式会社 OR fi OR メートル", text("㍿ﬁ㍍㌔㋿①ﷺ")},
		{"marks on marks", "e", text("e" + strings.Repeat("\u0301\u0323", 40))},
		{"between things unseen", "é", text("e" + strings.Repeat("\u200b", 500) + "\u0301")},
		{"unseen, over and over", "aa", text("a\u200b")},
	}
}

// TestHostileTexts: neither places of terms nor letters that grow when they are folded take
// memory that grows with the text.
func TestHostileTexts(t *testing.T) {
	const most = 8 << 20 // what is kept is a tenth of it; the rest is left lying
	plainHigh := uint64(0)
	for _, h := range hostile(256 << 10) {
		w, err := ParseWords(h.words)
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range []Words{w, w.WithVariants()} {
			if high := peak(func() {
				meant, err := w.Meant(h.text, nil)
				if err == nil && meant {
					_, _, err = w.Places(h.text, nil)
				}
				if err != nil {
					t.Error(err)
				}
			}); high > most {
				t.Errorf("%s: %d kB at most", h.name, high>>10)
			}
		}
		if plainHigh == 0 { // of the first
			plainHigh = peak(func() { plainPlaces(w, h.text) })
		}
	}
	if plainHigh < 10*most {
		t.Errorf("the plain way takes %d kB: nothing is shown", plainHigh>>10)
	}
}

// peak is about how much more is on the heap while something runs than before.
func peak(do func()) (high uint64) {
	var before, now runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	done, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			runtime.GC() // what is kept, not what is left lying
			runtime.ReadMemStats(&now)
			high = max(high, now.HeapAlloc-min(now.HeapAlloc, before.HeapAlloc))
			select {
			case <-done:
				return
			default:
			}
		}
	}()
	do()
	close(done)
	<-stopped
	return high
}

// TestStop: a text is looked at no longer than it may be.
func TestStop(t *testing.T) {
	enough := errors.New("enough")
	for _, h := range hostile(2 << 20) {
		w, err := ParseWords("没有 OR -(" + h.words + " OR 没有)") // looked for to the end
		if err != nil {
			w, err = ParseWords(h.words)
		}
		if err != nil {
			t.Fatal(err)
		}
		asked := 0
		stop := func() error {
			if asked++; asked == 3 {
				return enough
			}
			return nil
		}
		if _, err := w.Meant(h.text, stop); !errors.Is(err, enough) && !w.matchShort(AppendFolded(nil, h.text)) {
			t.Errorf("%s, meant: %v after %d questions", h.name, err, asked)
		}
		if folded := AppendFolded(nil, h.text); len(folded) > 3*stepBytes {
			asked = 0
			if meant, err := w.MatchFolded(folded, stop); !errors.Is(err, enough) && !meant {
				t.Errorf("%s, folded: %v after %d questions", h.name, err, asked)
			}
		}
		if w, err = ParseWords(h.words); err != nil {
			t.Fatal(err)
		}
		asked = 0
		if _, more, err := w.Places(h.text, stop); !errors.Is(err, enough) && !more {
			t.Errorf("%s, places: %v after %d questions", h.name, err, asked)
		}
	}
}

// TestPlacesAreBounded: once there are enough of them, a text is not looked at further.
func TestPlacesAreBounded(t *testing.T) {
	w, err := ParseWords("a")
	if err != nil {
		t.Fatal(err)
	}
	asked := 0
	places, more, err := w.Places(strings.Repeat("ab", 2<<20), func() error { asked++; return nil })
	if err != nil || len(places) != MaxRanges || !more || asked > 3 {
		t.Errorf("%d places, more %v, after %d questions, %v", len(places), more, asked, err)
	}
}

// BenchmarkHostile prints how often the plain way takes the memory and the time of ours.
func BenchmarkHostile(b *testing.B) {
	for _, h := range hostile(256 << 10) {
		b.Run(strings.ReplaceAll(h.name, " ", "_"), func(b *testing.B) {
			w, err := ParseWords(h.words)
			if err != nil {
				b.Fatal(err)
			}
			var bytes, plainBytes uint64
			var took, plainTook time.Duration
			for b.Loop() {
				measure := func(of *uint64, time_ *time.Duration, do func()) {
					var before, after runtime.MemStats
					runtime.ReadMemStats(&before)
					began := time.Now()
					do()
					*time_ += time.Since(began)
					runtime.ReadMemStats(&after)
					*of += after.TotalAlloc - before.TotalAlloc
				}
				measure(&bytes, &took, func() {
					if meant, err := w.Meant(h.text, nil); err != nil || meant {
						_, _, _ = w.Places(h.text, nil)
					}
				})
				measure(&plainBytes, &plainTook, func() { plainPlaces(w, h.text) })
			}
			b.ReportMetric(float64(plainBytes)/float64(max(bytes, 1)), "times_less_allocated")
			b.ReportMetric(plainTook.Seconds()/took.Seconds(), "times_faster")
			b.ReportMetric(float64(bytes)/float64(b.N)/1024, "kB/text")
			b.ReportMetric(float64(took.Milliseconds())/float64(b.N), "ms/text")
			b.ReportMetric(0, "ns/op")
		})
	}
}
