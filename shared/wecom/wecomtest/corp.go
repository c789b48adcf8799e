package wecomtest

import (
	"bufio"
	"context"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"wecom-archive/shared/wecom"
)

// Config describes a simulated corp.
type Config struct {
	Corp   string // corpid, e.g. "ww5117a9e0c0ffee01"
	Secret string // archive secret that a client must present

	// AppSecret is that of the company's own app, which may see contacts and
	// customers; empty: there is no app.
	AppSecret string
	Seed      uint64 // of everything that is made up

	// Employees is the size of the corp, at least 6; 0: 120. Customers and rooms
	// grow with it, unless they are given.
	Employees int
	Customers int // 0: 6 for each employee
	Rooms     int // besides the large one; 0: one for 3 employees

	// Extents are the periods in which the corp talked, in order and apart. More
	// can be added later with Extend; that changes no earlier message.
	Extents []Extent

	// Corpus, if set, holds the plaintexts to serve instead of made-up ones: line
	// i is message i. Messages of Extents beyond its end do not exist.
	Corpus Corpus

	// KeyChanges are the message indexes, ascending, at which the next key version
	// comes into use, as far as it was uploaded. nil: 7,000, 15,000 and then every
	// 50,000. Empty: version 1 for ever.
	KeyChanges []int

	// Unreadable: about one in so many envelopes cannot be decrypted. 0: none.
	Unreadable int

	// Unmetered switches the limit of 600 calls a minute off, and those of the
	// companion API.
	Unmetered bool

	Now func() time.Time // nil: time.Now
}

// Message is one message of the stream, in plaintext.
type Message struct {
	Seq        uint64
	MsgID      string
	Raw        []byte // what DecryptData returns for it
	Unreadable string // why its envelope cannot be decrypted; "" if it can
}

// Corp is a simulated corp. Its methods may be called at the same time.
type Corp struct {
	config  Config
	seqs    seqs
	foreign publicKey // of key versions that nobody uploaded
	crowd   *crowd

	kindTable [kindPeriod]uint8

	mu       sync.Mutex
	schedule schedule
	keys     []publicKey // version n at n-1
	faults   []plannedFault
	onCall   func(asked uint64, limit int)
	calls    [CallsPerMinute]time.Time // ring of the latest admitted calls
	nextCall int

	lateCalls map[string]int // refused calls for late files, by sdkfileid
	office    office
}

// New makes a corp. It has no key yet and so serves nothing.
func New(config Config) (*Corp, error) {
	if config.Corp == "" {
		return nil, errors.New("simulated corp: no corpid")
	}
	if !slices.IsSorted(config.KeyChanges) {
		return nil, errors.New("simulated corp: key changes are not ascending")
	}
	s, err := newSchedule(config.Seed, config.Extents)
	if err != nil {
		return nil, fmt.Errorf("simulated corp: %w", err)
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	if config.Employees <= 0 {
		config.Employees = defaultEmployees
	}
	config.Employees = max(config.Employees, minEmployees)
	if config.Customers <= 0 {
		config.Customers = config.Employees * customersPerHead
	}
	if config.Rooms <= 0 {
		config.Rooms = max(12, config.Employees/3)
	}
	return &Corp{
		config:    config,
		seqs:      newSeqs(config.Seed),
		foreign:   foreignKey(config.Seed),
		crowd:     newCrowd(config.Seed, config.Employees, config.Customers, config.Rooms),
		kindTable: newKindTable(config.Seed),
		schedule:  s,
	}, nil
}

// UploadKey does what an administrator does in WeCom's console: messages are
// encrypted with this key from the next point of Config.KeyChanges on. It
// returns the key's version. Only RSA-2048 is accepted (errcode 40211).
func (c *Corp) UploadKey(pub *rsa.PublicKey) (version int, err error) {
	key, err := newPublicKey(pub)
	if err != nil {
		return 0, wecom.NewReplyError("UploadKey", 40211, err.Error())
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.keys = append(c.keys, key)
	return len(c.keys), nil
}

// Extend lets the corp talk in one more period, after all others.
func (c *Corp) Extend(e Extent) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	s, err := c.schedule.with(e)
	if err != nil {
		return fmt.Errorf("simulated corp: %w", err)
	}
	c.schedule = s
	return nil
}

// snapshot returns what later changes leave as it is.
func (c *Corp) snapshot() (schedule, []publicKey) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.schedule, c.keys
}

// Len is the number of messages in all extents, arrived or not.
func (c *Corp) Len() int {
	s, _ := c.snapshot()
	return c.length(s)
}

func (c *Corp) length(s schedule) int {
	if c.config.Corpus != nil {
		return min(s.count(), c.config.Corpus.Len())
	}
	return s.count()
}

// Arrived is the number of messages that have reached WeCom by now. They are the
// first ones: indexes 0 to Arrived()-1.
func (c *Corp) Arrived() int {
	s, _ := c.snapshot()
	return c.available(s, c.config.Now())
}

func (c *Corp) available(s schedule, now time.Time) int {
	return min(c.length(s), s.since(now.Add(1)))
}

// Served returns the message at index, from 0 to Len()-1.
func (c *Corp) Served(index int) (Message, error) {
	s, _ := c.snapshot()
	if index < 0 || index >= c.length(s) {
		return Message{}, fmt.Errorf("message %d of %d: no such message", index, c.length(s))
	}
	return c.message(s, index)
}

func (c *Corp) message(s schedule, index int) (Message, error) {
	m := Message{Seq: c.seqs.seq(index), Unreadable: c.Unreadable(index)}
	h := c.head(s, index)
	if c.config.Corpus == nil {
		m.MsgID, m.Raw = h.msgid, c.compose(h)
		return m, nil
	}
	line, err := c.config.Corpus.Line(index)
	if err != nil {
		return m, fmt.Errorf("corpus line %d: %w", index, err)
	}
	m.Raw = line
	if m.MsgID = msgidOf(line); m.MsgID == "" {
		m.MsgID = h.msgid
	}
	return m, nil
}

// WriteTruth writes what an archive that missed nothing holds: one JSON object
// per line for each message that has arrived, with seq, msgid, the plaintext as
// base64 in raw, and in unreadable the reason why its envelope cannot be
// decrypted, if so.
func (c *Corp) WriteTruth(ctx context.Context, w io.Writer) error {
	s, _ := c.snapshot()
	out := bufio.NewWriterSize(w, 1<<16)
	enc := json.NewEncoder(out)
	for i := range c.available(s, c.config.Now()) {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("writing the truth: %w", err)
		}
		m, err := c.message(s, i)
		if err != nil {
			return fmt.Errorf("writing the truth: %w", err)
		}
		line := struct {
			Seq        uint64 `json:"seq"`
			MsgID      string `json:"msgid"`
			Raw        []byte `json:"raw"`
			Unreadable string `json:"unreadable,omitempty"`
		}{m.Seq, m.MsgID, m.Raw, m.Unreadable}
		if err := enc.Encode(line); err != nil {
			return fmt.Errorf("writing the truth: %w", err)
		}
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("writing the truth: %w", err)
	}
	return nil
}
