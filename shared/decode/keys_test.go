package decode_test

import (
	"testing"

	"wecom-archive/shared/archive"
)

// TestBinding: which key a version is bound to, and what becomes of its messages.
// Key 0 is tried first everywhere.
func TestBinding(t *testing.T) {
	const noMsgID = `{"action":"send","from":"anna"}`
	foreign := func(e envelope) envelope { e.MsgID = "somebody-elses"; return e }
	refused := func(e envelope) envelope { e.Msg = "another body"; return e }
	for _, test := range []struct {
		name      string
		envelopes func(t *testing.T) []envelope
		want      string
		bound     string
	}{
		{"second key", func(t *testing.T) []envelope {
			return []envelope{seal(t, 1, 1, 5, message(1)), seal(t, 1, 2, 5, message(2))}
		}, "1:ok 2:ok", "5=key-1"},
		{"a wrong key's padding fits, the library refuses", func(t *testing.T) []envelope {
			return []envelope{refused(seal(t, 0, 1, 5, message(1))), seal(t, 1, 2, 5, message(2)), seal(t, 1, 3, 5, message(3))}
		}, "1:bad_random_key 2:ok 3:ok", "5=key-1"},
		{"a wrong key opens something without msgid", func(t *testing.T) []envelope {
			return []envelope{seal(t, 0, 1, 5, "garbage"), seal(t, 1, 2, 5, message(2))}
		}, "1:bad_random_key 2:ok", "5=key-1"},
		{"a wrong key opens another message", func(t *testing.T) []envelope {
			return []envelope{foreign(seal(t, 0, 1, 5, message(1))), seal(t, 1, 2, 5, message(2))}
		}, "1:bad_random_key 2:ok", "5=key-1"},
		{"only another message", func(t *testing.T) []envelope {
			return []envelope{foreign(seal(t, 0, 1, 5, message(1)))}
		}, "1:unknown_key_version", ""},
		{"no msgid anywhere, one key opens", func(t *testing.T) []envelope {
			return []envelope{seal(t, 1, 1, 5, noMsgID), seal(t, 1, 2, 5, "not even JSON")}
		}, "1:ok 2:ok", ""},
		{"no msgid anywhere, two keys open", func(t *testing.T) []envelope {
			return []envelope{seal(t, 0, 1, 5, noMsgID), seal(t, 1, 2, 5, noMsgID)}
		}, "1:unknown_key_version 2:unknown_key_version", ""},
		{"version cannot be read, two keys", func(t *testing.T) []envelope {
			return []envelope{seal(t, 1, 1, nil, message(1)), seal(t, 0, 2, "seven", message(2)), seal(t, 1, 3, -4, noMsgID), seal(t, 2, 4, nil, message(4))}
		}, "1:ok 2:ok 3:ok 4:unknown_key_version", ""},
		{"a key that is not ours", func(t *testing.T) []envelope {
			return []envelope{seal(t, 2, 1, 5, message(1)), seal(t, 0, 2, 4, message(2))}
		}, "1:unknown_key_version 2:ok", "4=key-0"},
		{"one key under two versions", func(t *testing.T) []envelope {
			return []envelope{seal(t, 0, 1, 4, message(1)), seal(t, 0, 2, 5, message(2)), seal(t, 1, 3, 6, message(3))}
		}, "1:ok 2:ok 3:ok", "4=key-0 5=key-0 6=key-1"},
		{"damaged neighbours", func(t *testing.T) []envelope {
			e := []envelope{seal(t, 0, 1, 4, message(1)), seal(t, 0, 2, 4, message(2)), seal(t, 0, 3, 4, message(3)), seal(t, 0, 4, 4, message(4)), seal(t, 0, 5, 4, message(5))}
			e[0].Key, e[1].Key, e[2] = "!!!", "QUJD", refused(e[2])
			e[3].Seq = []byte("18446744073709551616")
			return e
		}, "1:bad_random_key 2:bad_random_key 3:bad_message 5:ok 0:seq_out_of_range", "4=key-0"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			key := w.page(t, 0, test.envelopes(t)...)
			if got := w.handle(t, key); got != test.want {
				t.Errorf("outcomes %s, want %s", got, test.want)
			}
			if got := w.bindings(t); got != test.bound {
				t.Errorf("bound %q, want %q", got, test.bound)
			}
			// Once more, with what is known now: nothing changes.
			if got := w.handle(t, key); got != test.want || w.bindings(t) != test.bound {
				t.Errorf("handled again: outcomes %s, bound %q", got, w.bindings(t))
			}
		})
	}
}

// TestBoundLater: a page that could not be read for want of proof is read after
// another page has bound the version.
func TestBoundLater(t *testing.T) {
	w := newWorld(t)
	const noMsgID = `{"from":"anna"}`
	undecided := w.page(t, 0, seal(t, 0, 1, 5, noMsgID), seal(t, 1, 2, 5, noMsgID))
	if got := w.handle(t, undecided); got != "1:unknown_key_version 2:unknown_key_version" {
		t.Fatalf("outcomes %s", got)
	}
	if got := w.handle(t, w.page(t, 200, seal(t, 1, 201, 5, message(201)))); got != "201:ok" {
		t.Fatalf("outcomes %s", got)
	}
	if got := w.handle(t, undecided); got != "1:unknown_key_version 2:unknown_key_version 2:ok" {
		t.Errorf("outcomes %s, want a second part with message 2", got)
	}
	state, err := w.catalog.Pages.Page(t.Context(), 0)
	if err != nil || state.OK != 1 || state.Parts != 2 || state.Unreadable[archive.OutcomeUnknownKey] != 1 {
		t.Errorf("state %+v: %v", state, err)
	}
}
