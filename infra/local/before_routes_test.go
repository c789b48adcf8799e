package local_test

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"wecom-archive/shared/person"
)

// Userids of an employee, before and after WeCom changed it.
const (
	renamedWas = "zhang.gang"
	renamedIs  = "100232"
)

// unreadableOfBefore are seqs of messages that could not be decrypted.
var unreadableOfBefore = []string{"91121", "91133", "91224", "91277", "91307", "91373", "91384", "91430", "91516", "91543", "91694", "91991"}

// routesOfBefore are asked in this order: some requests are made of earlier answers.
var routesOfBefore = []struct {
	path string
	ask  func(*asker)
}{
	{"/v1/status", func(a *asker) { a.byRole("/v1/status") }},
	{"/v1/setup", func(a *asker) { a.byRole("/v1/setup") }},
	{"/v1/keys", func(a *asker) { a.byRole("/v1/keys") }},
	{"/v1/seats", func(a *asker) { a.byRole("/v1/seats") }},
	{"/v1/runs", listOfBefore("/v1/runs", 4)},
	{"/v1/gaps", listOfBefore("/v1/gaps", 1)},
	{"/v1/incidents", listOfBefore("/v1/incidents", 3)},
	{"/v1/damage", func(a *asker) { a.byRole("/v1/damage") }},
	{"/v1/pages", listOfBefore("/v1/pages", 4)},
	{"/v1/pages/{seq}", func(a *asker) {
		seqs := a.found("/v1/pages", "pages", "seq_asked")
		a.byRole("/v1/pages/" + seqs[0])
		for _, seq := range seqs[1:] {
			a.get(person.Operator, "/v1/pages/"+seq)
		}
		a.ask(person.Operator, "/v1/pages/77", "/v1/pages/77")
	}},
	{"/v1/quarantine", func(a *asker) {
		listOfBefore("/v1/quarantine", 2)(a)
		for _, reason := range []string{"unknown_key_version", "bad_random_key", "bad_message", "seq_out_of_range"} {
			a.get(person.Operator, "/v1/quarantine?reason="+reason)
		}
	}},
	{"/v1/coverage", func(a *asker) {
		a.byRole("/v1/coverage")
		a.get(person.Auditor, "/v1/coverage?from=2026-10-01&to=2026-10-31")
		a.get(person.Auditor, "/v1/coverage?from=2026-10-16&to=2026-11-04&days=3")
	}},
	{"/v1/people", func(a *asker) {
		a.byRole("/v1/people?limit=3")
		a.follow(person.Reader, "/v1/people?limit=7&prefix=z")
		for _, query := range []string{"limit=20", "prefix=wm&limit=25", "prefix=li.", "q=王", "q=客户", "q=li", "kind=robot", "kind=employee&prefix=w&limit=30", "kind=external&prefix=wo&limit=12"} {
			a.get(person.Reader, "/v1/people?"+escaped(query))
		}
	}},
	{"/v1/rooms", func(a *asker) {
		a.byRole("/v1/rooms?limit=2")
		a.follow(person.Reader, "/v1/rooms?limit=12")
		a.get(person.Reader, "/v1/rooms?"+escaped("q=群"))
		a.get(person.Reader, "/v1/rooms?"+escaped("q=项目"))
	}},
	{"/v1/conversations", func(a *asker) {
		a.byRole("/v1/conversations?day=2026-09-29")
		a.follow(person.Reader, "/v1/conversations?day=2026-10-18&limit=7")
		for _, day := range []string{"2026-09-30", "2026-10-01", "2026-10-02", "2026-10-17", "2026-10-18", "2026-10-19", "2026-10-20", "2026-10-31", "2026-11-01", "2026-11-02", "2026-11-03", "2026-11-05"} {
			a.get(person.Reader, "/v1/conversations?day="+day)
		}
	}},
	{"/v1/people/{id}/conversations", func(a *asker) {
		people := a.found("/v1/people", "people", "id")
		a.byRole("/v1/people/" + url.PathEscape(people[0]) + "/conversations")
		for _, id := range some(people[1:], 8) {
			a.get(person.Reader, "/v1/people/"+url.PathEscape(id)+"/conversations")
		}
		// One and the same employee, by two userids.
		for _, id := range []string{renamedWas, strings.ToUpper(renamedIs)} {
			a.get(person.Auditor, "/v1/people/"+id+"/conversations")
		}
		a.follow(person.Auditor, "/v1/people/"+renamedWas+"/conversations?limit=1")
	}},
	{"/v1/conversations/{id}/messages", transcriptsOfBefore},
	{"/v1/messages/{seq}", func(a *asker) {
		seqs := a.found("/v1/conversations/{id}/messages", "messages", "seq")
		a.byRole("/v1/messages/" + seqs[0])
		a.byRole("/v1/messages/" + seqs[1] + "?raw=true")
		for _, seq := range some(seqs[2:], 16) {
			a.get(person.Reader, "/v1/messages/"+seq)
		}
		for _, seq := range some(seqs[3:], 30) {
			a.get(person.Auditor, "/v1/messages/"+seq+"?raw=true")
		}
		a.ask(person.Reader, "/v1/messages/5", "/v1/messages/5") // before the first
		a.ask(person.Reader, "/v1/messages/99999999", "/v1/messages/99999999")
		for _, seq := range unreadableOfBefore {
			a.get(person.Reader, "/v1/messages/"+seq)
		}
	}},
	{"/v1/messages/{seq}/media", func(a *asker) {
		seqs := a.withFiles()
		a.byRole("/v1/messages/" + seqs[0] + "/media")
		for _, seq := range seqs[1:] {
			a.get(person.Reader, "/v1/messages/"+seq+"/media")
		}
	}},
	{"/v1/consent", func(a *asker) {
		a.byRole("/v1/consent?limit=3")
		a.follow(person.Reader, "/v1/consent?limit=30")
		for _, status := range []string{"agreed", "refused", "unanswered"} {
			a.get(person.Auditor, "/v1/consent?limit=8&status="+status)
		}
	}},
	{"/v1/consent/{id}", func(a *asker) {
		ids := a.found("/v1/consent", "consents", "conversation")
		a.byRole("/v1/consent/" + url.PathEscape(ids[0]))
		for _, id := range some(ids[1:], 5) {
			a.get(person.Reader, "/v1/consent/"+url.PathEscape(id))
		}
	}},
	{"/v1/search", searchesOfBefore},
	{"/v1/access", func(a *asker) {
		days := "/v1/access?from=2026-10-01&to=2026-10-31"
		a.byRole(days + "&limit=3")
		a.follow(person.Auditor, days+"&limit=20")
		a.get(person.Auditor, "/v1/access?from=2026-11-03&to=2026-11-03")
		a.get(person.Auditor, days+"&who=the-reader")
		room := a.found("/v1/access", "looks", "conversation")[0]
		a.get(person.Auditor, days+"&conversation="+url.QueryEscape(room))
	}},
}

