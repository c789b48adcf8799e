package viewer

import (
	"regexp"
	"strings"
	"testing"
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
	entries, err := pageFiles.ReadDir("pages")
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile(`\{\{t "([^"]+)"|\(t "([^"]+)"`)
	for _, entry := range entries {
		if !strings.HasSuffix(entry.Name(), ".html") {
			continue
		}
		doc, err := pageFiles.ReadFile("pages/" + entry.Name())
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

// TestWordsOnce: no two subjects have the same key.
func TestWordsOnce(t *testing.T) {
	sum := 0
	for _, subject := range []map[string]phrase{frameWords, overviewWords, transcriptWords, searchWords, recordWords, setupWords, messageWords} {
		sum += len(subject)
	}
	if sum != len(words) {
		t.Errorf("%d phrases under %d keys", sum, len(words))
	}
}
