package chat_test

import (
	"strings"
	"testing"
	"unicode"

	"pgregory.net/rapid"

	"wecom-archive/shared/chat"
)

func TestKindsOfIDs(t *testing.T) {
	for id, want := range map[string]chat.Participant{
		"":                       {},
		"li.na":                  {ID: "li.na", Kind: chat.Employee},
		"Li.Na":                  {ID: "li.na", Kind: chat.Employee},
		"LI@Na-1":                {ID: "li@na-1", Kind: chat.Employee},
		"张伟":                     {ID: "张伟", Kind: chat.Employee},
		"wm":                     {ID: "wm", Kind: chat.Employee},
		"wmWang":                 {ID: "wmwang", Kind: chat.Employee}, // too short
		"wmQx9ZDAAAe":            {ID: "wmqx9zdaaae", Kind: chat.Employee},
		"wmQx9ZDAAAex":           {ID: "wmQx9ZDAAAex", Kind: chat.External},
		"wm.Wang.Xiaoming":       {ID: "wm.wang.xiaoming", Kind: chat.Employee}, // no base64url
		"wmwangxiaoming":         {ID: "wmwangxiaoming", Kind: chat.Employee},   // no upper case
		"wm-wang_xiaoming":       {ID: "wm-wang_xiaoming", Kind: chat.Employee},
		"WMQx9ZDAAAexampleCust1": {ID: "wmqx9zdaaaexamplecust1", Kind: chat.Employee},
		"wmQx9ZDAAAexampleCust1": {ID: "wmQx9ZDAAAexampleCust1", Kind: chat.External},
		"woExampleUser_-1":       {ID: "woExampleUser_-1", Kind: chat.External},
		"wbExampleBot01":         {ID: "wbExampleBot01", Kind: chat.Robot},
		"wrExampleRoom0001":      {ID: "wrexampleroom0001", Kind: chat.Employee},
	} {
		if got := chat.ParticipantOf(id); got != want {
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
		if got := chat.ParticipantOf(id).ID; got != want {
			t.Errorf("%q folds to %q, want %q", id, got, want)
		}
	}
	for r := rune(0x80); r <= 0x1FFFF; r++ {
		if r >= 0xD800 && r <= 0xDFFF {
			continue
		}
		folded := chat.ParticipantOf(string(r)).ID
		if again := chat.ParticipantOf(folded).ID; again != folded {
			t.Errorf("%U folds to %q and that to %q", r, folded, again)
		}
		if other := chat.ParticipantOf(string(unicode.SimpleFold(r))).ID; other != folded {
			t.Errorf("%U folds to %q, but its variant to %q", r, folded, other)
		}
	}
}

func TestConversations(t *testing.T) {
	p := chat.ParticipantOf
	long := strings.Repeat("号", 60)
	for _, c := range []struct {
		room string
		who  []chat.Participant
		want string
	}{
		{"", nil, "unparsed"},
		{"", []chat.Participant{{}, p("")}, "unparsed"},
		{"wrRoom", nil, "room:wrRoom"},
		{"wrRoom", []chat.Participant{p("a"), p("b")}, "room:wrRoom"},
		{"", []chat.Participant{p("b"), p("A")}, "pair:a,b"},
		{"", []chat.Participant{p("a"), p("B"), p("A"), p("b"), {}}, "pair:a,b"},
		{"", []chat.Participant{p("A"), p("a")}, "pair:a,a"},
		{"", []chat.Participant{p("A")}, "pair:a,a"},
		{"", []chat.Participant{{ID: "A", Kind: chat.Employee}, p("b")}, "pair:a,b"},
		{"", []chat.Participant{p("li.na"), p("wmQx9ZDAAAexampleCust01")}, "pair:li.na,wmQx9ZDAAAexampleCust01"},
		{"", []chat.Participant{p("a,b"), p("c:d/e f%")}, "pair:a%2Cb,c%3Ad%2Fe%20f%25"},
		{"", []chat.Participant{p("张"), p("zz@x.y_-~")}, "pair:zz@x.y_-~,%E5%BC%A0"},
		// Sorted before escaping: ',' is greater than '+', its escape "%2C" is less.
		{"", []chat.Participant{p(",z"), p("+a")}, "pair:+a,%2Cz"},
		// printf 'a\nb\nc' | sha256sum
		{"", []chat.Participant{p("c"), p("B"), p("a"), p("b")}, "multi:ea7fb08b7a2dc4619ffb7c7bb38d95a2047935fa165d71b12efd3852a2e6d0cc"},
		{strings.Repeat("r", 508), nil, "long:"},
		{strings.Repeat("r", 507), nil, "room:" + strings.Repeat("r", 507)},
		{"", []chat.Participant{p(long), p("b")}, "long:"},
	} {
		got := chat.ConversationOf(c.room, c.who...)
		if c.want == "long:" && strings.HasPrefix(got, "long:") && len(got) == 5+64 {
			continue
		}
		if got != c.want {
			t.Errorf("room %q, %v: %s, want %s", c.room, c.who, got, c.want)
		}
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

func TestStrangersNeverShareAPair(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		employee := chat.ParticipantOf(employeeID(t, "employee"))
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
		a := chat.ConversationOf("", employee, chat.ParticipantOf(one))
		b := chat.ConversationOf("", employee, chat.ParticipantOf(other))
		if a == b {
			t.Fatalf("%s and %s share %s", one, other, a)
		}
	})
}
