package show

import (
	"context"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/transcript"
)

// A recall is a message of its own; what it recalls stays. Each leads to the other,
// on the same page or not: from a message to its recall by the index, from a recall
// to its message by walking back through the conversation when somebody asks.

// How far back a recalled message is looked for. People can recall what they said a
// short while ago.
const (
	recallStep  = 200 // messages of one read
	recallSteps = 5
)

// linkRecalls sets RecalledBy and, of those whose message is among them, Recalls.
func (s *Content) linkRecalls(ctx context.Context, conversation string, shown []Message) error {
	ids := make([]string, len(shown))
	for i, m := range shown {
		ids[i] = m.MsgID
	}
	recalls, err := s.config.Catalog.Conversations.RecallsOf(ctx, conversation, ids...)
	if err != nil {
		return err
	}
	seqs := map[string]int64{}
	for _, m := range shown {
		seqs[m.MsgID] = m.Seq
	}
	for i := range shown {
		shown[i].LinkRecall(recalls, seqs)
	}
	return nil
}

// LinkRecall links a message. Both maps are by msgid: seqs of recalls, and of the
// messages beside it.
func (m *Message) LinkRecall(recalls, seqs map[string]int64) {
	m.RecalledBy = recalls[m.MsgID]
	if m.Ref != "" && m.Ref != m.MsgID {
		m.Recalls = seqs[m.Ref]
	}
}

// recalledBy finds the seq of the message that a recall recalls, among the recallStep ×
// recallSteps messages before a position. If it is not among them, next is where the
// messages before them begin; nil: there are none.
func (s *Content) recalledBy(ctx context.Context, recall transcript.Message, before archive.Position) (seq int64, next *archive.Position, err error) {
	for range recallSteps {
		some, err := s.transcript.Messages(ctx, catalog.PlaceQuery{Conversation: recall.Conversation, After: &before, Descending: true, Limit: recallStep})
		for _, m := range some {
			if m.MsgID == recall.RefMsgID {
				return m.Seq, nil, nil
			}
		}
		if err != nil { // of transcript.ErrIncomplete, too: it may be among those that are missing
			return 0, nil, err
		}
		if len(some) < recallStep {
			return 0, nil, nil
		}
		before = some[len(some)-1].Place.Position
	}
	return 0, &before, nil
}
