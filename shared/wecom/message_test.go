package wecom_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"wecom-archive/shared/chat"
	"wecom-archive/shared/wecom"
)

func parse(raw string) wecom.Message {
	return wecom.Parse([]byte(raw), "envelope-id", pulledAt)
}

// text wraps members into a message with two participants.
func text(members string) string {
	return `{"msgid":"1_1767000001001","action":"send","from":"li.na","tolist":["zhang.wei"],"msgtime":1767000001001,` + members + `}`
}

func TestPlaintextThatIsNoObject(t *testing.T) {
	deep := strings.Repeat(`{"a":`, 20_000) + "1" + strings.Repeat("}", 20_000)
	for name, raw := range map[string]string{
		"empty": "", "blank": " \n", "null": "null", "number": "12", "array": `[{"from":"a"}]`,
		"string": `"x"`, "cut off": `{"from":"li.na","msgtype":"te`, "garbage after": `{"from":"li.na"}x`,
		"two objects": `{"from":"li.na"}{"from":"b"}`, "binary": "\x00\x01\xff\xfe",
		"too deep": deep, "raw quote": `{"from":"li"na"}`, "UTF-16 mark": "\xff\xfe{\x00}\x00",
	} {
		m := parse(raw)
		want := wecom.Message{MsgID: "envelope-id", Conversation: chat.Unparsed,
			Time: pulledAt.Truncate(time.Millisecond), TimeSource: wecom.TimePulledAt}
		if describe(m) != describe(want) || m.Parsed || len(m.Fields.Keys()) > 0 {
			t.Errorf("%s: read as\n%s", name, describe(m))
		}
	}
}

func TestUnparsedTakesWhatItCanFromTheEnvelope(t *testing.T) {
	m := wecom.Parse([]byte("{"), "7_1767000001_external", pulledAt)
	if m.Parsed || m.ChatKind != chat.ExternalChat || m.TimeSource != wecom.TimeMsgID || m.Time.Unix() != 1767000001 {
		t.Errorf("read as\n%s", describe(m))
	}
}

func TestTolerance(t *testing.T) {
	body := func(content string) string { return text(`"msgtype":"text","text":{"content":"` + content + `"}`) }
	for name, c := range map[string]struct{ raw, want string }{
		"as documented":       {body("合同"), "合同"},
		"byte order mark":     {"\uFEFF" + body("x"), "x"},
		"NULs after":          {body("x") + "\x00\x00 \n\x00", "x"},
		"raw newline":         {body("a\nb"), "a\nb"},
		"raw controls":        {body("a\x00b\x11\x1fc\td"), "a\x00b\x11\x1fc\td"},
		"legal escapes":       {body(`a\n\"\\\u4f60\/\ud83d\ude00`) + "\x00", "a\n\"\\你/😀"},
		"mended beside legal": {body("a\\n\\\\\x02\\u4f60\\\""), "a\n\\\x02你\""},
		"illegal escape":      {body(`C:\dir\x41`), `C:\dir\x41`},
		"cut unicode escape":  {body(`\u12`), `\u12`},
		"no hexadecimal":      {body(`\u12x4`), `\u12x4`},
		"backslash, control":  {body("a\\\nb"), "a\\\nb"},
		"control between":     {strings.Replace(body("x"), ",", ",\x0b\x00", 1), "x"},
		"invalid UTF-8":       {body("a\xffb\xe4\xbd"), "a\uFFFDb\uFFFD\uFFFD"},
		"lone surrogate":      {body(`a\ud800b`), "a\uFFFDb"},
		"number for string":   {text(`"msgtype":"text","text":{"content":12345678901234567890123}`), "12345678901234567890123"},
		"other case":          {text(`"MsgType":"Text","TEXT":{"Content":"x"}`), "x"},
		"exact case wins":     {text(`"msgtype":"text","text":{"Content":"no","content":"yes","CONTENT":"no"}`), "yes"},
		"null is missing":     {text(`"msgtype":"text","text":{"content":null,"CONTENT":"yes"}`), "yes"},
		"last of two wins":    {text(`"msgtype":"text","text":{"content":"no"},"text":{"content":"yes"}`), "yes"},
		"payload as string":   {text(`"msgtype":"text","text":"{\"content\":\"x\"}"`), "x"},
		"payload flattened":   {text(`"msgtype":"text","content":"x"`), "x"},
		"payload a string":    {text(`"msgtype":"text","text":"hello"`), "hello"},
		"member renamed":      {text(`"msgtype":"text","text":{"words":"hello"}`), "hello"},
		"JSON that people write stays as it is": {
			body(`{\"sdkfileid\":\"abc\", \"a\":1}`), `{"sdkfileid":"abc", "a":1}`},
	} {
		m := parse(c.raw)
		if !m.Parsed || m.Text != c.want || m.From.ID != "li.na" || len(m.Media) > 0 {
			t.Errorf("%s: want %q, read as\n%s", name, c.want, describe(m))
		}
	}
}

