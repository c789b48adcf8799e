package wecomtest

import (
	"context"
	"encoding/base64"
	"fmt"
	"slices"
	"strconv"
	"time"

	"wecom-archive/shared/wecom"
)

const (
	// Window is how far back WeCom serves messages.
	Window = 5 * 24 * time.Hour
	// MaxLimit is the most envelopes that one call may ask for.
	MaxLimit = 1000
	// CallsPerMinute is WeCom's limit on GetChatData.
	CallsPerMinute = 600
)

// GetChatData answers as the SDK does: the reply's JSON with up to limit messages
// whose seq is greater than seq and that arrived within Window before now. Older
// ones are skipped without a word. The error is the SDK's return code
// (*wecom.Error) or the context's; WeCom's own refusals are errcodes in the
// reply. The same envelope has the same bytes in every reply.
func (c *Corp) GetChatData(ctx context.Context, seq uint64, limit int) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("GetChatData: %w", err)
	}
	if limit < 1 || limit > MaxLimit {
		return nil, wecom.NewSDKError("GetChatData", 10000)
	}
	now := c.config.Now()
	call := c.admit(now)
	if call.hook != nil {
		call.hook(seq, limit)
		now = c.config.Now() // the hook may have moved the clock
	}
	if call.refused {
		return errcodeReply(45009), nil
	}
	reply, err := c.page(ctx, now, seq, limit)
	if err != nil {
		return nil, err
	}
	if call.fault != nil {
		return call.fault(seq, limit, reply)
	}
	return reply, nil
}

// call is what the corp decided on one GetChatData call.
type call struct {
	refused bool // too many calls
	fault   Fault
	hook    func(asked uint64, limit int)
}

// admit counts a call against the limit and takes the fault planned for it.
func (c *Corp) admit(now time.Time) call {
	c.mu.Lock()
	defer c.mu.Unlock()
	admitted := call{hook: c.onCall}
	if !c.config.Unmetered {
		oldest := &c.calls[c.nextCall]
		if !oldest.IsZero() && now.Sub(*oldest) < time.Minute {
			admitted.refused = true
			return admitted
		}
		*oldest = now
		c.nextCall = (c.nextCall + 1) % len(c.calls)
	}
	admitted.fault = c.takeFault()
	return admitted
}

// page writes the true reply.
func (c *Corp) page(ctx context.Context, now time.Time, seq uint64, limit int) ([]byte, error) {
	s, keys := c.snapshot()
	first := max(c.seqs.after(seq), s.since(now.Add(-Window)))
	end := c.available(s, now)
	if len(keys) == 0 {
		end = 0 // before a key is uploaded WeCom archives nothing
	}
	end = min(end, first+limit)

	reply := make([]byte, 0, 64+1200*max(0, end-first))
	reply = append(reply, `{"errcode":0,"errmsg":"ok","chatdata":[`...)
	for i := first; i < end; i++ {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("GetChatData: %w", err)
		}
		if i > first {
			reply = append(reply, ',')
		}
		var err error
		if reply, err = c.appendEnvelope(reply, s, keys, i); err != nil {
			return nil, fmt.Errorf("GetChatData: message %d: %w", i, err)
		}
	}
	return append(reply, "]}"...), nil
}

func (c *Corp) appendEnvelope(reply []byte, s schedule, keys []publicKey, index int) ([]byte, error) {
	m, err := c.message(s, index)
	if err != nil {
		return nil, err
	}
	e, err := c.seal(m, keys, index)
	if err != nil {
		return nil, err
	}
	reply = append(reply, `{"seq":`...)
	reply = strconv.AppendUint(reply, m.Seq, 10)
	reply = append(reply, `,"msgid":`...)
	reply = appendString(reply, m.MsgID)
	reply = append(reply, `,"publickey_ver":`...)
	reply = strconv.AppendInt(reply, int64(e.version), 10)
	reply = append(reply, `,"encrypt_random_key":"`...)
	keyAt := len(reply)
	reply = base64.StdEncoding.AppendEncode(reply, e.key)
	if e.notB64 {
		copy(reply[keyAt+20:], "!?*")
	}
	reply = append(reply, `","encrypt_chat_msg":"`...)
	reply = slices.Grow(reply, base64.StdEncoding.EncodedLen(len(e.body))+3)
	reply = base64.StdEncoding.AppendEncode(reply, e.body)
	return append(reply, `"}`...), nil
}

// seal encrypts a message as its index demands.
func (c *Corp) seal(m Message, keys []publicKey, index int) (envelope, error) {
	seed, n := c.config.Seed, uint64(index)
	version := min(keyVersion(c.config.KeyChanges, index), len(keys))
	forThis := stream(seed, forKey, n)
	secret := randomKey(&forThis)
	padding := stream(seed, forPadding, n)
	nonce := stream(seed, forNonce, n)
	body, err := sealBody(secret, m.Raw, &nonce)
	if err != nil {
		return envelope{}, err
	}
	key := keys[version-1]
	if m.Unreadable == UnknownKeyVersion {
		key = c.foreign
	}
	e := envelope{
		version: version,
		key:     key.encrypt([]byte(secret), &padding),
		body:    body,
	}
	if m.Unreadable != "" {
		e.spoil(m.Unreadable, &padding)
	}
	return e, nil
}
