package show

import (
	"context"
	"encoding/json"
	"slices"
	"time"
	"unicode/utf8"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/chat"
	"wecom-archive/shared/consent"
	"wecom-archive/shared/store"
)

// Who agreed to being archived. It holds no content; who talks with whom is for the
// roles that may read it.

type consentInput struct {
	Status string `query:"status" enum:"agreed,refused,unanswered" doc:"Only people with this answer. A page may have fewer then, and still a next_cursor"`
	Cursor string `query:"cursor" maxLength:"2048" doc:"next_cursor of the page before"`
	Limit  int    `query:"limit" minimum:"1" maximum:"500" default:"100" doc:"Most people to look at"`
}

type consentOutput struct {
	Body struct {
		Consents   []consentLine `json:"consents" nullable:"false" doc:"In byte order of the conversations' ids"`
		NextCursor string        `json:"next_cursor,omitempty" doc:"Absent at the end"`
	}
}

type consentLine struct {
	Conversation  string                `json:"conversation" doc:"Id of the conversation"`
	Title         Titled                `json:"title"`
	Person        *Participant          `json:"person,omitempty" doc:"Who answered, or did not. Absent: a room of whose members nothing is known"`
	Status        archive.ConsentStatus `json:"status" enum:"agreed,refused,unanswered" doc:"unanswered: WeCom archives them as long as they do not refuse (Default_Agree)"`
	Since         string                `json:"since,omitempty" format:"date-time" doc:"When the person answered"`
	Source        string                `json:"source,omitempty" enum:"message,check,callback" doc:"How that is known: a message in the archive, WeCom was asked, WeCom called"`
	AskedAt       string                `json:"asked_at,omitempty" format:"date-time" doc:"When WeCom was last asked about the conversation; absent: never"`
	Answer        archive.Answer        `json:"answer,omitempty" doc:"What came of that: named; unknown, hidden: WeCom does not tell"`
	MessagesAfter *bool                 `json:"messages_after,omitempty" doc:"Of those who refused: whether the conversation has later messages"`
}

type consentTimelineInput struct {
	ID string `path:"id" example:"pair:li.na,wmQx9ZDAAAexampleCust01" doc:"Id of the conversation, percent-encoded"`
}

type consentTimelineOutput struct {
	Body struct {
		Consents []consentLine `json:"consents" nullable:"false"`
		Timeline []consentFact `json:"timeline" nullable:"false" doc:"Newest first, at most 1,000"`
	}
}

type consentFact struct {
	Person  Participant           `json:"person"`
	Status  archive.ConsentStatus `json:"status" enum:"agreed,refused"`
	At      time.Time             `json:"at"`
	Source  string                `json:"source" enum:"message,check,callback"`
	Undated bool                  `json:"undated,omitempty" doc:"WeCom did not say since when: at is when it was asked"`
}

// maxTimeline bounds a timeline.
const maxTimeline = 1000

func (s *People) consentLister() consent.Lister {
	return consent.Lister{Consents: s.config.Catalog.Consents, People: s.config.Catalog.People, Transcript: s.transcript}
}

// Consents lists who agreed, refused, or has not answered.
func (s *People) Consents(ctx context.Context, in *consentInput) (*consentOutput, error) {
	sum := querySum("consent", in.Status)
	var after consent.Place
	if in.Cursor != "" {
		place, err := decodeCursor(in.Cursor, sum)
		if err == nil && (json.Unmarshal(place, &after) != nil || after.Conversation == "" || len(after.Conversation) > store.MaxIndexKey) {
			err = errBadCursor
		}
		if err != nil {
			return nil, refusedCursor(err, "status")
		}
	}
	lines, next, err := s.consentLister().Page(ctx, after, in.Limit, archive.ConsentStatus(in.Status))
	if err != nil {
		return nil, err
	}
	out := new(consentOutput)
	if out.Body.Consents, err = s.consentLines(ctx, lines); err != nil {
		return nil, err
	}
	if next != nil {
		place, err := json.Marshal(next)
		if err != nil {
			return nil, err
		}
		out.Body.NextCursor = encodeCursor(sum, place)
	}
	return out, nil
}

func (s *People) consentLines(ctx context.Context, lines []consent.Line) ([]consentLine, error) {
	conversations, people := make([]string, len(lines)), make([]string, len(lines))
	for i, line := range lines {
		conversations[i], people[i] = line.Conversation, line.Person
	}
	titles, err := s.Titles(ctx, conversations, func(int) time.Time { return time.Time{} })
	if err != nil {
		return nil, err
	}
	n, err := s.NamesOf(ctx, people, nil)
	if err != nil {
		return nil, err
	}
	out := make([]consentLine, len(lines))
	for i, line := range lines {
		out[i] = consentLine{
			Conversation: line.Conversation, Title: titles[i], Status: line.Status, Since: formatTime(line.Since), Source: line.Source,
			AskedAt: formatTime(line.AskedAt), Answer: line.Answer,
		}
		if line.Person != "" {
			out[i].Person = n.participant(line.Person, time.Time{})
		}
		if line.Status == archive.ConsentRefused {
			out[i].MessagesAfter = &line.MessagesAfter
		}
	}
	return out, nil
}

func (n Names) participant(id string, at time.Time) *Participant {
	return &Participant{ID: id, Kind: string(chat.ParticipantOf(id).Kind), Naming: Called(n.People[id], at)}
}

func (s *People) consentsOf(ctx context.Context, conversation string) ([]consent.Line, []catalog.ConsentFact, error) {
	lines, err := s.consentLister().Of(ctx, conversation)
	if err != nil {
		return nil, nil, err
	}
	facts, err := s.config.Catalog.Consents.ConsentFacts(ctx, conversation, maxTimeline)
	return lines, facts, err
}

// ConsentTimeline shows the answers of one conversation.
func (s *People) ConsentTimeline(ctx context.Context, in *consentTimelineInput) (*consentTimelineOutput, error) {
	if !utf8.ValidString(in.ID) || in.ID == "" || len(in.ID) > store.MaxIndexKey/2 {
		return nil, BadParameter("path.id", "The conversation's id must be UTF-8, percent-encoded, of 1 to 512 bytes.")
	}
	aliases, err := s.config.Catalog.People.Aliases(ctx)
	if err != nil {
		return nil, err
	}
	id := chat.Renamed(in.ID, aliases.First)
	lines, facts, err := s.consentsOf(ctx, id)
	if err != nil {
		return nil, err
	}
	if id != in.ID { // what reparse has not moved yet
		more, moreFacts, err := s.consentsOf(ctx, in.ID)
		if err != nil {
			return nil, err
		}
		if len(moreFacts) > 0 {
			lines, facts = append(lines, more...), append(facts, moreFacts...)
			slices.SortStableFunc(facts, func(a, b catalog.ConsentFact) int { return b.At.Compare(a.At) })
		}
	}
	var people []string
	for _, f := range facts {
		people = append(people, f.Person)
	}
	n, err := s.NamesOf(ctx, people, nil)
	if err != nil {
		return nil, err
	}
	out := new(consentTimelineOutput)
	out.Body.Timeline = []consentFact{}
	for _, f := range facts {
		out.Body.Timeline = append(out.Body.Timeline, consentFact{Person: *n.participant(f.Person, f.At), Status: f.Status, At: f.At.UTC(), Source: f.Source, Undated: f.Undated})
	}
	out.Body.Consents, err = s.consentLines(ctx, lines)
	return out, err
}