func TestTextOfTypes(t *testing.T) {
	for name, c := range map[string]struct{ members, want string }{
		"vote under vote":       {`"msgtype":"vote","vote":{"votetitle":"去哪","voteitem":["杭州","苏州"],"voteid":"9"}`, "去哪\n杭州\n苏州"},
		"news flattened":        {`"msgtype":"news","info":{"title":"公告","description":"d","url":"https://e.invalid/","picurl":"https://e.invalid/p"}`, "公告\nd\nhttps://e.invalid/"},
		"voiptext own name":     {`"msgtype":"voiptext","voiptext":{"callduration":9,"note":"x"}`, "x"},
		"doc under type":        {`"msgtype":"docmsg","docmsg":{"title":"预算","doc_creator":"li.na"}`, "预算"},
		"card with Userid":      {`"msgtype":"card","card":{"corpname":"c","Userid":"wmQx9ZDAAAexampleCust03"}`, "c"},
		"meeting in full":       {`"msgtype":"meeting","meeting":{"topic":"t","address":"a","remarks":"r","meetingid":11101571002822706744}`, "t\na\nr"},
		"calendar in full":      {`"msgtype":"calendar","calendar":{"title":"t","creatorname":"c","attendeename":"one","place":"p","remarks":"r"}`, "t\nc\none\np\nr"},
		"revoke has no text":    {`"action":"recall","msgtype":"revoke","revoke":{"pre_msgid":"5"}`, ""},
		"unknown type":          {`"msgtype":"zz","zz":{"title":"接龙","rows":[{"userid":"u1","name":"张三","n":3},{"name":"李四","md5sum":"m"}],"sdkfileid":"SECRETSECRET"},"note":"旁","corpid":"c"`, "旁\n张三\n李四\n接龙"},
		"unknown, JSON inside":  {`"msgtype":"note","note":{"content":"{\"body\":\"正文\",\"sdkfileid\":\"SECRETSECRET\"}"}`, "正文"},
		"unknown, broken JSON":  {`"msgtype":"note","note":{"content":"{\"body\":\"正文\",\"sdkfileid\":\"SECRETSEC"}`, `{"body":"正文","sdkfileid":"`},
		"unknown, secrets":      {`"msgtype":"x","x":{"sdkfileid":{"v":"SECRETSECRET"},"sdk_file_id":["SECRETSECRET"],"picurl":"https://e.invalid/p","image_url":"https://e.invalid/i","t":"z"}`, "z"},
		"only its own members":  {`"msgtype":"external_redpacket","redpacket":{"wish":"w","note":"n"}`, "w"},
		"no type":               {`"x":{"y":"z"}`, "z"},
		"blank parts left out":  {`"msgtype":"link","link":{"title":"t","description":"  ","link_url":""}`, "t"},
		"id under another name": {`"msgtype":"clip","clip":{"sdkfileid":"SECRETSECRET","copy":"x SECRETSECRET y"}`, "x \n y"},
	} {
		m := parse(text(c.members))
		if m.Text != c.want {
			t.Errorf("%s: text %q, want %q", name, m.Text, c.want)
		}
	}
}

