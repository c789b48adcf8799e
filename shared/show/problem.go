package show

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"unicode"
	"unicode/utf8"

	"strconv"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/person"
	"wecom-archive/shared/store"
	"wecom-archive/shared/transcript"
)

// Problem is what somebody may know of why they are not answered. Every other error is
// internal: it goes to the log, and the asker learns the request's id.
type Problem struct {
	Kind   ProblemKind
	Where  string // the parameter, as query.from; empty: none
	Detail string // what is wrong, and what to do
}

// ProblemKind is what sort of problem it is.
type ProblemKind int

// Kinds of problems.
const (
	NotUnderstood ProblemKind = iota // the value of a parameter
	LeadsNowhere                     // a cursor or a place that is none
	NotThere                         //
	NotAllowed                       // to who has these roles
	ReasonWanted                     // content is shown only to who says why
	NotNow                           // it may work later
	Internal                         //
)

// Status is the problem as HTTP says it.
func (p *Problem) Status() int {
	return map[ProblemKind]int{
		NotUnderstood: http.StatusUnprocessableEntity, LeadsNowhere: http.StatusBadRequest, NotThere: http.StatusNotFound,
		NotAllowed: http.StatusForbidden, ReasonWanted: http.StatusPreconditionRequired, NotNow: http.StatusServiceUnavailable,
		Internal: http.StatusInternalServerError,
	}[p.Kind]
}

func (p *Problem) Error() string { return p.Detail }

// Explain is what an asker gets to see of an error: a Problem as it is, everything else
// as "failed inside", with the rest in the log.
func (s *desk) Explain(ctx context.Context, err error) *Problem {
	if p, ok := errors.AsType[*Problem](err); ok {
		return p
	}
	if ctx.Err() != nil {
		return &Problem{Kind: NotNow, Detail: "The request took too long or was given up. Ask for less at a time."}
	}
	s.LogFailure(ctx, "answering", err)
	if errors.Is(err, transcript.ErrIncomplete) {
		return &Problem{Kind: NotNow, Detail: "Not all of this conversation can be read now. Try again later, or ask the operator to look at the status."}
	}
	if errors.Is(err, store.ErrIndexDamaged) {
		s.report(ctx, archive.Finding{Where: archive.InIndex, Kind: archive.Altered, Key: "an item that a page or an answer is made of", By: reader, Detail: "it cannot be read: reindex --drop"})
		return &Problem{Kind: NotNow, Detail: "The index is damaged. The operator makes it again (wecom-archive reindex --drop); no message is lost. Give the operator this request's id: " + AskerOf(ctx).Request + "."}
	}
	return &Problem{Kind: Internal, Detail: FailedInside(AskerOf(ctx).Request)}
}

// FailedInside is what is said of what nobody outside may know.
func FailedInside(request string) string {
	return "Something failed inside. Give the operator this request's id: " + request + "."
}

// LogFailure notes an error that the asker does not get to see.
func (s *desk) LogFailure(ctx context.Context, doing string, err error) {
	s.config.Log.ErrorContext(ctx, "request failed", "request", AskerOf(ctx).Request, "doing", doing, "error", err)
}

// BadParameter refuses the value of one parameter. detail says what is wrong and what
// to do.
func BadParameter(where, detail string) *Problem {
	return &Problem{Kind: NotUnderstood, Where: where, Detail: detail}
}

// Forbidden refuses who has none of the roles.
func Forbidden(roles ...person.Role) *Problem {
	names := make([]string, len(roles))
	for i, r := range roles {
		names[i] = string(r)
	}
	return &Problem{Kind: NotAllowed, Detail: "This needs the role " + strings.Join(names, " or ") + ". Ask whoever manages access for it."}
}

// With Config.AskReason, content is shown only to a person who said why. Every record
// of a look holds it.

// ReasonHeader is where requests of the API say why: percent-encoded UTF-8.
const ReasonHeader = "Access-Reason"

const maxReason = 200 // characters

// CleanReason is a reason without spaces around it; empty if it is none.
func CleanReason(reason string) string {
	reason = strings.TrimSpace(reason)
	if !utf8.ValidString(reason) || utf8.RuneCountInString(reason) > maxReason || strings.ContainsFunc(reason, unicode.IsControl) {
		return ""
	}
	return reason
}

// noReason refuses content.
func noReason() error {
	return &Problem{Kind: ReasonWanted, Detail: "This archive shows content only to who says why: send the header " + ReasonHeader + ", percent-encoded UTF-8 of at most " + strconv.Itoa(maxReason) + " characters."}
}

// NoPlace refuses an address.
func NoPlace(detail string) *Problem { return &Problem{Kind: LeadsNowhere, Detail: detail} }

// NoSuchThing refuses what is not there.
func NoSuchThing() *Problem { return &Problem{Kind: NotThere} }

// NoSuchMessage refuses a seq that is none of the archive's.
func NoSuchMessage() error {
	return &Problem{Kind: NotThere, Detail: "No message with this seq is archived. Seqs have gaps."}
}
