package pages

import (
	"fmt"
	"html/template"
	"maps"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/plural"
)

// say is a phrase of the catalogue, words, in a language.
func say(lang language, key string, args ...any) string {
	both, ok := words[key]
	if !ok {
		return key
	}
	text := both.zh
	if lang == english {
		text = both.en
	}
	for i, arg := range args {
		args[i] = pointedTo(arg)
	}
	if len(args) > 0 {
		text = plural.Choose(text, args[0])
		text = fmt.Sprintf(text, args...)
	}
	return text
}

// sayKnown is the phrase prefix.key, or key itself where there is none: WeCom and the
// archive name new things.
func sayKnown(lang language, prefix, key string) string {
	if _, ok := words[prefix+"."+key]; ok {
		return say(lang, prefix+"."+key)
	}
	return key
}

func bothIn(lang language) func(archive.Bilingual) string {
	return func(b archive.Bilingual) string {
		if lang == english {
			return b.English
		}
		return b.Chinese
	}
}

// inlineCode marks what stands between backticks as code, and escapes all of it.
func inlineCode(text string) template.HTML {
	parts := strings.Split(text, "`")
	var b strings.Builder
	for i, part := range parts {
		part = template.HTMLEscapeString(part)
		switch {
		case i%2 == 0:
			b.WriteString(part)
		case i == len(parts)-1: // a backtick without its other
			b.WriteString("`" + part)
		default:
			b.WriteString("<code>" + part + "</code>")
		}
	}
	return template.HTML(b.String())
}

var weekdays = [...]string{"日", "一", "二", "三", "四", "五", "六"}

func dayIn(lang language, t time.Time) string {
	if lang == english {
		return t.Format("Mon 2 January 2006")
	}
	return t.Format("2006年1月2日") + " 周" + weekdays[t.Weekday()]
}

// sizeText is a size that people read, in binary units.
func sizeText(n int64) string {
	if n < 0 {
		return ""
	}
	if n < 1024 {
		return strconv.FormatInt(n, 10) + " B"
	}
	value, unit := float64(n), 0
	for value >= 1024 && unit < 4 {
		value /= 1024
		unit++
	}
	return strconv.FormatFloat(value, 'f', 1, 64) + " " + []string{"B", "KB", "MB", "GB", "TB"}[unit]
}

// pointedTo is what a pointer to a number points to: the API has such members.
func pointedTo(v any) any {
	switch p := v.(type) {
	case *int:
		return *p
	case *int64:
		return *p
	}
	return v
}

// groupDigits writes 1234567 as 1,234,567.
func groupDigits(v any) string {
	text := fmt.Sprint(pointedTo(v))
	sign := ""
	if strings.HasPrefix(text, "-") {
		sign, text = "-", text[1:]
	}
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return sign + text
}

// initial is the letter in the circle beside a name.
func initial(name string) string {
	r, _ := utf8.DecodeRuneInString(name)
	if r == utf8.RuneError {
		return "?"
	}
	return strings.ToUpper(string(r))
}

type phrase struct{ zh, en string }

// words is what the pages say. The Chinese words are those of WeCom's console.
var words = together(frameWords, overviewWords, damageWords, transcriptWords, searchWords, recordWords, setupWords, messageWords)

// together is all phrases of the subjects, each of which has its own keys.
func together(subjects ...map[string]phrase) map[string]phrase {
	all := map[string]phrase{}
	for _, subject := range subjects {
		maps.Copy(all, subject)
	}
	return all
}
