package pages

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"wecom-archive/shared/wecom"
)

// TestWords: both languages have every phrase, and every phrase that a template names
// is there.
func TestWords(t *testing.T) {
	verbs := regexp.MustCompile(`%[sd]`)
	for key, p := range words {
		if p.zh == "" || p.en == "" {
			t.Errorf("%s: %+v", key, p)
		}
		if zh, en := len(verbs.FindAllString(p.zh, -1)), len(verbs.FindAllString(p.en, -1)); zh != en {
			t.Errorf("%s takes %d values in Chinese, %d in English", key, zh, en)
		}
	}
	entries, err := pageFiles.ReadDir("assets")
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile(`\{\{t "([^"]+)"|\(t "([^"]+)"`)
	for _, entry := range entries {
		if !strings.HasSuffix(entry.Name(), ".html") {
			continue
		}
		doc, err := pageFiles.ReadFile("assets/" + entry.Name())
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range named.FindAllStringSubmatch(string(doc), -1) {
			if _, ok := words[m[1]+m[2]]; !ok {
				t.Errorf("%s says %q, which no language has", entry.Name(), m[1]+m[2])
			}
		}
	}
}

// TestEveryTypeIsDrawn: each type that the parser knows has a reader and a name in both
// languages, and nothing is read that it does not know.
func TestEveryTypeIsDrawn(t *testing.T) {
	readers := bodyReaders()
	for _, known := range wecom.Types() {
		if readers[known.Name] == nil {
			t.Errorf("%s has no reader", known.Name)
		}
		delete(readers, known.Name)
		if _, ok := words["type."+known.Name]; !ok {
			t.Errorf("%s has no name", known.Name)
		}
		if _, ok := words["type."+known.File]; known.File != "" && !ok {
			t.Errorf("its file, %s, has no name", known.File)
		}
		if offered := slices.Contains(searchView{}.Types(), known.Name); offered == known.Action {
			t.Errorf("%s: the search form offers it: %v", known.Name, offered)
		}
	}
	for name := range readers {
		t.Errorf("%s is read, but no known type", name)
	}
	for name := range noticeTypes {
		if bodyReaders()[name] == nil {
			t.Errorf("%s is a notice, but no known type", name)
		}
	}
}

// TestWordsOnce: no two subjects have the same key.
func TestWordsOnce(t *testing.T) {
	sum := 0
	for _, subject := range []map[string]phrase{frameWords, overviewWords, damageWords, transcriptWords, searchWords, recordWords, setupWords, messageWords} {
		sum += len(subject)
	}
	if sum != len(words) {
		t.Errorf("%d phrases under %d keys", sum, len(words))
	}
}

// TestCounts: English has a singular.
func TestCounts(t *testing.T) {
	for _, test := range []struct {
		lang language
		key  string
		n    any
		want string
	}{
		{english, "items", 1, "1 item"}, {english, "items", 2, "2 items"}, {chinese, "items", 1, "1 条"},
		{english, "access.count", 1, "1 message"}, {english, "access.talks", 0, "0 conversations"},
		{english, "types.uncounted", "1", "1 more was archived by an older version and not counted by type: wecom-archive reindex counts it."},
		{english, "search.waiting", "{1|2}", "Pages that are not archived yet: {1|2}"},
	} {
		if got := say(test.lang, test.key, test.n); got != test.want {
			t.Errorf("%q, want %q", got, test.want)
		}
	}
}