func TestItems(t *testing.T) {
	for name, c := range map[string]struct {
		members, text string
		media         []string // path kind size
	}{
		"all item types": {
			`"msgtype":"chatrecord","chatrecord":{"title":"群聊","item":[
			{"type":"ChatRecordText","content":"{\"content\":\"一\"}"},
			{"type":"ChatRecordFile","content":"{\"filename\":\"二.pdf\",\"filesize\":5,\"sdkfileid\":\"F2\"}"},
			{"type":"ChatRecordImage","content":"{\"sdkfileid\":\"F3\",\"filesize\":6}"},
			{"type":"ChatRecordVideo","content":"{\"sdkfileid\":\"F4\"}"},
			{"type":"ChatRecordLink","content":"{\"title\":\"五\",\"link_url\":\"https://e.invalid/5\"}"},
			{"type":"ChatRecordLocation","content":"{\"title\":\"六\",\"address\":\"路\"}"},
			{"type":"ChatRecordVoice","content":"{\"voice_size\":7,\"sdkfileid\":\"F7\"}"},
			{"type":"ChatRecordEmotion","content":"{\"imagesize\":8,\"sdkfileid\":\"F8\"}"},
			{"type":"ChatRecordWeapp","content":"{\"displayname\":\"九\"}"},
			{"type":"Meeting","content":"{\"topic\":\"十\"}"},
			{"type":"docmsg","content":"{\"title\":\"十一\"}"},
			{"type":"markdown","content":"{\"content\":\"十二\"}"},
			{"type":"news","content":"{\"info\":{\"item\":[{\"title\":\"十三\"}]}}"},
			{"type":"unheard_of","content":"{\"words\":\"十四\",\"sdkfileid\":\"F14\"}"}]}`,
			"群聊\n一\n二.pdf\n五\nhttps://e.invalid/5\n六\n路\n九\n十\n十一\n十二\n十三\n十四",
			[]string{"chatrecord.item[1] file 5", "chatrecord.item[2] image 6", "chatrecord.item[3] video -1",
				"chatrecord.item[6] voice 7", "chatrecord.item[7] emotion 8", "chatrecord.item[13] file -1"},
		},
		"chatrecord in mixed": {
			`"msgtype":"mixed","mixed":{"item":[{"type":"chatrecord","content":"{\"title\":\"内\",\"item\":[{\"type\":\"ChatRecordText\",\"content\":\"{\\\"content\\\":\\\"深\\\"}\"},{\"type\":\"ChatRecordImage\",\"content\":\"{\\\"sdkfileid\\\":\\\"F\\\"}\"}]}"}]}`,
			"内\n深", []string{"mixed.item[0].chatrecord.item[1] image -1"},
		},
		"mixed in chatrecord": {
			`"msgtype":"chatrecord","chatrecord":{"item":[{"type":"ChatRecordMixed","content":"{\"item\":[{\"type\":\"text\",\"content\":\"{\\\"content\\\":\\\"x\\\"}\"},{\"type\":\"file\",\"content\":\"{\\\"filename\\\":\\\"f\\\",\\\"sdkfileid\\\":\\\"F\\\"}\"}]}"}]}`,
			"x\nf", []string{"chatrecord.item[0].mixed.item[1] file -1"},
		},
		"content is an object": {
			`"msgtype":"mixed","mixed":{"item":[{"type":"text","content":{"content":"x"}},{"type":"image","content":{"sdkfileid":"F"}}]}`,
			"x", []string{"mixed.item[1] image -1"},
		},
		"content is no JSON": {
			`"msgtype":"mixed","mixed":{"item":[{"type":"text","content":"plain"},{"type":"text","content":"12"},{"type":"text","content":34},{"type":"text","content":"{\"content\":\"cut"}]}`,
			"plain\n12\n34\n{\"content\":\"cut", nil,
		},
		"broken content keeps its file secret": {
			`"msgtype":"chatrecord","chatrecord":{"item":[{"type":"ChatRecordImage","content":"{\"md5sum\":\"m\",\"sdkfileid\" : \"SECRET\\/SECRET\",\"note\":\"n\",,}"}]}`,
			`{"md5sum":"m","sdkfileid" : "","note":"n",,}`, nil,
		},
		"control characters in content": {
			`"msgtype":"mixed","mixed":{"item":[{"type":"text","content":"{\"content\":\"a\nb\"}"}]}`,
			"a\nb", nil,
		},
		"no content": {
			`"msgtype":"mixed","mixed":{"item":[{"type":"text","text":{"content":"x"}},{"type":"image","sdkfileid":"F"},{"type":"text"},null,7,"loose"]}`,
			"x\nloose", []string{"mixed.item[1] image -1"},
		},
		"one item instead of a list": {
			`"msgtype":"mixed","mixed":{"item":{"type":"text","content":"{\"content\":\"x\"}"}}`, "x", nil,
		},
		"items under another name": {
			`"msgtype":"chatrecord","chatrecord":{"title":"t","items":[{"type":"ChatRecordText","content":"{\"content\":\"x\"}"}]}`,
			"t\nx", nil,
		},
		"file outside the payload": {
			`"msgtype":"text","text":{"content":"x"},"image":{"sdkfileid":"F","filesize":"9"}`, "x", []string{"image image 9"},
		},
		"lists as content": {
			`"msgtype":"mixed","mixed":{"item":[{"type":"text","content":"[\"a\",{\"b\":\"c\"}]"},{"type":"text","content":["d"]}]}`,
			"a\nc\nd", nil,
		},
		"empty name": {
			`"msgtype":"x","":{"sdkfileid":"F","":"a"}`, "a", []string{`"" file -1`},
		},
		"files of an unknown type": {
			`"msgtype":"album","album":{"list":[[{"sdkfileid":"A"}],{"cover":{"sdkfileid":"B","filesize":18446744073709551615}}]}`,
			"", []string{"album.list[0][0] file -1", "album.list[1].cover file -1"},
		},
	} {
		m := parse(text(c.members))
		if m.Text != c.text {
			t.Errorf("%s: text\n%q, want\n%q", name, m.Text, c.text)
		}
		var media []string
		for _, f := range m.Media {
			media = append(media, fmt.Sprintf("%s %s %d", f.Path, f.Kind, f.Size))
		}
		if fmt.Sprint(media) != fmt.Sprint(c.media) {
			t.Errorf("%s: media %q, want %q", name, media, c.media)
		}
	}
}

