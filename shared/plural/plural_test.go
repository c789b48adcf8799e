package plural_test

import (
	"testing"

	"wecom-archive/shared/plural"
)

func TestOf(t *testing.T) {
	for _, test := range []struct {
		n    int
		one  string
		many []string
		want string
	}{
		{0, "page", nil, "0 pages"},
		{1, "page", nil, "1 page"},
		{2, "page", nil, "2 pages"},
		{11, "page", nil, "11 pages"},
		{1, "file is lost", []string{"files are lost"}, "1 file is lost"},
		{21, "file is lost", []string{"files are lost"}, "21 files are lost"},
	} {
		if got := plural.Of(test.n, test.one, test.many...); got != test.want {
			t.Errorf("%q, want %q", got, test.want)
		}
	}
	if got := plural.Of(uint64(1), "seq"); got != "1 seq" {
		t.Error(got)
	}
}

func TestChoose(t *testing.T) {
	for _, test := range []struct {
		phrase string
		count  any
		want   string
	}{
		{"%d {item|items}", 1, "%d item"},
		{"%d {item|items}", int64(0), "%d items"},
		{"%s {message was|messages were} {a|b}", "1", "%s message was a"},
		{"%s {message|messages}", "1,001", "%s messages"},
		{"nothing to choose: {}, {a}", 1, "nothing to choose: {}, {a}"},
	} {
		if got := plural.Choose(test.phrase, test.count); got != test.want {
			t.Errorf("%q, want %q", got, test.want)
		}
	}
}
