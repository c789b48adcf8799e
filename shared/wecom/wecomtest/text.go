package wecomtest

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// china is where the corp's people are: their texts name local dates. The zone
// has had no summer time since 1991, so no time zone database is needed.
var china = time.FixedZone("Asia/Shanghai", 8*60*60)

// line is a step of a session's script: who says it and what.
type line struct {
	side int // 0 asked first, 1 answers
	text string
}

// scripts are what these people may talk about.
func (t talk) scripts() [][]string {
	if !t.outside() {
		return officeScripts
	}
	return scripts[t.language()]
}

// scripted returns the given step of a session. When a script has come to its
// end the next one begins.
func scripted(seed, session uint64, t talk, step int) line {
	r := stream(seed, forScript, session)
	for {
		script := pick(&r, t.scripts())
		if step < len(script) {
			l := script[step]
			if l[0] == '>' {
				return line{side: 0, text: l[1:]}
			}
			return line{side: 1, text: l[1:]}
		}
		step -= len(script)
	}
}

// fill replaces the placeholders of template. What they stand for stays the same
// through a session, so that people talk about one contract and one amount.
func (c *Corp) fill(template string, h head) string {
	if strings.IndexByte(template, '{') < 0 {
		return template
	}
	var b strings.Builder
	b.Grow(len(template) + 48)
	for {
		open := strings.IndexByte(template, '{')
		if open < 0 {
			break
		}
		end := strings.IndexByte(template[open:], '}')
		if end < 0 {
			break
		}
		b.WriteString(template[:open])
		b.WriteString(c.detail(template[open+1:open+end], h))
		template = template[open+end+1:]
	}
	b.WriteString(template)
	return b.String()
}

// detail is what a placeholder stands for in the session of h.
func (c *Corp) detail(name string, h head) string {
	var tag uint64
	for _, ch := range []byte(name) {
		tag = tag<<8 | uint64(ch)
	}
	r := stream(c.config.Seed^tag, forDetail, h.place.session())
	lang := h.talk.language()
	switch name {
	case "me":
		return h.from.name
	case "other":
		return h.other().name
	case "who":
		members := h.talk.members()
		if len(members) > 2 {
			return pick(&r, members).name
		}
		return pick(&r, c.crowd.employees).name
	case "prod":
		return pick(&r, products[lang])
	case "co":
		return pick(&r, companies[lang])
	case "city":
		return pick(&r, cities[lang])
	case "amt":
		return amount(&r, lang)
	case "n":
		return strconv.Itoa(r.between(2, 9))
	case "age":
		return strconv.Itoa(r.between(22, 68))
	case "no":
		return strconv.Itoa(r.between(1e9, 9_999_999_999))
	case "date":
		return date(h.sent.In(china).AddDate(0, 0, 1+r.n(20)), lang)
	case "time":
		return fmt.Sprintf("%d:%s", r.between(9, 18), pick(&r, []string{"00", "15", "30"}))
	case "file":
		return fileName(&r, lang)
	}
	return name
}

func amount(r *rng, lang language) string {
	switch lang {
	case traditional:
		return "HK$" + thousands(r.between(8, 900)*100)
	case english:
		return "USD " + thousands(r.between(12, 4000)*50)
	}
	if r.oneIn(3) {
		return strconv.Itoa(r.between(2, 480)) + "." + strconv.Itoa(r.between(1, 9)) + "万"
	}
	return thousands(r.between(6, 990)*100) + "元"
}

func thousands(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

func date(t time.Time, lang language) string {
	if lang == english {
		return t.Format("2 Jan")
	}
	return strconv.Itoa(int(t.Month())) + "月" + strconv.Itoa(t.Day()) + "日"
}

func fileName(r *rng, lang language) string {
	stem := pick(r, fileStems[lang])
	return stem + "_v" + strconv.Itoa(r.between(1, 9)) + "." + pick(r, fileExts)
}

// text is what a text message says.
func (c *Corp) text(h head, r *rng) string {
	lang := h.talk.language()
	said := h.line.text
	switch n := r.n(1000); {
	case n < 160:
		said = pick(r, remarks[lang])
	case n < 172:
		said = pick(r, notices[lang])
	case n < 200 && h.place.step > 0:
		said = c.quote(h, pick(r, remarks[lang]))
	case n < 240 && h.talk.room != nil:
		said = "@" + pick(r, h.talk.members()).name + "\u2005" + said // as the client writes a mention
	case n < 241 && h.talk.room != nil:
		said = "@所有人\u2005" + said
	case n < 250:
		said += "\n" + pick(r, pick(r, h.talk.scripts()))[1:]
	}
	return c.fill(said, h)
}

// quote is a reply to the session's step before: WeCom marks it by a prefix only.
func (c *Corp) quote(h head, reply string) string {
	before := scripted(c.config.Seed, h.place.session(), h.talk, h.place.step-1)
	prefix := "这是一条引用/回复消息："
	if h.talk.language() == english {
		prefix = "This is a quote/reply:"
	}
	return prefix + "\n\"{other}：\n" + before.text + "\"\n------\n" + reply
}