// nested is a message of chatrecords within each other.
func nested(levels int) string {
	content := `{"content":"innermost","sdkfileid":"SECRETSECRET"}`
	kind := "ChatRecordText"
	for range levels {
		content = `{"title":"t","item":[{"type":"` + kind + `","content":` + content + `}]}`
		kind = "chatrecord"
	}
	return text(`"msgtype":"chatrecord","chatrecord":` + content)
}

// quoted is nested, but with the innermost content as a JSON string.
func quoted(levels int) string {
	const inner = `{"content":"innermost","sdkfileid":"SECRETSECRET"}`
	return strings.Replace(nested(levels), inner, `"`+strings.ReplaceAll(inner, `"`, `\"`)+`"`, 1)
}

func TestDepthIsBounded(t *testing.T) {
	for levels := 1; levels <= wecom.MaxDepth+3; levels++ {
		for _, raw := range []string{nested(levels), quoted(levels)} {
			m := parse(raw)
			if !strings.Contains(m.Text, "innermost") {
				t.Errorf("%d levels: the innermost text is lost: %q", levels, m.Text)
			}
			if strings.Contains(m.Text, "SECRET") {
				t.Errorf("%d levels: sdkfileid in the text: %q", levels, m.Text)
			}
		}
		opened := !strings.Contains(parse(quoted(levels)).Text, `{"content"`)
		if want := levels <= wecom.MaxDepth; opened != want {
			t.Errorf("%d levels: innermost content opened: %v, want %v", levels, opened, want)
		}
	}
}

