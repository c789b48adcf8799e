package wecom_test

import (
	"fmt"
	"strings"
	"testing"
	"unicode"

	"pgregory.net/rapid"

	"wecom-archive/shared/chat"
	"wecom-archive/shared/wecom"
)

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
		if m.From != (chat.Participant{}) {
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
		p := chat.ParticipantOf(a)
		if p.Kind != chat.Employee {
			return
		}
		respelt := strings.Map(func(r rune) rune {
			if rapid.Bool().Draw(t, "respell") {
				return unicode.SimpleFold(r)
			}
			return r
		}, a)
		// A respelling may look like one of WeCom's own ids; then it is a stranger.
		if chat.ParticipantOf(respelt).Kind != chat.Employee {
			return
		}
		if got := message(respelt, b); got != want {
			t.Fatalf("%q and %q: %s, spelt %q %s", a, b, want, respelt, got)
		}
	})
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
