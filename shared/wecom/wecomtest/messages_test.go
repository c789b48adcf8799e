package wecomtest_test

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"wecom-archive/shared/chat"
	"wecom-archive/shared/wecom"
	"wecom-archive/shared/wecom/wecomtest"
)

var update = flag.Bool("update", false, "write the golden files")

// survey is what 20,000 messages of the stream hold.
type survey struct {
	corp     *wecomtest.Corp
	messages []wecomtest.Message
	readings []wecom.Message
	types    []string // action for messages without msgtype
}

// stretch is computed once: it takes a second under the race detector.
var stretch = sync.OnceValues(func() (survey, error) {
	var s survey
	corp, err := wecomtest.New(wecomtest.Config{
		Corp: corpid, Seed: 20, Extents: lastDays(20_000), Now: func() time.Time { return noon },
	})
	if err != nil {
		return s, err
	}
	s.corp = corp
	for i := range corp.Len() {
		m, err := corp.Served(i)
		if err != nil {
			return s, err
		}
		p := wecom.Parse(m.Raw, m.MsgID, noon)
		s.messages = append(s.messages, m)
		s.readings = append(s.readings, p)
		s.types = append(s.types, cmp.Or(p.MsgType, p.Action))
	}
	return s, nil
})

func surveyed(t *testing.T) survey {
	t.Helper()
	s, err := stretch()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Every type of docs/wecom.md, "Types", that Tencent documents is among any 2,000
// neighbours.
var allTypes = strings.Fields(`text image revoke agree disagree voice video card location emotion file link
	weapp chatrecord todo vote collect redpacket meeting meeting_notification docmsg markdown news calendar mixed
	meeting_voice_call voip_doc_share external_redpacket sphfeed voiptext qydiskfile switch`)

func TestAllTypes(t *testing.T) {
	s := surveyed(t)
	for start := 0; start+2000 <= len(s.types); start += 700 {
		have := map[string]bool{}
		for _, name := range s.types[start : start+2000] {
			have[name] = true
		}
		for _, name := range allTypes {
			if !have[name] {
				t.Errorf("no %s among messages %d to %d", name, start, start+2000)
			}
		}
	}
	count := map[string]int{}
	for _, name := range s.types {
		count[name]++
	}
	if share := count["text"] * 100 / len(s.types); share < 66 || share > 73 {
		t.Errorf("%d %% are text", share)
	}
	if len(count) < len(allTypes)+2 {
		t.Errorf("no unknown msgtypes among %d types", len(count))
	}
}

func TestShapes(t *testing.T) {
	s := surveyed(t)
	seen := map[string]int{}
	for i, m := range s.messages {
		raw := string(m.Raw)
		for name, found := range map[string]bool{
			"vote at top level":  strings.Contains(raw, `"msgtype":"vote","votetitle"`),
			"vote nested":        strings.Contains(raw, `"msgtype":"vote","vote":{`),
			"news with items":    strings.Contains(raw, `"msgtype":"news","info":{"item":[`),
			"news flattened":     strings.Contains(raw, `"msgtype":"news","info":{"title"`),
			"card with userid":   strings.Contains(raw, `"msgtype":"card","card":{"corpname"`) && strings.Contains(raw, `"userid"`),
			"card with Userid":   strings.Contains(raw, `"Userid":"wm`) || strings.Contains(raw, `"Userid":"wo`),
			"record in record":   strings.Contains(raw, `\"type\":\"chatrecord\"`),
			"three deep":         strings.Contains(raw, `\\\"item\\\":`),
			"quote":              strings.Contains(raw, `"content":"这是一条引用/回复消息：\n\"`) && strings.Contains(raw, `\"\n------\n`),
			"english quote":      strings.Contains(raw, `"content":"This is a quote/reply:\n\"`),
			"mention":            strings.Contains(raw, `"content":"@`),
			"call without room":  strings.Contains(raw, `"meeting_voice_call"`) && !strings.Contains(raw, `"roomid"`),
			"file over 2 GiB":    s.types[i] == "voip_doc_share" && s.readings[i].Media[0].Size > 1<<31,
			"emoji":              strings.Contains(raw, "👌"),
			"full-width":         strings.Contains(raw, "ＯＫ"),
			"traditional":        strings.Contains(raw, "續"),
			"raw control char":   bytes.ContainsFunc(m.Raw, func(r rune) bool { return r < 0x20 }),
			"invalid UTF-8":      !utf8.Valid(m.Raw),
			"no JSON":            !s.readings[i].Parsed,
			"msgtime 0":          strings.Contains(raw, `"msgtime":0,`),
			"time from pull":     s.readings[i].TimeSource == "pulled_at",
			"msgid of seconds":   hasSeconds(m.MsgID),
			"msgid without time": !strings.Contains(m.MsgID, "_"),
			"old msgid":          strings.HasPrefix(m.MsgID, "CAQQ"),
			"several, no room":   strings.HasPrefix(s.readings[i].Conversation, "multi:"),
			"large room":         len(s.readings[i].To) == 199,
			"from WeCom":         strings.HasPrefix(s.readings[i].From.ID, "wo"),
			"from a robot":       s.readings[i].From.Kind == "robot",
			"meetingid u64":      meetingBeyondInt64(m.Raw),
		} {
			if found {
				seen[name]++
			} else if _, ok := seen[name]; !ok {
				seen[name] = 0
			}
		}
	}
	for name, n := range seen {
		if n == 0 {
			t.Errorf("never: %s", name)
		}
	}
	if n := seen["no JSON"]; n > 15 {
		t.Errorf("%d of 20,000 are no JSON, want about 4", n)
	}
	if n := seen["raw control char"]; n < 60 || n > 400 {
		t.Errorf("%d of 20,000 have raw control characters, want about 200", n)
	}
}

func hasSeconds(msgid string) bool {
	parts := strings.Split(msgid, "_")
	return len(parts) > 1 && len(parts[1]) == 10
}

func meetingBeyondInt64(raw []byte) bool {
	var m struct {
		Meeting struct{ Meetingid uint64 }
	}
	return json.Unmarshal(raw, &m) == nil && m.Meeting.Meetingid > 1<<63
}

// The stream reads like one of people: msgids once, time almost in order, kinds
// of participants as meant, the same people again and again, varied words.
func TestPlausible(t *testing.T) {
	s := surveyed(t)
	ids := map[string]bool{}
	texts := map[string]int{}
	talks := map[string]int{}
	disorder, respelt, wmEmployees, runs := 0, 0, 0, 0
	lastTalk := map[string]int{}
	var last time.Time
	for i, p := range s.readings {
		if ids[s.messages[i].MsgID] {
			t.Fatalf("msgid %s comes twice", s.messages[i].MsgID)
		}
		ids[s.messages[i].MsgID] = true
		if !p.Parsed {
			continue
		}
		if p.MsgID != s.messages[i].MsgID {
			t.Errorf("message %d: msgid %q inside, %q outside", i, p.MsgID, s.messages[i].MsgID)
		}
		if p.TimeSource == "msgtime" {
			if age := noon.Sub(p.Time); age < 0 || age > 73*time.Hour {
				t.Errorf("message %d is from %s", i, p.Time)
			}
			if p.Time.Before(last) {
				disorder++
			}
			last = p.Time
		}
		texts[p.Text]++
		talks[p.Conversation]++
		if at, ok := lastTalk[p.Conversation]; ok && i-at < 12 {
			runs++
		}
		lastTalk[p.Conversation] = i
		if strings.HasPrefix(p.From.ID, "wm") && p.From.Kind == "employee" {
			wmEmployees++
		}
		if strings.Contains(string(s.messages[i].Raw), `"from":"`) && p.From.Kind == "employee" &&
			!strings.Contains(string(s.messages[i].Raw), `"from":"`+p.From.ID+`"`) {
			respelt++
		}
	}
	for name, ok := range map[string]bool{
		"some messages out of order of time":    disorder > 100 && disorder < 4000,
		"userids in another case":               respelt > 100,
		"employees whose userid begins with wm": wmEmployees > 100,
		"at least 6,000 different texts":        len(texts) > 6000,
		"conversations come back":               len(talks) > 300 && len(talks) < 2500,
		"people talk for a while":               runs > 12_000,
	} {
		if !ok {
			t.Errorf("not so: %s (disorder %d, respelt %d, wm %d, texts %d, talks %d, runs %d)",
				name, disorder, respelt, wmEmployees, len(texts), len(talks), runs)
		}
	}
}

// A revoke takes back an earlier text of the same person in the same talk.
func TestRevokes(t *testing.T) {
	s := surveyed(t)
	index := map[string]int{}
	revokes := 0
	for i, p := range s.readings {
		index[s.messages[i].MsgID] = i
		if s.types[i] != "revoke" {
			continue
		}
		revokes++
		at, found := index[p.Ref]
		if !found {
			t.Errorf("message %d revokes %q, which was not before it", i, p.Ref)
			continue
		}
		if q := s.readings[at]; p.Action != "recall" || q.Parsed && (q.From != p.From || q.Conversation != p.Conversation) {
			t.Errorf("message %d: %s of %v in %s revokes %v in %s", i, p.Action, p.From, p.Conversation, q.From, q.Conversation)
		}
	}
	if revokes < 190 {
		t.Errorf("%d revokes in 20,000 messages", revokes)
	}
}

// Media references lead somewhere: a file id that is nobody else's, a checksum
// and a size.
func TestMediaReferences(t *testing.T) {
	s := surveyed(t)
	fileIDs := map[string]bool{}
	kinds := map[string]int{}
	for i, p := range s.readings {
		for _, m := range p.Media {
			if m.FileID == "" || fileIDs[m.FileID] {
				t.Errorf("message %d, %s: file id empty or not unique", i, m.Path)
			}
			fileIDs[m.FileID] = true
			kinds[m.Kind]++
			if m.Kind != "call" && (len(m.MD5) != 32 || m.Size <= 0) {
				t.Errorf("message %d, %s: md5 %q, size %d", i, m.Path, m.MD5, m.Size)
			}
		}
	}
	for _, kind := range []string{"image", "voice", "video", "emotion", "file", "call", "voip_doc"} {
		if kinds[kind] == 0 {
			t.Errorf("no %s among %v", kind, kinds)
		}
	}
}

func TestRoomSizes(t *testing.T) {
	s := surveyed(t)
	sizes := map[string]int{}
	inside, outside := map[string]bool{}, map[string]bool{}
	for _, p := range s.readings {
		if p.RoomID == "" || len(p.To) == 0 {
			continue
		}
		if n := len(p.To) + 1; sizes[p.RoomID] != 0 && sizes[p.RoomID] != n {
			t.Fatalf("room %s has %d members, then %d", p.RoomID, sizes[p.RoomID], n)
		}
		sizes[p.RoomID] = len(p.To) + 1
		external := slices.ContainsFunc(append(p.To, p.From), func(q chat.Participant) bool { return q.Kind == "external" })
		if external {
			outside[p.RoomID] = true
		} else {
			inside[p.RoomID] = true
		}
	}
	smallest, largest, second := 1000, 0, 0
	for _, n := range sizes {
		smallest = min(smallest, n)
		if n > largest {
			largest, second = n, largest
		} else {
			second = max(second, n)
		}
	}
	if smallest < 3 || smallest > 6 || largest != 200 || second > 41 || len(inside) < 8 || len(outside) < 8 {
		t.Errorf("%d to %d members (second largest %d), %d rooms inside, %d with customers",
			smallest, largest, second, len(inside), len(outside))
	}
}

func TestOtherCorpSizes(t *testing.T) {
	for _, employees := range []int{1, 6, 30, 1000} {
		corp := open(t, wecomtest.Config{Seed: 3, Extents: lastDays(2100), Employees: employees})
		for i := range corp.Len() {
			if m := served(t, corp, i); len(m.Raw) == 0 || m.MsgID == "" {
				t.Fatalf("%d employees, message %d: %q %q", employees, i, m.MsgID, m.Raw)
			}
		}
		seats, err := corp.Seats(t.Context())
		if want := max(employees, 6); err != nil || len(seats) != want {
			t.Errorf("%d employees: %d seats, %v", employees, len(seats), err)
		}
		slices.SortFunc(seats, func(a, b string) int { return strings.Compare(strings.ToLower(a), strings.ToLower(b)) })
		if n := len(slices.CompactFunc(seats, strings.EqualFold)); n != max(employees, 6) {
			t.Errorf("%d employees: only %d different userids", employees, n)
		}
	}
}

// The made-up stream of a seed is part of what a data folder of "wecom-archive
// local" stands on: a folder begun before a change cannot go on after it. The
// golden file shows some of it to readers; the hash covers more.
func TestStreamIsPinned(t *testing.T) {
	const shown, hashed = 25, 5_000
	corp := open(t, wecomtest.Config{Seed: 1, Extents: lastDays(hashed)})
	var out bytes.Buffer
	sum := sha256.New()
	for i := range hashed {
		m := served(t, corp, i)
		line := strconv.FormatUint(m.Seq, 10) + " " + m.MsgID + " " + string(m.Raw) + "\n"
		sum.Write([]byte(line))
		if i < shown {
			out.WriteString(line)
		}
	}
	out.WriteString("sha256 of the first 5000 lines: " + hex.EncodeToString(sum.Sum(nil)) + "\n")
	golden := filepath.Join("testdata", "stream.golden")
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(golden, out.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(out.Bytes(), want) {
		t.Errorf("the stream of seed 1 changed; if that is meant: go test ./shared/wecom/wecomtest -run Pinned -update")
	}
}
