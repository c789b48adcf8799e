package archive

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
)

// Who agreed to being archived. What is known comes from three sides: messages of the
// types agree and disagree, what WeCom answered when the directory asked, and its call
// msg_audit_approved. All of them are facts with a time; the last one counts, whatever
// the order in which they are written, and however often.
//
//	consents#<shard>       / <conversation>    somebody outside takes part; its value says when WeCom was last asked
//	consent#<conversation> / state             ConsentState
//	consent#<conversation> / f#<ms>#<digest>   ConsentFact
const (
	partitionConsents = "consents#" // + shard
	partitionConsent  = "consent#"  // + conversation
	consentShards     = 8
)

// ConsentStatus is an answer.
type ConsentStatus string

// Answers of somebody outside.
const (
	ConsentAgreed     ConsentStatus = "agreed"
	ConsentRefused    ConsentStatus = "refused"
	ConsentUnanswered ConsentStatus = "unanswered" // WeCom calls it Default_Agree: what they say is archived
)

// Where a fact comes from.
const (
	ConsentFromMessage  = "message"
	ConsentFromCheck    = "check"
	ConsentFromCallback = "callback"
)

// ConsentFact is that somebody agreed or refused.
type ConsentFact struct {
	Conversation string        `json:"conversation"`
	Person       string        `json:"person"` // who answered
	Status       ConsentStatus `json:"status"` // agreed or refused
	At           time.Time     `json:"at"`     // of the answer, ms
	Source       string        `json:"source"` // ConsentFrom…
}

// Consent is where one person in a conversation stands.
type Consent struct {
	Person    string        `json:"person"`
	Status    ConsentStatus `json:"status"`
	Since     time.Time     `json:"since,omitzero"`      // of the answer; zero: unanswered
	Source    string        `json:"source,omitempty"`    // of the answer
	CheckedAt time.Time     `json:"checked_at,omitzero"` // when WeCom was last asked for this person
}

// ConsentState is where those outside the company stand who take part in a
// conversation.
type ConsentState struct {
	Conversation string    `json:"conversation"`
	People       []Consent `json:"people"` // in byte order of their ids; those of whom something is known
	AskedAt      time.Time `json:"-"`      // when WeCom was last asked; zero: never
	Answer       Answer    `json:"-"`      // to that
}

// consentsAtOnce is how many states are changed at a time: in DynamoDB each takes a
// few round trips.
const consentsAtOnce = 16

// maxConsents bounds the people of a state: those least recently heard of go first.
// Rooms with customers have at most 500 members.
const maxConsents = 1000

// person finds somebody, or makes a place for them.
func (s *ConsentState) person(id string) *Consent {
	i, found := slices.BinarySearchFunc(s.People, id, func(c Consent, id string) int { return cmp.Compare(c.Person, id) })
	if !found {
		s.People = slices.Insert(s.People, i, Consent{Person: id, Status: ConsentUnanswered})
	}
	return &s.People[i]
}

// apply adds a fact: the later one counts, and of two at one time the refusal.
func (s *ConsentState) apply(f ConsentFact) {
	c := s.person(f.Person)
	if later := f.At.Compare(c.Since); later < 0 || later == 0 && (c.Status == ConsentRefused || f.Status != ConsentRefused) {
		return
	}
	c.Status, c.Since, c.Source = f.Status, f.At.UTC(), f.Source
}

func (s *ConsentState) trim() {
	if len(s.People) <= maxConsents {
		return
	}
	heard := func(c Consent) time.Time { return latest(c.Since, c.CheckedAt) }
	slices.SortFunc(s.People, func(a, b Consent) int { return heard(b).Compare(heard(a)) })
	s.People = s.People[:maxConsents]
	slices.SortFunc(s.People, func(a, b Consent) int { return cmp.Compare(a.Person, b.Person) })
}

