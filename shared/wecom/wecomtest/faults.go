package wecomtest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"wecom-archive/shared/wecom"
)

// Fault turns the true reply to a GetChatData call into what the caller gets. It
// must not keep or change reply's bytes.
type Fault func(asked uint64, limit int, reply []byte) ([]byte, error)

type plannedFault struct {
	left  int // calls; negative: until cleared
	fault Fault
}

// Fail plans a fault for n calls of GetChatData, after those that are planned
// already; n < 0: for all calls until Heal. Only calls that reach WeCom count:
// not those with a bad limit, and not those above the rate limit.
func (c *Corp) Fail(n int, f Fault) {
	if n == 0 || f == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.faults = append(c.faults, plannedFault{n, f})
}

// Heal drops all planned faults.
func (c *Corp) Heal() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.faults = nil
}

// OnCall has f called at the beginning of each GetChatData call with a valid
// limit, before the reply is made: a test can count the calls or move the clock.
// nil removes it.
func (c *Corp) OnCall(f func(asked uint64, limit int)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.onCall = f
}

// takeFault returns the fault for one call, or nil. c.mu is held.
func (c *Corp) takeFault() Fault {
	if len(c.faults) == 0 {
		return nil
	}
	first := &c.faults[0]
	fault := first.fault
	if first.left > 0 {
		if first.left--; first.left == 0 {
			c.faults = c.faults[1:]
		}
	}
	return fault
}

// SDKCode is a call that returns code: 10001 network, 10002 parse failure, 10003
// system failure, 10009 untrusted IP.
func SDKCode(code int) Fault {
	return func(uint64, int, []byte) ([]byte, error) {
		return nil, wecom.NewSDKError("GetChatData", code)
	}
}

// Errcode is a reply that refuses: 40001 bad secret, 45009 rate limit, 301042
// untrusted IP, 301052 service expired, 301053 service not opened.
func Errcode(code int) Fault {
	return func(uint64, int, []byte) ([]byte, error) { return errcodeReply(code), nil }
}

// TooLarge refuses with 301058 every call that asks for more than most envelopes.
func TooLarge(most int) Fault {
	return func(_ uint64, limit int, reply []byte) ([]byte, error) {
		if limit > most {
			return errcodeReply(301058), nil
		}
		return reply, nil
	}
}

func errcodeReply(code int) []byte {
	return []byte(`{"errcode":` + strconv.Itoa(code) + `,"errmsg":"` + errmsg(code) + `"}`)
}

// errmsg resembles what WeCom says. Its wording is not documented; callers must
// not depend on it.
func errmsg(code int) string {
	switch code {
	case 0:
		return "ok"
	case 40001:
		return "invalid credential"
	case 40013:
		return "invalid corpid"
	case 40014:
		return "invalid access_token"
	case 41001:
		return "access_token missing"
	case 42001:
		return "access_token expired"
	case 45009:
		return "api freq out of limit"
	case 40096:
		return "invalid external userid"
	case 41053:
		return "user not agreed"
	case 48002:
		return "api forbidden"
	case 60020:
		return "not allow to access from your ip"
	case 60111:
		return "userid not found"
	case 84061:
		return "not external contact"
	case 86001:
		return "invalid chatid"
	case 301059:
		return "not internal group"
	case 301060:
		return "too many items"
	case 301061:
		return "userid or external id not found"
	case 301042:
		return "ip not in whitelist"
	case 301052:
		return "archive service expired"
	case 301053:
		return "archive service not opened"
	case 301058:
		return "response too large"
	}
	return "error"
}

// Garbage is a reply of random bytes.
func Garbage(asked uint64, limit int, _ []byte) ([]byte, error) {
	r := stream(asked, forContent, uint64(limit))
	b := make([]byte, 4096)
	r.fill(b)
	return b, nil
}

// Truncated is the true reply, cut off in the middle.
func Truncated(_ uint64, _ int, reply []byte) ([]byte, error) {
	return reply[:len(reply)/2], nil
}

// Empty is a reply without a byte.
func Empty(uint64, int, []byte) ([]byte, error) { return []byte{}, nil }

