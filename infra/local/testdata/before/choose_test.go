package local_test

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/reading"
	"wecom-archive/shared/wecom/wecomtest"
)

// line is a message that could be taken.
type line struct {
	index int
	msgid string
	raw   []byte
	read  archive.Reading
	bytes int64 // of its files, as far as WeCom gives them
	fates []wecomtest.Fate
}

var fileIDs = regexp.MustCompile(`Ct[A-Za-z0-9+/]{256}`)

// writtenIDs are fileIDs as messages write them, with or without escaped slashes.
var writtenIDs = regexp.MustCompile(`Ct[^"]{250,}`)

// lines are what the company says in all phases.
func lines(t *testing.T) (all []line) {
	config := wecomtest.Config{Corp: beforeCorp, Seed: beforeSeed}
	for _, p := range phases {
		e := p.extent
		e.Count = phaseMessages
		config.Extents = append(config.Extents, e)
	}
	corp, err := wecomtest.New(config)
	if err != nil {
		t.Fatal(err)
	}
	for i := range corp.Len() {
		m, err := corp.Served(i)
		if err != nil {
			t.Fatal(err)
		}
		l := line{index: i, msgid: m.MsgID, raw: m.Raw, read: reading.Read(m.Raw, m.MsgID, phases[0].now)}
		for _, id := range fileIDs.FindAllString(strings.ReplaceAll(string(m.Raw), `\/`, "/"), -1) {
			if _, size, fate, ok := wecomtest.MediaTruth(id); ok {
				l.fates = append(l.fates, fate)
				if fate != wecomtest.Never && fate != wecomtest.Expired {
					l.bytes += size
				}
			}
		}
		if len(m.Raw) < 6000 && !bytes.Contains(m.Raw, []byte("\n")) && l.read.MsgType != "solitaire_v9" && l.read.MsgType != "shop_order" {
			all = append(all, l)
		}
	}
	return all
}

// choose takes few of each kind, and more of some conversations.
func choose(all []line) (chosen [][]line) {
	often := map[string]int{}
	byMsgID := map[string]line{}
	for _, l := range all {
		often[l.read.Conversation]++
		byMsgID[l.msgid] = l
	}
	var conversations []string
	for _, prefix := range []string{"room:", "room:", "room:", "pair:", "pair:", "pair:", "multi:"} {
		best := ""
		for c, n := range often {
			if strings.HasPrefix(c, prefix) && (n > often[best] || n == often[best] && c < best) {
				best = c
			}
		}
		delete(often, best)
		conversations = append(conversations, best)
	}
	for n := range phases {
		quota := map[string]int{}
		take := func(key string, most int) bool { quota[key]++; return quota[key] <= most }
		set := map[int]line{}
		part := slices.DeleteFunc(slices.Clone(all), func(l line) bool { return l.index/phaseMessages != n })
		slices.SortStableFunc(part, func(a, b line) int { return int(a.bytes - b.bytes) })
		few := 3 - min(n, 1)
		for _, l := range part {
			known := slices.Contains(conversations, l.read.Conversation)
			target, recalled := byMsgID[l.read.RefMsgID]
			switch {
			case l.read.MsgType == "revoke":
				if recalled && target.index/phaseMessages == n && target.bytes < 8000 && take("revoke", 4) {
					set[l.index], set[target.index] = l, target
				}
			case l.bytes > 40_000:
			case l.read.MsgType != "text" && !slices.ContainsFunc(l.fates, notPlain) && take("kind "+l.read.MsgType, few),
				!utf8.Valid(l.raw) && take("no utf-8", 2),
				l.read.Conversation == "unparsed" && take("unparsed", 2),
				l.read.TimeSource != "msgtime" && take("time "+l.read.TimeSource, 2),
				known && l.bytes == 0 && take(l.read.Conversation, 11),
				known && l.bytes < 4000 && l.bytes > 0 && take("files "+l.read.Conversation, 3),
				l.read.SenderKind == "external" && take("external", 6),
				l.read.ChatKind == "external" && strings.HasPrefix(l.read.Conversation, "pair:") && take("customers", 12):
				set[l.index] = l
			}
			for _, fate := range l.fates {
				if notPlain(fate) && l.bytes <= 40_000 && take(fmt.Sprint("fate ", fate), 2) {
					set[l.index] = l
				}
			}
		}
		var these []line
		for _, l := range set {
			these = append(these, l)
		}
		slices.SortFunc(these, func(a, b line) int { return a.index - b.index })
		chosen = append(chosen, these)
	}
	return chosen
}

func notPlain(fate wecomtest.Fate) bool { return fate != wecomtest.Plain }

// spoilFiles makes two files ones that WeCom refuses, or that the message does not name.
func spoilFiles(these []line) {
	instead := []string{"CtNoSuchFile", ""}
	for i, l := range these {
		if l.read.MsgType == "image" && len(instead) > 0 && len(l.fates) == 1 && l.fates[0] == wecomtest.Plain {
			if raw := writtenIDs.ReplaceAll(l.raw, []byte(instead[0])); !bytes.Equal(raw, l.raw) {
				these[i].raw, instead = raw, instead[1:]
			}
		}
	}
}
