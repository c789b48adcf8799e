package archive

// ConsentStatus is an answer.
type ConsentStatus string

// Answers of somebody outside.
const (
	ConsentAgreed     ConsentStatus = "agreed"
	ConsentRefused    ConsentStatus = "refused"
	ConsentUnanswered ConsentStatus = "unanswered" // WeCom calls it Default_Agree: what they say is archived
)
