package wecom_test

import (
	"fmt"
	"strings"
	"testing"
	"unicode"

	"pgregory.net/rapid"

	"wecom-archive/shared/wecom"
)

func TestKindsOfIDs(t *testing.T) {
	for id, want := range map[string]wecom.Participant{
		"":                       {},
		"li.na":                  {ID: "li.na", Kind: wecom.Employee},
		"Li.Na":                  {ID: "li.na", Kind: wecom.Employee},
		"LI@Na-1":                {ID: "li@na-1", Kind: wecom.Employee},
		"张伟":                     {ID: "张伟", Kind: wecom.Employee},
		"wm":                     {ID: "wm", Kind: wecom.Employee},
		"wmWang":                 {ID: "wmwang", Kind: wecom.Employee}, // too short
		"wmQx9ZDAAAe":            {ID: "wmqx9zdaaae", Kind: wecom.Employee},
		"wmQx9ZDAAAex":           {ID: "wmQx9ZDAAAex", Kind: wecom.External},
		"wm.Wang.Xiaoming":       {ID: "wm.wang.xiaoming", Kind: wecom.Employee}, // no base64url
		"wmwangxiaoming":         {ID: "wmwangxiaoming", Kind: wecom.Employee},   // no upper case
		"wm-wang_xiaoming":       {ID: "wm-wang_xiaoming", Kind: wecom.Employee},
		"WMQx9ZDAAAexampleCust1": {ID: "wmqx9zdaaaexamplecust1", Kind: wecom.Employee},
		"wmQx9ZDAAAexampleCust1": {ID: "wmQx9ZDAAAexampleCust1", Kind: wecom.External},
		"woExampleUser_-1":       {ID: "woExampleUser_-1", Kind: wecom.External},
		"wbExampleBot01":         {ID: "wbExampleBot01", Kind: wecom.Robot},
		"wrExampleRoom0001":      {ID: "wrexampleroom0001", Kind: wecom.Employee},
	} {
		if got := wecom.ParticipantOf(id); got != want {
			t.Errorf("%q: %+v, want %+v", id, got, want)
		}
	}
}

// The folding of ids is part of the stored format: these may never change.
func TestCaseFolding(t *testing.T) {
	for id, want := range map[string]string{
		"ÄÖÜß": "äöüß", "ẞ": "ß", "ΣΊΣΥΦΟΣ": "σίσυφοσ", "ς": "σ", "ſ": "s", "\u212A": "k", "\u00B5": "\u03BC",
		"ǅ": "ǆ", "İ": "İ", "ı": "ı", "Ａ": "ａ", "ДЖ": "дж", "ꭰ": "Ꭰ", "Ꭰ": "Ꭰ", "ᏸ": "Ᏸ", "\U00010400": "\U00010428", "ﬁ": "ﬁ",
	} {
		if got := wecom.ParticipantOf(id).ID; got != want {
			t.Errorf("%q folds to %q, want %q", id, got, want)
		}
	}
	for r := rune(0x80); r <= 0x1FFFF; r++ {
		if r >= 0xD800 && r <= 0xDFFF {
			continue
		}
		folded := wecom.ParticipantOf(string(r)).ID
		if again := wecom.ParticipantOf(folded).ID; again != folded {
			t.Errorf("%U folds to %q and that to %q", r, folded, again)
		}
		if other := wecom.ParticipantOf(string(unicode.SimpleFold(r))).ID; other != folded {
			t.Errorf("%U folds to %q, but its variant to %q", r, folded, other)
		}
	}
}

func TestConversations(t *testing.T) {
	p := wecom.ParticipantOf
	long := strings.Repeat("号", 60)
	for _, c := range []struct {
		room string
		who  []wecom.Participant
		want string
	}{
		{"", nil, "unparsed"},
		{"", []wecom.Participant{{}, p("")}, "unparsed"},
		{"wrRoom", nil, "room:wrRoom"},
		{"wrRoom", []wecom.Participant{p("a"), p("b")}, "room:wrRoom"},
		{"", []wecom.Participant{p("b"), p("A")}, "pair:a,b"},
		{"", []wecom.Participant{p("a"), p("B"), p("A"), p("b"), {}}, "pair:a,b"},
		{"", []wecom.Participant{p("A"), p("a")}, "pair:a,a"},
		{"", []wecom.Participant{p("A")}, "pair:a,a"},
		{"", []wecom.Participant{{ID: "A", Kind: wecom.Employee}, p("b")}, "pair:a,b"},
		{"", []wecom.Participant{p("li.na"), p("wmQx9ZDAAAexampleCust01")}, "pair:li.na,wmQx9ZDAAAexampleCust01"},
		{"", []wecom.Participant{p("a,b"), p("c:d/e f%")}, "pair:a%2Cb,c%3Ad%2Fe%20f%25"},
		{"", []wecom.Participant{p("张"), p("zz@x.y_-~")}, "pair:zz@x.y_-~,%E5%BC%A0"},
		// Sorted before escaping: ',' is greater than '+', its escape "%2C" is less.
		{"", []wecom.Participant{p(",z"), p("+a")}, "pair:+a,%2Cz"},
		// printf 'a\nb\nc' | sha256sum
		{"", []wecom.Participant{p("c"), p("B"), p("a"), p("b")}, "multi:ea7fb08b7a2dc4619ffb7c7bb38d95a2047935fa165d71b12efd3852a2e6d0cc"},
		{strings.Repeat("r", 508), nil, "long:"},
		{strings.Repeat("r", 507), nil, "room:" + strings.Repeat("r", 507)},
		{"", []wecom.Participant{p(long), p("b")}, "long:"},
	} {
		got := wecom.ConversationOf(c.room, c.who...)
		if c.want == "long:" && strings.HasPrefix(got, "long:") && len(got) == 5+64 {
			continue
		}
		if got != c.want {
			t.Errorf("room %q, %v: %s, want %s", c.room, c.who, got, c.want)
		}
	}
}

