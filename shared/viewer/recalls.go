package viewer

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

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
func (s *server) linkRecalls(ctx context.Context, conversation string, shown []message) error {
	ids := make([]string, len(shown))
	for i, m := range shown {
		ids[i] = m.MsgID
	}
	recalls, err := s.Catalog.Conversations.RecallsOf(ctx, conversation, ids...)
	if err != nil {
		return err
	}
	seqs := map[string]int64{}
	for _, m := range shown {
		seqs[m.MsgID] = m.Seq
	}
	for i := range shown {
		shown[i].linkRecall(recalls, seqs)
	}
	return nil
}

// linkRecall links a message. Both maps are by msgid: seqs of recalls, and of the
// messages beside it.
func (m *message) linkRecall(recalls, seqs map[string]int64) {
	m.RecalledBy = recalls[m.MsgID]
	if m.Ref != "" && m.Ref != m.MsgID {
		m.Recalls = seqs[m.Ref]
	}
}

// linkBubbles links those of a page. All are of one conversation.
func linkBubbles(recalls map[string]int64, all []bubble) {
	here, seqs := map[int64]bool{}, map[string]int64{}
	for _, b := range all {
		here[b.Seq], seqs[b.MsgID] = true, b.Seq
	}
	for i := range all {
		all[i].linkRecall(recalls, seqs)
		all[i].here = here
	}
}

// Recall is the address of the recall of this message.
func (b bubble) Recall() string { return b.address(b.RecalledBy) }

// Recalled is the address of the message that this one recalls.
func (b bubble) Recalled() string {
	if b.Recalls == 0 {
		return "/m/" + strconv.FormatInt(b.Seq, 10) + "/recalled"
	}
	return b.address(b.Recalls)
}

func (b bubble) address(seq int64) string {
	if name := strconv.FormatInt(seq, 10); !b.here[seq] || len(b.here) == 1 {
		return "/m/" + name
	} else {
		return "#m" + name
	}
}

// recalledBy finds the seq of the message that a recall recalls, among the recallStep ×
// recallSteps messages before a position. If it is not among them, next is where the
// messages before them begin; nil: there are none.
func (s *server) recalledBy(ctx context.Context, recall transcript.Message, before archive.Position) (seq int64, next *archive.Position, err error) {
	for range recallSteps {
		some, err := s.transcript.Messages(ctx, catalog.PlaceQuery{Conversation: recall.Conversation, After: &before, Descending: true, Limit: recallStep})
		if err != nil {
			return 0, nil, err
		}
		for _, m := range some {
			if m.MsgID == recall.RefMsgID {
				return m.Seq, nil, nil
			}
		}
		if len(some) < recallStep {
			return 0, nil, nil
		}
		before = some[len(some)-1].Place.Position
	}
	return 0, &before, nil
}

// unfoundRecalled is what a page says if the message that a recall recalls was not found.
type unfoundRecalled struct {
	Seq     int64     // of the recall
	Back    time.Time // how far back was looked, if not to the beginning
	Further string    // address that looks before that
}

// recalledLink leads from a recall to its message. It shows no content.
func (s *server) recalledLink(w http.ResponseWriter, r *http.Request) (page, error) {
	found, _, _, err := s.bySeq(r)
	if err != nil {
		return page{}, err
	}
	i := slices.IndexFunc(found, func(m transcript.Message) bool { return m.RefMsgID != "" })
	if i < 0 {
		return page{}, huma.Error404NotFound("")
	}
	from, err := placeOf(url.Values{"before": r.URL.Query()["before"]}, s.zone(r.Context()))
	if err != nil {
		return page{}, err
	}
	before := found[i].Place.Position
	if from.before != nil && from.before.Compare(before) < 0 {
		before = *from.before
	}
	seq, next, err := s.recalledBy(r.Context(), found[i], before)
	if err != nil {
		return page{}, err
	}
	if seq == 0 {
		v := unfoundRecalled{Seq: found[i].Seq}
		if next != nil {
			v.Back, v.Further = next.Time, "?before="+cursorOf(*next)
		}
		s.render(w, r, http.StatusNotFound, page{Content: v}, "recalled")
		return page{}, errElsewhere
	}
	http.Redirect(w, r, "/m/"+strconv.FormatInt(seq, 10), http.StatusSeeOther)
	return page{}, errElsewhere
}