// listOfBefore asks for a list of the operator's, whole and in pages.
func listOfBefore(path string, limit int) func(*asker) {
	return func(a *asker) {
		a.byRole(path)
		a.follow(person.Operator, fmt.Sprintf("%s?limit=%d", path, limit))
	}
}

// escaped escapes the values of a query.
func escaped(query string) string {
	var parts []string
	for part := range strings.SplitSeq(query, "&") {
		name, value, _ := strings.Cut(part, "=")
		parts = append(parts, name+"="+url.QueryEscape(value))
	}
	return strings.Join(parts, "&")
}

// transcriptsOfBefore reads every conversation, and some in all ways.
func transcriptsOfBefore(a *asker) {
	ids := a.found("/v1/conversations", "conversations", "id")
	path := func(id, query string) string {
		return "/v1/conversations/" + url.PathEscape(id) + "/messages" + query
	}
	a.byRole(path(ids[0], ""))
	for _, id := range ids[1:] {
		a.get(person.Reader, path(id, ""))
	}
	// Those with the most messages.
	size := func(id string) int {
		messages, _ := member(a.answers["reader "+path(id, "")].Body, "messages").([]any)
		return len(messages)
	}
	slices.SortStableFunc(ids, func(x, y string) int { return size(y) - size(x) })
	a.follow(person.Reader, path(ids[0], "?limit=9"))
	a.follow(person.Reader, path(ids[1], "?order=desc&limit=14"))
	a.get(person.Reader, path(ids[1], "?from=2026-10-01T00:00:00Z&to=2026-10-19T12:00:00Z&limit=10"))
	a.get(person.Reader, path(ids[2], "?from=1792281600000&order=desc&limit=10"))
	for _, id := range some(ids, 14) {
		a.get(person.Auditor, path(id, "?raw=true"))
	}
	a.ask(person.Reader, path(ids[0], "?raw=true"), path(ids[0], "?raw=true"))
	a.ask(person.Reader, path("room:nobody", ""), path("room:nobody", ""))
}

// withFiles are the seqs of messages that refer to files.
func (a *asker) withFiles() (seqs []string) {
	for _, got := range a.answers {
		messages, _ := member(got.Body, "messages").([]any)
		for _, m := range messages {
			if files, _ := member(m, "media").([]any); got.route == "/v1/conversations/{id}/messages" && len(files) > 0 {
				seqs = append(seqs, text(m, "seq"))
			}
		}
	}
	slices.Sort(seqs)
	return slices.Compact(seqs)
}

// searchesOfBefore searches what is compacted and what is not.
func searchesOfBefore(a *asker) {
	search := func(query string) string { return "/v1/search?" + escaped(query) }
	a.byRole(search("q=合同&limit=1"))
	a.follow(person.Reader, search("q=合同 OR 报价&limit=5"))
	a.follow(person.Reader, search("q=好&order=asc&limit=12"))
	for _, query := range []string{
		"q=", `q="谢谢"`, "q=好 -的", "q=(客户 OR 项目) NOT 好", "q=報價", "q=報價&variants=true", "q=ok", "q=ＯＫ", "q=没有这样的话",
		"file=.pdf", "file=报", "has_media=true&order=asc", "has_media=false&q=会议",
		"person=" + renamedWas, "person=" + renamedIs, "sender=" + renamedIs, "sender_kind=robot", "sender_kind=external",
		"chat=external&q=好", "chat=internal", "chat=updown_stream",
		"from=2026-10-31T00:00:00Z", "to=2026-10-01T00:00:00Z", "from=1792281600000&to=1792540800000&order=asc",
	} {
		a.get(person.Reader, search(query+"&limit=3"))
	}
	for _, kind := range a.found("/v1/conversations/{id}/messages", "messages", "type") {
		a.get(person.Reader, search("limit=1&type="+kind))
	}
	for _, id := range some(a.found("/v1/conversations", "conversations", "id"), 20) {
		a.get(person.Reader, search("limit=2&conversation="+id))
	}
}
