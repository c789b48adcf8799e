package viewer

import (
	"net/http"
	"net/url"
	"strconv"

	"github.com/danielgtaylor/huma/v2"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/person"
	"wecom-archive/shared/transcript"
)

// permalink leads to a message in its conversation.
func (s *server) permalink(w http.ResponseWriter, r *http.Request) (page, error) {
	found, _, _, err := s.bySeq(r)
	if err != nil {
		return page{}, err
	}
	if len(found) == 0 {
		return page{}, huma.Error404NotFound("")
	}
	m := found[0] // should WeCom have used a seq twice, the record shows them all
	// It shows no content, so it is no look; where it leads is one (design §5, 8).
	q := url.Values{"id": {m.Conversation}, "m": {cursorOf(m.Place.Position)}, "seq": {strconv.FormatInt(m.Seq, 10)}}
	http.Redirect(w, r, "/c?"+q.Encode()+"#m"+strconv.FormatInt(m.Seq, 10), http.StatusSeeOther)
	return page{}, errElsewhere
}

// bySeq finds the messages that a path names: one, unless WeCom used the seq twice; none
// if it cannot be read.
func (s *server) bySeq(r *http.Request) (found []transcript.Message, unreadable []archive.Outcome, state catalog.PageState, err error) {
	seq, err := strconv.ParseInt(r.PathValue("seq"), 10, 64)
	if err != nil || seq < 1 {
		return nil, nil, state, noSuchMessage()
	}
	return s.envelopes(r.Context(), seq)
}

// recordView is what proves the messages with a seq.
type recordView struct {
	Records    []messageRecord
	Page       catalog.PageState
	Unreadable []archive.Outcome
	Retention  string
}

// messageRecord is the record of a message.
type messageRecord struct {
	Bubble bubble
	Row    transcript.Message
	Raw    string // for auditors
	RawCut bool   // there is more of it than is shown
}

func (s *server) recordPage(_ http.ResponseWriter, r *http.Request) (page, error) {
	found, unreadable, state, err := s.bySeq(r)
	if err != nil {
		return page{}, err
	}
	v := recordView{Page: state, Unreadable: unreadable, Retention: s.Setup.Retention}
	left := rawWeight
	for _, m := range found {
		record, err := s.messageRecord(r, m, recordWeight/len(found), &left)
		if err != nil {
			return page{}, err
		}
		v.Records = append(v.Records, record)
	}
	return page{Section: "record", Title: "seq " + r.PathValue("seq"), Content: v}, nil
}

// messageRecord notes the look at a message and shows its record: its content up to a
// weight, its raw JSON up to what is left of that for all of the page.
func (s *server) messageRecord(r *http.Request, m transcript.Message, weight int, left *int) (messageRecord, error) {
	found := []transcript.Message{m}
	beside, err := s.asides(r.Context(), m.Conversation, found)
	if err != nil {
		return messageRecord{}, err
	}
	record := messageRecord{Row: m, Bubble: s.bubbles(r, found, beside, "", weight)[0]}
	raw := personOf(r.Context()).Has(person.Auditor)
	if raw {
		record.Raw, record.RawCut = clip(string(m.Raw), left)
	}
	look := lookInput{conversation: m.Conversation, raw: raw, remote: remoteOf(r)}
	return record, s.recordLook(r.Context(), look, []message{record.Bubble.message})
}
