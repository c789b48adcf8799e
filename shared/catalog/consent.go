package catalog

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog/table"
	"wecom-archive/shared/chat"
	"wecom-archive/shared/store"
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

// consentsAtOnce is how many states are changed at a time: in DynamoDB each takes a
// few round trips.
const consentsAtOnce = 16

// PutConsent notes facts. Again, or in another order, changes nothing.
func (c *Consents) PutConsent(ctx context.Context, facts ...ConsentFact) error {
	byConversation := map[string][]ConsentFact{}
	for _, f := range facts {
		if f.Person == "" || len(f.Person) > archive.MaxPersonID || f.Conversation == "" {
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
			err = c.table.PutMissing(ctx, table.Set{consentsKey(conversation): {}})
		}
		if err != nil {
			return fmt.Errorf("noting consent: %w", err)
		}
	}
	return nil
}

func factName(f ConsentFact) string {
	told := f.Person + "\n" + string(f.Status) + "\n" + f.Source
	if f.Undated {
		told += "\nundated"
	}
	sum := sha256.Sum256([]byte(told))
	return fmt.Sprintf("f#%013d#%s", f.At.UnixMilli(), hex.EncodeToString(sum[:8]))
}

func consentsKey(conversation string) table.Key {
	return table.Key{Partition: partitionConsents + fmt.Sprint(shardOf(conversation, consentShards)), Sort: conversation}
}

// changeConsent changes a state, and keeps the facts that change returns. Several at
// once do not lose each other's change.
func (c *Consents) changeConsent(ctx context.Context, conversation string, change func(*ConsentState) []ConsentFact) error {
	var failed error
	err := table.Change(ctx, c.table, partitionConsent+conversation, "state", func(s ConsentState, found bool) (ConsentState, bool) {
		before := slices.Clone(s.People)
		s.Conversation = conversation
		failed = c.putFacts(ctx, change(&s))
		s.trim()
		return s, failed == nil && !(found && slices.EqualFunc(before, s.People, Consent.equal))
	})
	return errors.Join(err, failed)
}

// putFacts comes before the state: what only the timeline has, the next try adds.
func (c *Consents) putFacts(ctx context.Context, facts []ConsentFact) error {
	var items []store.Item
	seen := table.Set{}
	for _, f := range facts {
		f.At = f.At.UTC()
		item, err := table.NewItem(partitionConsent+f.Conversation, factName(f), f)
		if err != nil {
			return err
		}
		if _, again := seen[table.KeyOf(item)]; !again { // a message twice, a person listed twice
			seen[table.KeyOf(item)] = struct{}{}
			items = append(items, item)
		}
	}
	if len(items) == 0 {
		return nil
	}
	return c.table.Put(ctx, items...)
}

// NoteMessages notes what messages say of consent.
func (c *Consents) NoteMessages(ctx context.Context, readings []archive.Reading) error {
	statuses := map[string]archive.ConsentStatus{"agree": archive.ConsentAgreed, "disagree": archive.ConsentRefused}
	var facts []ConsentFact
	for _, r := range readings {
		if status, ok := statuses[r.MsgType]; ok {
			facts = append(facts, ConsentFact{Conversation: r.Conversation, Person: r.FromID, Status: status, At: r.MsgTime, Source: ConsentFromMessage})
		}
	}
	return c.PutConsent(ctx, facts...)
}

// applyConsents puts into the index what WeCom answered.
func (c *Consents) applyConsents(ctx context.Context, records []archive.DirectoryRecord) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(consentsAtOnce)
	for _, r := range records {
		if r.Kind == archive.SubjectConsent && r.ID != "" {
			group.Go(func() error { return c.applyConsent(ctx, r) })
		}
	}
	return group.Wait()
}

