package wecom_test

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"

	"wecom-archive/shared/wecom"
)

func quote(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	return string(b)
}

func TestNumbers(t *testing.T) {
	const no = "no"
	for written, want := range map[string]struct{ int, uint, float string }{
		`0`:                      {"0", "0", "0"},
		`-0`:                     {"0", "0", "-0"},
		`3`:                      {"3", "3", "3"},
		`"3"`:                    {"3", "3", "3"},
		`" 3 "`:                  {"3", "3", "3"},
		`3.0`:                    {"3", "3", "3"},
		`3.50`:                   {no, no, "3.5"},
		`-7`:                     {"-7", no, "-7"},
		`120e-1`:                 {"12", "12", "12"},
		`125e-1`:                 {no, no, "12.5"},
		`1.5e1`:                  {"15", "15", "15"},
		`0.00`:                   {"0", "0", "0"},
		`0e99`:                   {"0", "0", "0"},
		`9223372036854775807`:    {"9223372036854775807", "9223372036854775807", "9.223372036854776e+18"},
		`-9223372036854775807`:   {"-9223372036854775807", no, "-9.223372036854776e+18"},
		`11101571002822706744`:   {no, "11101571002822706744", "1.1101571002822707e+19"},
		`"11101571002822706744"`: {no, "11101571002822706744", "1.1101571002822707e+19"},
		`1.8446744073709551615e19`: {
			no, "18446744073709551615", "1.8446744073709552e+19"},
		`18446744073709551616`:                {no, no, "1.8446744073709552e+19"},
		`1e400`:                               {no, no, no},
		`1e999999999999999999999`:             {no, no, no},
		`1e-999999999999`:                     {no, no, "0"},
		`"NaN"`:                               {no, no, no},
		`"Infinity"`:                          {no, no, no},
		`"0x10"`:                              {no, no, no},
		`"1_000"`:                             {no, no, no},
		`"+3"`:                                {no, no, "3"},
		`"3."`:                                {no, no, "3"},
		`"--3"`:                               {no, no, no},
		`""`:                                  {no, no, no},
		`null`:                                {no, no, no},
		`[3]`:                                 {no, no, no},
		`true`:                                {no, no, no},
		`"` + strings.Repeat("9", 5000) + `"`: {no, no, no},
	} {
		f := parse(`{"n":` + written + `}`).Fields
		check := func(kind, want string, v any, ok bool) {
			got := no
			if ok {
				got = fmt.Sprint(v)
			}
			if got != want {
				t.Errorf("%.40s as %s: %s, want %s", written, kind, got, want)
			}
		}
		i, ok := f.Int("n")
		check("int", want.int, i, ok)
		u, ok := f.Uint("n")
		check("uint", want.uint, u, ok)
		x, ok := f.Float("n")
		check("float", want.float, x, ok)
		if math.IsInf(x, 0) || math.IsNaN(x) {
			t.Errorf("%.40s gives %v", written, x)
		}
	}
}

func TestFields(t *testing.T) {
	f := parse(`{"s":"x","n":1.50,"b":true,"yes":"TRUE","one":1,"null":null,
		"o":{"a":{"b":"deep"}},"written":"{\"a\":\"w\"}","l":[{"a":1},2,"{\"a\":3}"],"ids":["a",1,null,"",{"x":1},"b"],
		"written list":"[1,2]","Userid":"u","USERID":"other","blank":null,"BLANK":"full"}`).Fields
	for name, c := range map[string]struct{ got, want any }{
		"string":             {f.String("s"), "x"},
		"number as string":   {f.String("n"), "1.50"},
		"bool as string":     {f.String("b"), "true"},
		"object as string":   {f.String("o"), ""},
		"missing":            {f.String("nothing"), ""},
		"null":               {f.String("null"), ""},
		"other case":         {f.String("userid"), "other"}, // USERID comes before Userid
		"null in exact case": {f.String("blank"), "full"},
		"exact case":         {f.String("Userid"), "u"},
		"object":             {f.Object("o").Object("a").String("b"), "deep"},
		"written object":     {f.Object("written").String("a"), "w"},
		"no object":          {len(f.Object("s").Keys()), 0},
		"list length":        {len(f.List("l")), 3},
		"list element":       {f.List("l")[0].String("a"), "1"},
		"no object in list":  {len(f.List("l")[1].Keys()), 0},
		"written in list":    {f.List("l")[2].String("a"), "3"},
		"object for list":    {f.List("o")[0].Object("a").String("b"), "deep"},
		"missing list":       {len(f.List("nothing")), 0},
		"strings":            {strings.Join(f.Strings("ids"), " "), "a 1 b"},
		"string for strings": {strings.Join(f.Strings("s"), " "), "x"},
		"written list":       {strings.Join(f.Strings("written list"), " "), "1 2"},
		"missing strings":    {len(f.Strings("nothing")), 0},
		"keys":               {strings.Join(f.Object("o").Keys(), " "), "a"},
	} {
		if c.got != c.want {
			t.Errorf("%s: %v, want %v", name, c.got, c.want)
		}
	}
	for name, want := range map[string][2]bool{
		"b": {true, true}, "yes": {true, true}, "one": {true, true}, "s": {false, false}, "nothing": {false, false},
	} {
		if v, ok := f.Bool(name); v != want[0] || ok != want[1] {
			t.Errorf("bool %s: %v %v, want %v", name, v, ok, want)
		}
	}
	if b, err := json.Marshal(f.Object("o")); err != nil || string(b) != `{"a":{"b":"deep"}}` {
		t.Errorf("as JSON: %s %v", b, err)
	}
}

func TestZeroFields(t *testing.T) {
	var f wecom.Fields
	_, i := f.Int("a")
	_, u := f.Uint("a")
	_, x := f.Float("a")
	_, b := f.Bool("a")
	if f.String("a") != "" || i || u || x || b || f.Object("a").Keys() != nil || f.List("a") != nil || f.Strings("a") != nil {
		t.Error("zero Fields has something")
	}
	if b, err := json.Marshal(f); err != nil || string(b) != "{}" {
		t.Errorf("as JSON: %s %v", b, err)
	}
}

// TestMemberWithoutName: a member called "" stands for no other one.
func TestMemberWithoutName(t *testing.T) {
	if m := parse(`{"":"image","from":"li.na"}`); m.MsgType != "" || m.Action != "" || m.RoomID != "" || len(m.Files()) > 0 {
		t.Errorf("read as\n%s", describe(m))
	}
}