func TestPathsAreBounded(t *testing.T) {
	const levels = 200
	m := parse(text(`"msgtype":"x","x":` + strings.Repeat(`{"sdkfileid":"FFFFFFFFFF","a":`, levels) + `"low"` + strings.Repeat("}", levels)))
	if m.Text != "low" {
		t.Errorf("text %q", m.Text)
	}
	if len(m.Media) != 64 || len(m.Media[63].Path) != len("x")+63*len(".a") {
		t.Errorf("%d files, the last at %q", len(m.Media), m.Media[len(m.Media)-1].Path)
	}
}

func TestHostileSizesTakeLinearTime(t *testing.T) {
	const size = 1 << 20
	for name, unit := range map[string][3]string{
		"deep objects":     {strings.Repeat(`{"sdkfileid":"FFFFFFFFFF","a":`, 9_000), "1", strings.Repeat("}", 9_000)},
		"open braces":      {`["`, strings.Repeat(`{}","`, size/5), `"]`},
		"false containers": {`["`, strings.Repeat(`{x}","`, size/6), `"]`},
		"files":            {`[`, strings.Repeat(`{"sdkfileid":"FFFFFFFFFF"},`, size/27), `0]`},
		"fileids in text":  {`"{`, strings.Repeat(`fileid`, size/6), `"`},
		"many names":       {`{`, manyNames(size / 12), `"z":1}`},
		"backslashes":      {`"`, strings.Repeat(`\\`, size/2), `"`},
	} {
		start := time.Now()
		m := parse(text(`"msgtype":"x","x":` + unit[0] + unit[1] + unit[2]))
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("%s: took %v", name, took)
		}
		if !m.Parsed {
			t.Errorf("%s: not parsed", name)
		}
	}
	for _, unit := range []string{"sdkfileid:[]", `sdkfileid:[\n`, `sdkfileid:[`, `sdkfileid:\"x `, `sdkfileid:\"`, "sdkfileid:x ", "sdk.file.id ", "file_id[["} {
		start := time.Now()
		m := parse(text(`"msgtype":"mixed","mixed":{"item":["` + strings.Repeat(unit, size/len(unit)) + `",{"type":"text","text":{"content":"` + strings.Repeat(unit, size/len(unit)) + `"}}]}`))
		if took := time.Since(start); took > 5*time.Second || !m.Parsed {
			t.Errorf("%s: took %v", unit, took)
		}
	}
}

func manyNames(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `"n%06d":1,`, i)
	}
	return b.String()
}