// PutConsent notes facts. Again, or in another order, changes nothing.
func (c *Catalog) PutConsent(ctx context.Context, facts ...ConsentFact) error {
	byConversation := map[string][]ConsentFact{}
	for _, f := range facts {
		if f.Person == "" || len(f.Person) > maxPersonID || f.Conversation == "" {
			continue
		}
		byConversation[f.Conversation] = append(byConversation[f.Conversation], f)
	}
	for conversation, all := range byConversation {
		err := c.changeConsent(ctx, conversation, func(s *ConsentState) []ConsentFact {
			for _, f := range all {
				s.apply(f)
			}
			return all
		})
		if err == nil {
			err = c.putMissing(ctx, presence{consentsKey(conversation): {}})
		}
		if err != nil {
			return fmt.Errorf("noting consent: %w", err)
		}
	}
	return nil
}

func factName(f ConsentFact) string {
	sum := sha256.Sum256([]byte(f.Person + "\n" + string(f.Status) + "\n" + f.Source))
	return fmt.Sprintf("f#%013d#%s", f.At.UnixMilli(), hex.EncodeToString(sum[:8]))
}

func consentsKey(conversation string) itemKey {
	return itemKey{partitionConsents + fmt.Sprint(shardOf(conversation, consentShards)), conversation}
}

// changeConsent changes a state, and keeps the facts that change returns. Several at
// once do not lose each other's change.
func (c *Catalog) changeConsent(ctx context.Context, conversation string, change func(*ConsentState) []ConsentFact) error {
	var failed error
	err := changeItem(ctx, c, partitionConsent+conversation, "state", func(s ConsentState, found bool) (ConsentState, bool) {
		before := slices.Clone(s.People)
		s.Conversation = conversation
		failed = c.putFacts(ctx, change(&s))
		s.trim()
		return s, failed == nil && !(found && slices.Equal(before, s.People))
	})
	return errors.Join(err, failed)
}

// putFacts comes before the state: what only the timeline has, the next try adds.
func (c *Catalog) putFacts(ctx context.Context, facts []ConsentFact) error {
	items := make([]Item, len(facts))
	for i, f := range facts {
		f.At = f.At.UTC()
		var err error
		if items[i], err = newItem(partitionConsent+f.Conversation, factName(f), f); err != nil {
			return err
		}
	}
	if len(items) == 0 {
		return nil
	}
	return c.index.Put(ctx, items...)
}

// noteConsent notes what messages say of consent.
func (c *Catalog) noteConsent(ctx context.Context, readings []Reading) error {
	statuses := map[string]ConsentStatus{"agree": ConsentAgreed, "disagree": ConsentRefused}
	var facts []ConsentFact
	for _, r := range readings {
		if status, ok := statuses[r.MsgType]; ok {
			facts = append(facts, ConsentFact{r.Conversation, r.FromID, status, r.MsgTime, ConsentFromMessage})
		}
	}
	return c.PutConsent(ctx, facts...)
}

// applyConsents puts into the index what WeCom answered.
func (c *Catalog) applyConsents(ctx context.Context, records []DirectoryRecord) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(consentsAtOnce)
	for _, r := range records {
		if r.Kind == SubjectConsent && r.ID != "" {
			group.Go(func() error { return c.applyConsent(ctx, r) })
		}
	}
	return group.Wait()
}

func (c *Catalog) applyConsent(ctx context.Context, r DirectoryRecord) error {
	if len(r.Agreements) > 0 {
		err := c.changeConsent(ctx, r.ID, func(s *ConsentState) (facts []ConsentFact) {
			for _, a := range r.Agreements {
				if f, ok := s.check(a, r.At); ok {
					f.Conversation = r.ID
					facts = append(facts, f)
				}
			}
			return facts
		})
		if err != nil {
			return err
		}
	}
	return c.noteAsked(ctx, r)
}

