package pages

import (
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// linkBubbles links those of a page. All are of one conversation.
func linkBubbles(recalls map[string]int64, all []bubble) {
	here, seqs := map[int64]bool{}, map[string]int64{}
	for _, b := range all {
		here[b.Seq], seqs[b.MsgID] = true, b.Seq
	}
	for i := range all {
		all[i].LinkRecall(recalls, seqs)
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

// unfoundRecalled is what a page says if the message that a recall recalls was not found.
type unfoundRecalled struct {
	Seq     int64     // of the recall
	Back    time.Time // how far back was looked, if not to the beginning
	Further string    // address that looks before that
}

// recalledLink leads from a recall to its message. It shows no content.
func (s *server) recalledLink(w http.ResponseWriter, r *http.Request) (page, error) {
	seq, err := seqOf(r)
	if err != nil {
		return page{}, err
	}
	from, _, err := placeOf(url.Values{"before": r.URL.Query()["before"]}, s.show.Days(r.Context()))
	if err != nil {
		return page{}, err
	}
	found, err := s.show.Content.Recalled(r.Context(), seq, from.Before)
	if err != nil {
		return page{}, err
	}
	if found.Seq == 0 {
		v := unfoundRecalled{Seq: found.Recall}
		if next := found.Next; next != nil {
			v.Back, v.Further = next.Time, "?before="+cursorOf(*next)
		}
		s.render(w, r, http.StatusNotFound, page{Content: v}, "recalled")
		return page{}, errElsewhere
	}
	http.Redirect(w, r, "/m/"+strconv.FormatInt(found.Seq, 10), http.StatusSeeOther)
	return page{}, errElsewhere
}