func (c *Consents) applyConsent(ctx context.Context, r archive.DirectoryRecord) error {
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

// noteAsked notes when WeCom was last asked about a conversation.
func (c *Consents) noteAsked(ctx context.Context, r archive.DirectoryRecord) error {
	key := consentsKey(r.ID)
	var a asked
	if _, err := c.table.Read(ctx, key.Partition, key.Sort, &a); err != nil || r.At.Before(a.At) {
		return err
	}
	return c.table.Write(ctx, key.Partition, key.Sort, asked{r.At, r.Answer})
}

// Consents returns where those outside stand in at most limit conversations, in byte
// order of their ids, greater than after. Of a conversation that WeCom was not asked
// about, and in which nobody answered, nobody is known.
func (c *Consents) List(ctx context.Context, after string, limit int) ([]ConsentState, error) {
	var all []ConsentState
	for shard := range consentShards {
		q := store.IndexQuery{Partition: partitionConsents + fmt.Sprint(shard), Limit: limit}
		if after != "" {
			q.From = after + "\x00"
		}
		items, err := c.table.Query(ctx, q)
		if err != nil {
			return nil, fmt.Errorf("listing consents: %w", err)
		}
		values, err := table.Decode[asked](items)
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

func (c *Consents) fillConsents(ctx context.Context, states []ConsentState) error {
	keys := make([]store.Item, len(states))
	at := map[string]int{}
	for i, s := range states {
		keys[i] = store.Item{Partition: partitionConsent + s.Conversation, Sort: "state"}
		at[s.Conversation] = i
	}
	items, err := c.table.GetMany(ctx, keys...)
	if err != nil {
		return fmt.Errorf("reading consents from the index: %w", err)
	}
	found, err := table.Decode[ConsentState](items)
	if err != nil {
		return err
	}
	for _, s := range found {
		if i, ok := at[s.Conversation]; ok {
			s.settle()
			states[i].People = s.People
		}
	}
	return nil
}

// ConsentOf returns where those outside stand in one conversation.
func (c *Consents) ConsentOf(ctx context.Context, conversation string) (s ConsentState, err error) {
	if _, err = c.table.Read(ctx, partitionConsent+conversation, "state", &s); err != nil {
		return s, err
	}
	var a asked
	key := consentsKey(conversation)
	_, err = c.table.Read(ctx, key.Partition, key.Sort, &a)
	s.Conversation, s.AskedAt, s.Answer = conversation, a.At, a.Answer
	s.settle()
	return s, err
}

// ConsentFacts returns at most limit facts of a conversation, newest first.
func (c *Consents) ConsentFacts(ctx context.Context, conversation string, limit int) ([]ConsentFact, error) {
	return table.List[ConsentFact](ctx, c.table, store.IndexQuery{Partition: partitionConsent + conversation, From: "f#", To: "f$", Descending: true, Limit: limit})
}

// MoveConsent gives what is known of one conversation to another: they turned out to be
// one (Alias). If it breaks off, do it again.
func (c *Consents) MoveConsent(ctx context.Context, from, to string) error {
	const tries = 5
	for range tries {
		if err := c.moveConsent(ctx, from, to); err != nil {
			return fmt.Errorf("moving what is known of consent: %w", err)
		}
		// Somebody who did not know yet that they are one may have added something.
		left, err := c.table.Query(ctx, store.IndexQuery{Partition: partitionConsent + from, Limit: 1})
		if err != nil || len(left) == 0 {
			return err
		}
		if err := c.table.PutMissing(ctx, table.Set{consentsKey(from): {}}); err != nil {
			return err
		}
	}
	return fmt.Errorf("moving what is known of consent: %d times somebody added more: %w", tries, store.ErrConflict)
}

func (c *Consents) moveConsent(ctx context.Context, from, to string) error {
	var known ConsentState
	if _, err := c.table.Read(ctx, partitionConsent+from, "state", &known); err != nil {
		return err
	}
	var a asked
	if _, err := c.table.Read(ctx, consentsKey(from).Partition, from, &a); err != nil {
		return err
	}
	var facts []ConsentFact
	gone := []store.Item{{Partition: partitionConsent + from, Sort: "state"}}
	for item, err := range c.table.Walk(ctx, partitionConsent+from) {
		if err != nil {
			return err
		}
		if !strings.HasPrefix(item.Sort, "f#") {
			continue
		}
		f, err := table.Decode[ConsentFact]([]store.Item{item})
		if err != nil {
			return err
		}
		f[0].Conversation = to
		facts, gone = append(facts, f[0]), append(gone, store.Item{Partition: item.Partition, Sort: item.Sort})
	}
	err := c.changeConsent(ctx, to, func(s *ConsentState) []ConsentFact {
		for _, f := range facts {
			s.apply(f)
		}
		for _, p := range known.People {
			there := s.person(p.Person)
			there.CheckedAt = archive.Latest(there.CheckedAt, p.CheckedAt)
		}
		return facts
	})
	if err == nil {
		err = c.table.PutMissing(ctx, table.Set{consentsKey(to): {}})
	}
	if err == nil && !a.At.IsZero() {
		err = c.noteAsked(ctx, archive.DirectoryRecord{ID: to, At: a.At, Answer: a.Answer})
	}
	if err != nil {
		return err
	}
	// Last: as long as it is listed, it is moved again.
	if err := c.table.Delete(ctx, gone...); err != nil {
		return err
	}
	return c.table.Delete(ctx, store.Item{Partition: consentsKey(from).Partition, Sort: from})
}

// addConsent notes that somebody outside takes part in a conversation.
func addConsent(p table.Set, r archive.Reading) {
	outside := r.ChatKind == chat.ExternalChat
	if outside && (strings.HasPrefix(r.Conversation, chat.RoomPrefix) || strings.HasPrefix(r.Conversation, chat.PairPrefix)) {
		p[consentsKey(r.Conversation)] = struct{}{}
	}
}
