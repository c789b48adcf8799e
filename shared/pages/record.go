package pages

import (
	"net/http"
	"net/url"
	"strconv"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/show"
	"wecom-archive/shared/transcript"
)

// permalink leads to a message in its conversation.
func (s *server) permalink(w http.ResponseWriter, r *http.Request) (page, error) {
	seq, err := seqOf(r)
	if err != nil {
		return page{}, err
	}
	spots, err := s.show.Content.Spots(r.Context(), seq)
	if err != nil {
		return page{}, err
	}
	if len(spots) == 0 { // its page waits to be archived, or cannot be read: the record tells
		http.Redirect(w, r, "/record/"+strconv.FormatInt(seq, 10), http.StatusSeeOther)
		return page{}, errElsewhere
	}
	m := spots[0] // should WeCom have used a seq twice, the record shows them all
	q := url.Values{"id": {m.Conversation}, "m": {cursorOf(m.Position)}, "seq": {strconv.FormatInt(m.Seq, 10)}}
	http.Redirect(w, r, "/c?"+q.Encode()+"#m"+strconv.FormatInt(m.Seq, 10), http.StatusSeeOther)
	return page{}, errElsewhere
}

// seqOf is the seq that a path names.
func seqOf(r *http.Request) (int64, error) {
	seq, err := strconv.ParseInt(r.PathValue("seq"), 10, 64)
	if err != nil || seq < 1 {
		return 0, show.NoSuchMessage()
	}
	return seq, nil
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
	seq, err := seqOf(r)
	if err != nil {
		return page{}, err
	}
	records, unreadable, state, err := s.show.Content.Record(r.Context(), seq)
	if err != nil {
		return page{}, err
	}
	v := recordView{Page: state, Unreadable: unreadable, Retention: s.Retention}
	left := rawWeight
	for _, m := range records {
		v.Records = append(v.Records, s.messageRecord(r, m, recordWeight/len(records), &left))
	}
	return page{Section: "record", Title: "seq " + r.PathValue("seq"), Content: v}, nil
}

// messageRecord draws the record of a message: its content up to a weight, its raw JSON,
// for auditors, up to what is left of that for all of the page.
func (s *server) messageRecord(r *http.Request, m show.Recorded, weight int, left *int) messageRecord {
	record := messageRecord{Row: m.Message, Bubble: s.bubbles(r, []transcript.Message{m.Message}, m.Beside, "", weight)[0]}
	if m.Raw {
		record.Raw, record.RawCut = clip(string(m.Message.Raw), left)
	}
	return record
}
