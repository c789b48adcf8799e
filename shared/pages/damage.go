package pages

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"wecom-archive/shared/show"
)

// findingsShown is how many findings of a state the page lists.
const findingsShown = 100

// damagePage lists what is not as it must be, and what somebody took note of.
func (s *server) damagePage(_ http.ResponseWriter, r *http.Request) (page, error) {
	return s.damageWith(r, "")
}

func (s *server) damageWith(r *http.Request, refused string) (page, error) {
	v := damageLists{May: show.AskerOf(r.Context()).Person.Has(show.AcknowledgeRoles...), Refused: refused}
	for _, list := range []struct {
		state string
		into  *[]show.DamagedThing
		more  *bool
	}{{"open", &v.Open, &v.MoreOpen}, {"acknowledged", &v.Acknowledged, &v.MoreAcknowledged}} {
		out, err := s.show.Books.Damage(r.Context(), &show.DamageInput{State: list.state, Limit: findingsShown})
		if err != nil {
			return page{}, err
		}
		*list.into, *list.more = out.Body.Damage, out.Body.NextCursor != ""
		slices.SortFunc(*list.into, func(a, b show.DamagedThing) int { return b.Noticed.Compare(a.Noticed) })
	}
	return page{Section: "damage", Content: v}, nil
}

// damageLists are the findings of the page.
type damageLists struct {
	Open, Acknowledged         []show.DamagedThing
	MoreOpen, MoreAcknowledged bool
	May                        bool   // acknowledge
	Refused                    string // the finding for which no reason was given
}

// whenSaid reads a time as the status has it.
func whenSaid(text string) time.Time {
	t, _ := time.Parse(time.RFC3339, text) // the status wrote it
	return t
}

// acknowledge takes note of a finding in the name of who asks.
func (s *server) acknowledge(w http.ResponseWriter, r *http.Request) (page, error) {
	id, reason := r.PostFormValue("id"), strings.TrimSpace(r.PostFormValue("reason"))
	if reason == "" {
		return s.damageWith(r, id)
	}
	if err := s.show.Books.Acknowledge(r.Context(), id, reason); err != nil {
		return page{}, err
	}
	http.Redirect(w, r, "/damage", http.StatusSeeOther)
	return page{}, errElsewhere
}
