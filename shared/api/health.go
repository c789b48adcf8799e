package api

import (
	"net/http"

	"wecom-archive/shared/person"
	"wecom-archive/shared/show"

	"github.com/danielgtaylor/huma/v2"
)

// registerHealth registers what says how the archive is, and who looked.
func (s *API) registerHealth() {
	register(s, huma.Operation{
		OperationID: "get-status",
		Path:        "/v1/status",
		Summary:     "Health of the archive",
		Description: "Holds no content.",
		Tags:        []string{"health"},
	}, show.HealthRoles, s.show.Books.Status)
	list := func(id, path, summary string) huma.Operation {
		return huma.Operation{OperationID: id, Path: path, Summary: summary, Description: "Holds no content.", Tags: []string{"health"}, Errors: []int{http.StatusBadRequest}}
	}
	register(s, list("list-pages", "/v1/pages", "Pages, and what became of them"), show.HealthRoles, s.show.Books.Pages)
	one := list("get-page", "/v1/pages/{seq}", "One page")
	one.Errors = []int{http.StatusNotFound}
	register(s, one, show.HealthRoles, s.show.Books.Page)
	register(s, list("list-quarantine", "/v1/quarantine", "Pages with envelopes that cannot be read (待解密消息), or with damaged segments"), show.HealthRoles, s.show.Books.Quarantine)
	register(s, list("list-runs", "/v1/runs", "Runs of the puller"), show.HealthRoles, s.show.Books.Runs)
	register(s, list("list-gaps", "/v1/gaps", "Times of which messages may be missing"), show.HealthRoles, s.show.Books.Gaps)
	register(s, list("list-incidents", "/v1/incidents", "Delete markers and later versions that were laid over the archive"), show.HealthRoles, s.show.Books.Incidents)
	register(s, list("list-damage", "/v1/damage", "What is not as it must be: objects that are missing or altered, strays, pages that are missing"), show.HealthRoles, s.show.Books.Damage)
	register(s, list("list-keys", "/v1/keys", "Key pairs, their public halves, and the versions that they open"), show.KeyRoles, s.show.Books.Keys)
	register(s, huma.Operation{
		OperationID: "setup", Path: "/v1/setup", Summary: "What to do until messages are archived, and how far it is",
		Errors: []int{http.StatusInternalServerError},
	}, []person.Role{person.Operator}, s.show.Books.SetupSteps)
	register(s, huma.Operation{
		OperationID: "list-looks", Path: "/v1/access", Summary: "Who looked at content",
		Description: "Holds no content but the terms that were searched for. Reading it is no look.", Tags: []string{"access"}, Errors: []int{http.StatusBadRequest},
	}, []person.Role{person.Auditor}, s.show.Looks.List)
}
