package api

import (
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"wecom-archive/shared/show"
)

// registerContent registers what shows messages.
func (s *API) registerContent() {
	register(s, huma.Operation{
		OperationID: "list-conversations",
		Path:        "/v1/conversations",
		Summary:     "Conversations with a message on a day",
		Tags:        []string{"content"},
		Errors:      []int{http.StatusBadRequest},
	}, show.ContentRoles, s.show.People.Conversations)
	register(s, huma.Operation{
		OperationID: "list-messages",
		Path:        "/v1/conversations/{id}/messages",
		Summary:     "Messages of a conversation",
		Description: "The look is recorded before the answer leaves. A conversation that is not known has no messages.",
		Tags:        []string{"content"},
		Errors:      []int{http.StatusBadRequest},
	}, show.ContentRoles, s.show.Content.Messages)
	register(s, huma.Operation{
		OperationID: "get-message",
		Path:        "/v1/messages/{seq}",
		Summary:     "The message with a seq",
		Description: "The look is recorded before the answer leaves.",
		Tags:        []string{"content"},
		Errors:      []int{http.StatusNotFound},
	}, show.ContentRoles, s.show.Content.Message)
	register(s, huma.Operation{
		OperationID: "search-messages",
		Path:        "/v1/search",
		Summary:     "Messages that a search means",
		Description: "The search, with its terms, and what it shows are recorded before the answer leaves. Pages together are the whole answer, each message once.",
		Tags:        []string{"content"},
		Errors:      []int{http.StatusBadRequest},
	}, show.ContentRoles, s.show.Content.Search)
	register(s, huma.Operation{
		OperationID: "get-media",
		Path:        "/v1/messages/{seq}/media",
		Summary:     "The files of the message with a seq",
		Description: "The look is recorded before the answer leaves.",
		Tags:        []string{"content"},
		Errors:      []int{http.StatusNotFound},
	}, show.ContentRoles, s.show.Content.Media)
}
