package viewer

import (
	"net/http"

	"github.com/danielgtaylor/huma/v2"
)

// registerContent registers what shows messages.
func (s *API) registerContent() {
	register(s, huma.Operation{
		OperationID: "list-conversations",
		Path:        "/v1/conversations",
		Summary:     "Conversations with a message on a day",
		Tags:        []string{"content"},
		Errors:      []int{http.StatusBadRequest},
	}, contentRoles, s.show.People.conversations)
	register(s, huma.Operation{
		OperationID: "list-messages",
		Path:        "/v1/conversations/{id}/messages",
		Summary:     "Messages of a conversation",
		Description: "The look is recorded before the answer leaves. A conversation that is not known has no messages.",
		Tags:        []string{"content"},
		Errors:      []int{http.StatusBadRequest},
	}, contentRoles, s.show.Content.messages)
	register(s, huma.Operation{
		OperationID: "get-message",
		Path:        "/v1/messages/{seq}",
		Summary:     "The message with a seq",
		Description: "The look is recorded before the answer leaves.",
		Tags:        []string{"content"},
		Errors:      []int{http.StatusNotFound},
	}, contentRoles, s.show.Content.message)
	register(s, huma.Operation{
		OperationID: "search-messages",
		Path:        "/v1/search",
		Summary:     "Messages that a search means",
		Description: "The search, with its terms, and what it shows are recorded before the answer leaves. Pages together are the whole answer, each message once.",
		Tags:        []string{"content"},
		Errors:      []int{http.StatusBadRequest},
	}, contentRoles, s.show.Content.search)
	register(s, huma.Operation{
		OperationID: "get-media",
		Path:        "/v1/messages/{seq}/media",
		Summary:     "The files of the message with a seq",
		Description: "The look is recorded before the answer leaves.",
		Tags:        []string{"content"},
		Errors:      []int{http.StatusNotFound},
	}, contentRoles, s.show.Content.media)
}