// NoChatdata is a reply with errcode 0 and no chatdata.
func NoChatdata(uint64, int, []byte) ([]byte, error) { return errcodeReply(0), nil }

// HTML is what a proxy on the way says.
func HTML(uint64, int, []byte) ([]byte, error) {
	return []byte("<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body><h1>502 Bad Gateway</h1></body>\r\n</html>\r\n"), nil
}

// HugeErrmsg is the true reply with size bytes of padding in its errmsg.
func HugeErrmsg(size int) Fault {
	return func(_ uint64, _ int, reply []byte) ([]byte, error) {
		padding := append([]byte(`"errmsg":"ok`), bytes.Repeat([]byte{' '}, size)...)
		return bytes.Replace(reply, []byte(`"errmsg":"ok`), padding, 1), nil
	}
}

// HugeEnvelope is the true reply with size bytes or more of padding in the body
// of its first envelope. The padding is line breaks, which base64 passes over, so
// the envelope still decrypts.
func HugeEnvelope(size int) Fault {
	return func(_ uint64, _ int, reply []byte) ([]byte, error) {
		padding := append([]byte(`"encrypt_chat_msg":"`), bytes.Repeat([]byte(`\n`), (size+1)/2)...)
		return bytes.Replace(reply, []byte(`"encrypt_chat_msg":"`), padding, 1), nil
	}
}

// The faults below put an envelope that never was into the true reply. If the
// reply is full, its last envelope makes room; it comes again with the next call.
// The intruder does not decrypt.

// SeqNotAfter puts an envelope with the seq asked, which is not after it, first.
func SeqNotAfter(asked uint64, limit int, reply []byte) ([]byte, error) {
	return intrude(reply, limit, 0, strconv.FormatUint(asked, 10))
}

// SeqFarAhead ends the reply with a seq that is far ahead but below int64's end.
func SeqFarAhead(_ uint64, limit int, reply []byte) ([]byte, error) {
	return intrude(reply, limit, math.MaxInt, strconv.FormatInt(math.MaxInt64-7, 10))
}

// SeqBeyondInt64 puts a seq that only a uint64 holds among the good ones.
func SeqBeyondInt64(_ uint64, limit int, reply []byte) ([]byte, error) {
	return intrude(reply, limit, 1, "11101571002822706744")
}

// SeqBeyondUint64 puts a seq that no integer type holds among the good ones.
func SeqBeyondUint64(_ uint64, limit int, reply []byte) ([]byte, error) {
	return intrude(reply, limit, 1, "1"+strings.Repeat("0", 25))
}

// SeqMissing puts an envelope without a seq among the good ones.
func SeqMissing(_ uint64, limit int, reply []byte) ([]byte, error) {
	return intrude(reply, limit, 1, "")
}

// intrude inserts an envelope at position at, or at the end if that is before.
func intrude(reply []byte, limit, at int, seq string) ([]byte, error) {
	var page struct {
		Errcode  int               `json:"errcode"`
		Errmsg   string            `json:"errmsg"`
		Chatdata []json.RawMessage `json:"chatdata"`
	}
	if err := json.Unmarshal(reply, &page); err != nil {
		return nil, fmt.Errorf("simulated fault: %w", err)
	}
	if page.Errcode != 0 {
		return nil, errors.New("simulated fault: there is no page to put an envelope into")
	}
	kept := page.Chatdata[:min(len(page.Chatdata), limit-1)]
	intruder := `{`
	if seq != "" {
		intruder += `"seq":` + seq + `,`
	}
	intruder += `"msgid":"1000000000000000000_1_external","publickey_ver":1,"encrypt_random_key":"AAAA","encrypt_chat_msg":"AAAA"}`
	kept = slices.Insert(kept, min(at, len(kept)), json.RawMessage(intruder))

	out := make([]byte, 0, len(reply)+len(intruder))
	out = append(out, `{"errcode":0,"errmsg":"ok","chatdata":[`...)
	out = append(out, bytes.Join(rawBytes(kept), []byte{','})...)
	return append(out, "]}"...), nil
}

func rawBytes(in []json.RawMessage) [][]byte {
	out := make([][]byte, len(in))
	for i, m := range in {
		out[i] = m
	}
	return out
}