func TestParticipantsOfAMessage(t *testing.T) {
	for raw, want := range map[string]string{
		`{"from":"Li.Na","tolist":["B","b","a",null,"",7,["x"],"a"]}`: "employee li.na > employee b, employee a, employee 7",
		`{"from":"a","tolist":"b"}`:                                   "employee a > employee b",
		`{"from":12345678901234567890,"tolist":[true]}`:               "employee 12345678901234567890 > employee true",
		`{"From":"a","ToList":["b"]}`:                                 "employee a > employee b",
		`{"action":"switch","user":"Li.Na"}`:                          "employee li.na > ",
		`{"from":null,"tolist":{"a":1}}`:                              "nobody > ",
		`{"from":{"userid":"a"}}`:                                     "nobody > ",
	} {
		m := parse(raw)
		from := "nobody"
		if m.From != (wecom.Participant{}) {
			from = fmt.Sprintf("%s %s", m.From.Kind, m.From.ID)
		}
		var to []string
		for _, p := range m.To {
			to = append(to, fmt.Sprintf("%s %s", p.Kind, p.ID))
		}
		if got := from + " > " + strings.Join(to, ", "); got != want {
			t.Errorf("%s: %s, want %s", raw, got, want)
		}
	}
	if m := parse(`{"from":"a","tolist":["b"],"roomid":12}`); m.RoomID != "12" || m.Conversation != "room:12" {
		t.Errorf("number as roomid: %s", m.Conversation)
	}
}

func externalID(t *rapid.T, label string) string {
	return rapid.StringMatching(`w[mo][A-Z][A-Za-z0-9_-]{12,29}`).Draw(t, label)
}

func employeeID(t *rapid.T, label string) string {
	return rapid.OneOf(
		rapid.StringMatching(`[a-zA-Z0-9_.@-]{1,20}`),
		rapid.StringN(1, 12, 64),
		rapid.StringMatching(`w[mob][a-z]{3,20}`),
	).Draw(t, label)
}

func TestPairsAreSymmetric(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := employeeID(t, "a"), rapid.OneOf(rapid.Custom(func(t *rapid.T) string { return employeeID(t, "id") }),
			rapid.Custom(func(t *rapid.T) string { return externalID(t, "id") })).Draw(t, "b")
		message := func(from, to string) string {
			return wecom.Parse(fmt.Appendf(nil, `{"from":%s,"tolist":[%s]}`, quote(from), quote(to)), "", pulledAt).Conversation
		}
		want := message(a, b)
		if got := message(b, a); got != want {
			t.Fatalf("%q and %q: %s, the other way %s", a, b, want, got)
		}
		if !strings.HasPrefix(want, "pair:") || strings.Count(want, ",") != 1 {
			t.Fatalf("%q and %q: %s is no pair", a, b, want)
		}
		p := wecom.ParticipantOf(a)
		if p.Kind != wecom.Employee {
			return
		}
		respelt := strings.Map(func(r rune) rune {
			if rapid.Bool().Draw(t, "respell") {
				return unicode.SimpleFold(r)
			}
			return r
		}, a)
		// A respelling may look like one of WeCom's own ids; then it is a stranger.
		if wecom.ParticipantOf(respelt).Kind != wecom.Employee {
			return
		}
		if got := message(respelt, b); got != want {
			t.Fatalf("%q and %q: %s, spelt %q %s", a, b, want, respelt, got)
		}
	})
}

func TestStrangersNeverShareAPair(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		employee := wecom.ParticipantOf(employeeID(t, "employee"))
		one := externalID(t, "one")
		other := rapid.OneOf(
			rapid.Just(strings.ToUpper(one[:5])+one[5:]),
			rapid.Just(one[:2]+strings.ToUpper(one[2:])),
			rapid.Just(one+"A"),
			rapid.Custom(func(t *rapid.T) string { return externalID(t, "id") }),
		).Draw(t, "other")
		if one == other {
			return
		}
		a := wecom.ConversationOf("", employee, wecom.ParticipantOf(one))
		b := wecom.ConversationOf("", employee, wecom.ParticipantOf(other))
		if a == b {
			t.Fatalf("%s and %s share %s", one, other, a)
		}
	})
}
