package viewer

import (
	"net/http"
	"net/url"
	"strconv"

	"github.com/danielgtaylor/huma/v2"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/transcript"
)

// permalink leads to a message in its conversation.
func (s *server) permalink(w http.ResponseWriter, r *http.Request) (page, error) {
	_, m, _, err := s.bySeq(r)
	if err != nil {
		return page{}, err
	}
	if m == nil {
		return page{}, huma.Error404NotFound("")
	}
	// It shows no content, so it is no look; where it leads is one (design §5, 8).
	q := url.Values{"id": {m.Conversation}, "m": {cursorOf(m.Place.Position)}, "seq": {strconv.FormatInt(m.Seq, 10)}}
	http.Redirect(w, r, "/c?"+q.Encode()+"#m"+strconv.FormatInt(m.Seq, 10), http.StatusSeeOther)
	return page{}, errElsewhere
}

// bySeq finds the message that a path names; nil if it cannot be read.
func (s *server) bySeq(r *http.Request) (state archive.PageState, m *transcript.Message, unreadable []archive.Outcome, err error) {
	seq, err := strconv.ParseInt(r.PathValue("seq"), 10, 64)
	if err != nil || seq < 1 {
		return state, nil, nil, huma.Error404NotFound("")
	}
	state, err = s.Catalog.PageOf(r.Context(), uint64(seq))
	if err != nil {
		return state, nil, nil, orNotFound(err)
	}
	found, unreadable, err := s.withSeq(r.Context(), state, seq)
	if err != nil {
		return state, nil, nil, err
	}
	if len(found)+len(unreadable) == 0 && state.Archived {
		return state, nil, nil, huma.Error404NotFound("")
	}
	if len(found) > 0 {
		m = &found[0]
	}
	return state, m, unreadable, nil
}

// recordView is the record of a message: what proves it.
type recordView struct {
	Bubble     *bubble
	Row        *transcript.Message
	Page       archive.PageState
	Unreadable []archive.Outcome
	Raw        string // for auditors
	RawCut     bool   // there is more of it than is shown
	Retention  string
}

func (s *server) recordPage(_ http.ResponseWriter, r *http.Request) (page, error) {
	state, m, unreadable, err := s.bySeq(r)
	if err != nil {
		return page{}, err
	}
	v := recordView{Row: m, Page: state, Unreadable: unreadable, Retention: s.Setup.Retention}
	if m != nil {
		found := []transcript.Message{*m}
		beside, err := s.asides(r.Context(), m.Conversation, found)
		if err != nil {
			return page{}, err
		}
		v.Bubble = &s.bubbles(r, found, beside, "", recordWeight)[0]
		raw := personOf(r.Context()).Has(RoleAuditor)
		if raw {
			left := rawWeight
			v.Raw, v.RawCut = clip(string(m.Raw), &left)
		}
		look := lookInput{conversation: m.Conversation, raw: raw, remote: remoteOf(r)}
		if err := s.recordLook(r.Context(), look, []message{v.Bubble.message}); err != nil {
			return page{}, err
		}
	}
	return page{Section: "record", Title: "seq " + r.PathValue("seq"), Content: v}, nil
}
