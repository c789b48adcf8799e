package reading_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"wecom-archive/shared/reading"
	"wecom-archive/shared/wecom"
)

// TestUnopened: what the parser did not look into is told by what is stored.
func TestUnopened(t *testing.T) {
	text := func(more string) string {
		return `{"msgid":"m","from":"li.na","tolist":["wang.wei"],"msgtype":"text","text":{"content":"needle"}` + more + `}`
	}
	// written nests a text, each time written as JSON inside a string.
	written := func(levels int) string {
		s := "needle"
		for range levels {
			b, err := json.Marshal([]string{s})
			if err != nil {
				t.Fatal(err)
			}
			s = string(b)
		}
		b, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	// records nests records whose content is an object.
	records := func(levels int) string {
		s := `{"type":"ChatRecordText","content":{"content":"needle"}}`
		for range levels {
			s = `{"type":"chatrecord","content":{"item":[` + s + `]}}`
		}
		return `{"msgid":"m","from":"li.na","tolist":["wang.wei"],"msgtype":"chatrecord","chatrecord":{"item":[` + s + `]}}`
	}
	for name, c := range map[string]struct {
		raw  string
		want bool
	}{
		"text":                {text(""), false},
		"nested lists":        {text(`,"x":` + strings.Repeat("[", 9000) + strings.Repeat("]", 9000)), false},
		"too many of them":    {text(`,"x":` + strings.Repeat("[", 20000) + strings.Repeat("]", 20000)), true},
		"written in strings":  {`{"from":"a","msgtype":"new","x":` + written(15) + `}`, false},
		"too deep in strings": {`{"from":"a","msgtype":"new","x":` + written(18) + `}`, true},
		"records":             {records(wecom.MaxDepth - 2), false},
		"too deep records":    {records(wecom.MaxDepth + 2), true},
		"no JSON":             {"hello {", true},
		"no object":           {"[1,2]", true},
		"nothing":             {"", true},
		"empty":               {"{}", false},
		"cut off":             {text("")[:40], true},
	} {
		r := reading.Read([]byte(c.raw), "m", time.Time{})
		if got := reading.Unopened([]byte(c.raw), r); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// TestUnopenedLikeTheParser: looking at the brackets first passes nothing over.
func TestUnopenedLikeTheParser(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := `"]]}}needle"`
		for range rapid.IntRange(0, 22).Draw(t, "levels") {
			switch rapid.IntRange(0, 3).Draw(t, "how") {
			case 0:
				s = `[` + s + `]`
			case 1:
				s = `{"type":"chatrecord","content":{"a":"]]]]","item":[` + s + `]}}`
			case 2:
				s = `{"item":[` + s + `]}`
			default:
				if len(s) < 4000 {
					b, _ := json.Marshal(`["]]]]]]]]",` + s + `]`)
					s = string(b)
				}
			}
		}
		raw := []byte(`{"from":"a","msgtype":"` + rapid.SampledFrom([]string{"chatrecord", "new"}).Draw(t, "type") + `","chatrecord":{"item":[` + s + `]},"new":` + s + `}`)
		if got, want := reading.Unopened(raw, reading.Read(raw, "m", time.Time{})), wecom.Parse(raw, "m", time.Time{}).Unopened; got != want {
			t.Fatalf("%s: %v, the parser says %v", raw, got, want)
		}
	})
}