func TestTimes(t *testing.T) {
	at := func(s string) time.Time {
		v, err := time.Parse(time.RFC3339Nano, s)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	const id = `"msgid":"7_1767000009_external"`
	pulled := pulledAt.Truncate(time.Millisecond)
	for members, want := range map[string]struct {
		at     time.Time
		source string
	}{
		`"msgtime":1767000001001`:                          {at("2025-12-29T09:20:01.001Z"), wecom.TimeMsgtime},
		`"msgtime":"1767000001001"`:                        {at("2025-12-29T09:20:01.001Z"), wecom.TimeMsgtime},
		`"msgtime":1767000001001.0`:                        {at("2025-12-29T09:20:01.001Z"), wecom.TimeMsgtime},
		`"msgtime":1.767e12`:                               {at("2025-12-29T09:20:00Z"), wecom.TimeMsgtime},
		`"msgtime":1767000001`:                             {at("2025-12-29T09:20:01Z"), wecom.TimeMsgtimeSeconds},
		`"msgtime":99999999999`:                            {at("5138-11-16T09:46:39Z"), wecom.TimeMsgtimeSeconds},
		`"msgtime":100000000000`:                           {at("1973-03-03T09:46:40Z"), wecom.TimeMsgtime},
		`"msgtime":253402300799999`:                        {at("9999-12-31T23:59:59.999Z"), wecom.TimeMsgtime},
		`"msgtime":0,"time":1767000032032`:                 {at("2025-12-29T09:20:32.032Z"), wecom.TimeSwitch},
		`"msgtime":-5,` + id:                               {at("2025-12-29T09:20:09Z"), wecom.TimeMsgID},
		`"msgtime":253402300800000,` + id:                  {at("2025-12-29T09:20:09Z"), wecom.TimeMsgID},
		`"msgtime":1767000001001.5,` + id:                  {at("2025-12-29T09:20:09Z"), wecom.TimeMsgID},
		`"msgtime":1e999999999999,` + id:                   {at("2025-12-29T09:20:09Z"), wecom.TimeMsgID},
		`"msgtime":999999999,` + id:                        {at("2025-12-29T09:20:09Z"), wecom.TimeMsgID},
		`"msgtime":null,"msgid":"7_1767000009123"`:         {at("2025-12-29T09:20:09.123Z"), wecom.TimeMsgID},
		`"msgid":"CAQQ_x=","time":"soon"`:                  {pulled, wecom.TimePulledAt},
		`"msgid":"7_123"`:                                  {pulled, wecom.TimePulledAt},
		`"msgid":"125000000000000000032","msgtime":[1767]`: {pulled, wecom.TimePulledAt},
	} {
		m := parse("{" + members + "}")
		if !m.Time.Equal(want.at) || m.TimeSource != want.source || m.Time.Location() != time.UTC {
			t.Errorf("%s: %v from %s, want %v from %s", members, m.Time, m.TimeSource, want.at, want.source)
		}
	}
	east := time.FixedZone("", 8*3600)
	if m := wecom.Parse([]byte("{}"), "7_1767000009123", pulledAt.In(east)); m.TimeSource != wecom.TimeMsgID {
		t.Errorf("the envelope's msgid was not used: %s", m.TimeSource)
	}
	if m := wecom.Parse([]byte("{}"), "", pulledAt.In(east)); m.Time != pulled {
		t.Errorf("time %v, want %v", m.Time, pulled)
	}
}

func TestChatKind(t *testing.T) {
	for _, c := range []struct{ msgid, from, want string }{
		{"1_2_external", "li.na", chat.ExternalChat},
		{"1_2_updown_stream", "wmQx9ZDAAAexampleCust01", chat.UpdownStreamChat},
		{"1_2", "wmQx9ZDAAAexampleCust01", chat.ExternalChat},
		{"1_2", "wbExampleBot01", chat.InternalChat},
		{"1_2", "li.na", chat.InternalChat},
	} {
		m := parse(fmt.Sprintf(`{"msgid":%q,"from":%q,"tolist":["zhang.wei"]}`, c.msgid, c.from))
		if m.ChatKind != c.want {
			t.Errorf("%s from %s: %s, want %s", c.msgid, c.from, m.ChatKind, c.want)
		}
	}
}

func TestMessageTakesTheEnvelopesIDOnlyForLackOfItsOwn(t *testing.T) {
	if m := parse(`{"msgid":"own"}`); m.MsgID != "own" {
		t.Errorf("msgid %q", m.MsgID)
	}
	if m := wecom.Parse([]byte("{}"), "a\xff", pulledAt); m.MsgID != "a\uFFFD" {
		t.Errorf("msgid %q", m.MsgID)
	}
	if m := parse(`{"msgid":""}`); m.MsgID != "envelope-id" {
		t.Errorf("msgid %q", m.MsgID)
	}
	if m := parse(`{"msgid":125000000000000000032}`); m.MsgID != "125000000000000000032" {
		t.Errorf("msgid %q", m.MsgID)
	}
}

func TestParseLeavesRawAlone(t *testing.T) {
	raw := []byte("\uFEFF" + text("\"msgtype\":\"text\",\"text\":{\"content\":\"a\x01\\q\xff\"}") + "\x00")
	before := bytes.Clone(raw)
	wecom.Parse(raw, "", pulledAt)
	if !bytes.Equal(raw, before) {
		t.Error("Parse changed its input")
	}
}