// check adds WeCom's answer to a question at a time. It is a fact if somebody agreed
// or refused.
func (s *ConsentState) check(a Agreement, at time.Time) (f ConsentFact, ok bool) {
	if a.Person == "" || len(a.Person) > maxPersonID {
		return f, false
	}
	p := s.person(a.Person)
	p.CheckedAt = latest(p.CheckedAt, at)
	f = ConsentFact{Person: a.Person, Status: a.Status, At: a.ChangedAt, Source: ConsentFromCheck}
	if f.At.IsZero() && p.Status != a.Status {
		f.At = at // WeCom does not say since when: from now on
	}
	if a.Status == ConsentUnanswered || f.At.IsZero() {
		return f, false
	}
	s.apply(f)
	return f, true
}

// noteAsked notes when WeCom was last asked about a conversation.
func (c *Catalog) noteAsked(ctx context.Context, r DirectoryRecord) error {
	key := consentsKey(r.ID)
	var a asked
	if _, err := c.get(ctx, key.partition, key.sort, &a); err != nil || r.At.Before(a.At) {
		return err
	}
	return c.put(ctx, key.partition, key.sort, asked{r.At, r.Answer})
}

// Consents returns where those outside stand in at most limit conversations, in byte
// order of their ids, greater than after. Of a conversation that WeCom was not asked
// about, and in which nobody answered, nobody is known.
func (c *Catalog) Consents(ctx context.Context, after string, limit int) ([]ConsentState, error) {
	var all []ConsentState
	for shard := range consentShards {
		q := IndexQuery{Partition: partitionConsents + fmt.Sprint(shard), Limit: limit}
		if after != "" {
			q.From = after + "\x00"
		}
		items, err := c.index.Query(ctx, q)
		if err != nil {
			return nil, fmt.Errorf("listing consents: %w", err)
		}
		values, err := decodeItems[asked](items)
		if err != nil {
			return nil, err
		}
		for i, item := range items {
			all = append(all, ConsentState{Conversation: item.Sort, AskedAt: values[i].At, Answer: values[i].Answer})
		}
	}
	slices.SortFunc(all, func(a, b ConsentState) int { return cmp.Compare(a.Conversation, b.Conversation) })
	all = all[:min(limit, len(all))]
	for chunk := range slices.Chunk(all, entriesAtOnce) {
		if err := c.fillConsents(ctx, chunk); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func (c *Catalog) fillConsents(ctx context.Context, states []ConsentState) error {
	keys := make([]Item, len(states))
	at := map[string]int{}
	for i, s := range states {
		keys[i] = Item{Partition: partitionConsent + s.Conversation, Sort: "state"}
		at[s.Conversation] = i
	}
	items, err := c.index.GetMany(ctx, keys...)
	if err != nil {
		return fmt.Errorf("reading consents from the index: %w", err)
	}
	found, err := decodeItems[ConsentState](items)
	if err != nil {
		return err
	}
	for _, s := range found {
		if i, ok := at[s.Conversation]; ok {
			states[i].People = s.People
		}
	}
	return nil
}

// ConsentOf returns where those outside stand in one conversation.
func (c *Catalog) ConsentOf(ctx context.Context, conversation string) (s ConsentState, err error) {
	if _, err = c.get(ctx, partitionConsent+conversation, "state", &s); err != nil {
		return s, err
	}
	var a asked
	key := consentsKey(conversation)
	_, err = c.get(ctx, key.partition, key.sort, &a)
	s.Conversation, s.AskedAt, s.Answer = conversation, a.At, a.Answer
	return s, err
}

// ConsentFacts returns at most limit facts of a conversation, newest first.
func (c *Catalog) ConsentFacts(ctx context.Context, conversation string, limit int) ([]ConsentFact, error) {
	return list[ConsentFact](ctx, c, IndexQuery{Partition: partitionConsent + conversation, From: "f#", To: "f$", Descending: true, Limit: limit})
}

// addConsent notes that somebody outside takes part in a conversation.
func (p presence) addConsent(r Reading) {
	outside := r.ChatKind == chatExternal
	if outside && (strings.HasPrefix(r.Conversation, roomPrefix) || strings.HasPrefix(r.Conversation, pairPrefix)) {
		p[consentsKey(r.Conversation)] = struct{}{}
	}
}

// chatExternal is Reading.ChatKind of what people outside take part in.
const chatExternal = "external"
