package api

import (
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"wecom-archive/shared/show"
)

// registerPeople registers who there is.
func (s *API) registerPeople() {
	register(s, huma.Operation{
		OperationID: "list-people",
		Path:        "/v1/people",
		Summary:     "People who were seen in messages",
		Tags:        []string{"content"},
		Errors:      []int{http.StatusBadRequest},
	}, show.ContentRoles, s.show.People.List)
	register(s, huma.Operation{
		OperationID: "list-conversations-of-person",
		Path:        "/v1/people/{id}/conversations",
		Summary:     "Conversations that a person took part in, the last active first",
		Description: "A person who is not known has none.",
		Tags:        []string{"content"},
		Errors:      []int{http.StatusBadRequest},
	}, show.ContentRoles, s.show.People.Talks)
	register(s, huma.Operation{
		OperationID: "list-rooms",
		Path:        "/v1/rooms",
		Summary:     "Rooms that were seen in messages",
		Tags:        []string{"content"},
		Errors:      []int{http.StatusBadRequest},
	}, show.ContentRoles, s.show.People.Rooms)
	register(s, huma.Operation{
		OperationID: "list-consents", Path: "/v1/consent", Tags: []string{"consent"},
		Summary: "Who agreed to being archived, refused, or has not answered",
		Errors:  []int{http.StatusBadRequest},
	}, show.ContentRoles, s.show.People.Consents)
	register(s, huma.Operation{
		OperationID: "get-consent", Path: "/v1/consent/{id}", Tags: []string{"consent"},
		Summary: "Answers of one conversation, with their timeline",
	}, show.ContentRoles, s.show.People.ConsentTimeline)
	register(s, huma.Operation{
		OperationID: "list-seats", Path: "/v1/seats", Tags: []string{"consent"},
		Summary: "Who is archived, and since when",
	}, show.HealthRoles, s.show.People.Seats)
	register(s, huma.Operation{
		OperationID: "get-coverage", Path: "/v1/coverage", Tags: []string{"consent"},
		Summary: "Who should be archived and is not",
	}, show.HealthRoles, s.show.People.Coverage)
}
