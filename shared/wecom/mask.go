package wecom

import (
	"net/url"
	"slices"
	"sort"
	"strings"
)

// Mask hides what opens files in what is shown of a message: the sdkfileids that the
// message uses, under whatever name they stand there, and what people wrote them as.
// It takes about as long as a text is long, however many ids there are, and however
// alike: a message is hostile input. A nil one knows no ids.
type Mask struct {
	ids   []string  // sorted, each once
	inner []int32   // the longest other id that each begins with; -1: none
	outer []int32   // the shortest, or the id itself
	first [256]bool // bytes that ids begin with
}

// Mask is the mask of this message.
func (m Message) Mask() *Mask { return m.mask }

// Replace returns s without what opens files.
func (m *Mask) Replace(s string) string { return cutWrittenIDs(m.hide(s, hidden)) }

func maskOf(files []Media) *Mask {
	var ids []string
	for _, file := range files {
		if maskable(file.FileID) {
			ids = append(ids, file.FileID)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	m := new(Mask)
	for _, id := range once(ids) {
		m.ids = append(m.ids, spellings(id)...)
	}
	m.ids = once(m.ids)
	m.inner, m.outer = make([]int32, len(m.ids)), make([]int32, len(m.ids))
	var open []int32 // ids that the current one may begin with, each within the next
	for i, id := range m.ids {
		m.first[id[0]] = true
		for len(open) > 0 && !strings.HasPrefix(id, m.ids[open[len(open)-1]]) {
			open = open[:len(open)-1]
		}
		m.inner[i] = -1
		if len(open) > 0 {
			m.inner[i] = open[len(open)-1]
		}
		open = append(open, int32(i))
		m.outer[i] = open[0]
	}
	return m
}

func once(ids []string) []string {
	slices.Sort(ids)
	return slices.Compact(ids)
}

// maskable says whether an sdkfileid is one: a word of some length. Masking a
// shorter one would punch holes into what people wrote.
func maskable(id string) bool {
	return len(id) >= shortestID && len(id) <= 4096 && !strings.ContainsAny(id, " \t\r\n")
}

// spellings are an id as it is, in a link, and in JSON that escapes slashes.
func spellings(id string) []string {
	return []string{id, url.QueryEscape(id), url.PathEscape(id), strings.ReplaceAll(id, "/", `\/`)}
}

// hide puts something in the place of every id, of several at one place of the longest.
func (m *Mask) hide(s, with string) string {
	if m == nil {
		return s
	}
	var out strings.Builder
	done := 0
	for i := 0; i < len(s); {
		length := 0
		if m.first[s[i]] {
			length = m.longest(s[i:])
		}
		if length == 0 {
			i++
			continue
		}
		out.WriteString(s[done:i])
		out.WriteString(with)
		i += length
		done = i
	}
	if done == 0 {
		return s
	}
	out.WriteString(s[done:])
	return out.String()
}

// longest is the length of the longest id that s begins with, 0 if there is none. Among
// the ids that are not greater than s, the last one is that id or begins with it.
func (m *Mask) longest(s string) int {
	i := int32(sort.Search(len(m.ids), func(i int) bool { return m.ids[i] > s }) - 1)
	if i < 0 || !strings.HasPrefix(s, m.ids[m.outer[i]]) {
		return 0
	}
	common := 0
	for common < len(s) && common < len(m.ids[i]) && s[common] == m.ids[i][common] {
		common++
	}
	for len(m.ids[i]) > common {
		i = m.inner[i]
	}
	return len(m.ids[i])
}
