package show

import (
	"context"
	"time"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/health"
	"wecom-archive/shared/program"
)

// Bounds of what one status reads. A page holds up to 1,000 envelopes.
const (
	statusBatch    = 500    // pages of one query
	statusMaxPages = 10_000 // pages counted of each kind
	statusRuns     = 10
	statusGaps     = 100
	statusBindings = 100
)

// pullerStage is the puller's name in records of runs.
const pullerStage = "puller"

type statusOutput struct {
	Body Status
}

// Status is how well the archive is.
type Status struct {
	Now     time.Time `json:"now"`
	Healthy bool      `json:"healthy" doc:"No alarm needs somebody: none of severity action"`
	Alarms  []Alarm   `json:"alarms" nullable:"false" doc:"What is wrong, and what to do"`

	LagSeconds          *int64 `json:"lag_seconds,omitempty" doc:"Since it was last sure that nothing older waits at WeCom; absent before the first run"`
	HoursUntilFirstLoss *int64 `json:"hours_until_first_loss,omitempty" doc:"Whole hours until WeCom forgets the first message that may not be archived; 0: messages may be gone"`
	LastSuccess         string `json:"last_success,omitempty" format:"date-time" doc:"When a pull last ended without error"`
	Unlocked            string `json:"unlocked,omitempty" example:"one machine" doc:"Where the archive lies, if nothing there locks it: who may write there can change or remove what it holds. Absent: its bucket locks"`
	Seats               *int   `json:"seats,omitempty" doc:"Employees that WeCom archives, if known"`

	Cursor      cursorStatus     `json:"cursor"`
	Archived    int64            `json:"archived" doc:"Envelopes in segments, readable. An upper bound if pending or quarantine is at_least"`
	Pending     pendingStatus    `json:"pending"`
	Quarantine  quarantineStatus `json:"quarantine"`
	Types       typesStatus      `json:"types"`
	Parsed      []parsedDay      `json:"parsed" nullable:"false" doc:"What could be parsed of the messages of each day, newest day first, at most 14 of the last 90 days. Days that an older version archived are missing; reindex counts them"`
	Media       mediaStatus      `json:"media"`
	Damage      damageStatus     `json:"damage" doc:"What is not as it must be"`
	Scrub       []scrubStatus    `json:"scrub" nullable:"false" doc:"How far the archive was read again, and compared with what it must be"`
	Gaps        []gap            `json:"gaps" nullable:"false" doc:"Newest first, at most 100. They stay for ever"`
	Runs        []run            `json:"runs" nullable:"false" doc:"Last runs of the puller, newest first"`
	KeyBindings []keyBinding     `json:"key_bindings" nullable:"false" doc:"Which of our keys opens which publickey_ver, at most 100"`
}

// Alarm is health.Alarm as the API shows it.
type Alarm struct {
	Code     health.AlarmCode `json:"code" example:"behind"`
	Severity health.Severity  `json:"severity" enum:"action,record" doc:"action: somebody has to do something. record: known, past, kept for the record"`
	Level    int              `json:"level" doc:"1 to 4, growing"`
	Message  string           `json:"message"`
	Remedy   string           `json:"remedy"`

	MessageZH string `json:"message_zh" doc:"In Chinese"`
	RemedyZH  string `json:"remedy_zh" doc:"In Chinese"`
}

type cursorStatus struct {
	Seq       uint64 `json:"seq" doc:"Everything up to it is stored"`
	Pages     int64  `json:"pages"`
	Envelopes int64  `json:"envelopes"`
	Bytes     int64  `json:"bytes" doc:"Of WeCom's replies"`
	PulledAt  string `json:"pulled_at,omitempty" format:"date-time" doc:"When the last page was pulled"`
}

type pendingStatus struct {
	Pages     int64  `json:"pages" doc:"Stored pages that wait for the archiver"`
	Envelopes int64  `json:"envelopes" doc:"In them, of those that the cursor has passed"`
	Oldest    string `json:"oldest,omitempty" format:"date-time" doc:"When the oldest was pulled"`
	AtLeast   bool   `json:"at_least,omitempty" doc:"There are more than were counted"`
}

type quarantineStatus struct {
	Envelopes int64                     `json:"envelopes" doc:"That could not be decrypted yet"`
	Pages     int64                     `json:"pages" doc:"With such envelopes"`
	Reasons   map[archive.Outcome]int64 `json:"reasons" doc:"Envelopes by reason"`
	AtLeast   bool                      `json:"at_least,omitempty" doc:"There are more than were counted"`
}

type mediaStatus struct {
	Files      int64                         `json:"files" doc:"References to files in messages, each counted"`
	Pending    int64                         `json:"pending" doc:"To be fetched, or tried again"`
	Stored     int64                         `json:"stored"`
	Failed     int64                         `json:"failed" doc:"Given up; a redrive tries again"`
	Lost       int64                         `json:"lost" doc:"WeCom no longer has them"`
	Bytes      int64                         `json:"bytes" doc:"Of the stored ones"`
	Mismatches int64                         `json:"mismatches" doc:"Stored, but not with the MD5 or size that the message says"`
	Reasons    map[archive.MediaReason]int64 `json:"reasons" doc:"Failed and lost ones by reason"`
	Oldest     string                        `json:"oldest_pending,omitempty" format:"date-time" doc:"When the message of the oldest pending one was pulled"`
	Expires    string                        `json:"expires,omitempty" format:"date-time" doc:"When WeCom may forget the first pending one"`
}

func mediaView(m catalog.MediaFacts) mediaStatus {
	view := mediaStatus{
		Files: int64(m.Refs), Pending: int64(m.Pending()), Stored: int64(m.Stored), Failed: int64(m.Failed), Lost: int64(m.Lost),
		Bytes: m.Bytes, Mismatches: int64(m.Mismatches), Reasons: map[archive.MediaReason]int64{},
		Oldest: formatTime(m.Oldest), Expires: formatTime(m.Expires),
	}
	for reason, n := range m.Reasons {
		view.Reasons[reason] = int64(n)
	}
	return view
}

type gap struct {
	Since  time.Time `json:"since" doc:"When the end of the stream was last reached before"`
	Until  time.Time `json:"until" doc:"Messages after it were still there"`
	Seq    uint64    `json:"seq" doc:"The cursor then"`
	SeenAt time.Time `json:"seen_at"`
}

type run struct {
	ID        string    `json:"id"`
	StartedAt time.Time `json:"started_at"`
	EndedAt   time.Time `json:"ended_at"`
	SeqFrom   uint64    `json:"seq_from" doc:"The cursor before"`
	SeqTo     uint64    `json:"seq_to" doc:"The cursor after"`
	Calls     int       `json:"calls"`
	Pages     int       `json:"pages" doc:"Stored by this run"`
	Adopted   int       `json:"adopted" doc:"Pages found stored"`
	Envelopes int       `json:"envelopes"`
	Rejects   int       `json:"rejects" doc:"Replies that were no page"`
	Requeued  int       `json:"requeued" doc:"Pages queued again for the archiver"`
	Stopped   string    `json:"stopped" example:"end" doc:"Why it ended"`
	Error     string    `json:"error,omitempty"`
	Remedy    string    `json:"remedy,omitempty"`
	Gap       bool      `json:"gap" doc:"It noticed a gap"`
}

type keyBinding struct {
	PublicKeyVer int64  `json:"publickey_ver"`
	Key          string `json:"key" doc:"Our id of the key"`
}

// Status judges how well the archive is, as of now.
func (s *Books) Status(ctx context.Context, _ *struct{}) (*statusOutput, error) {
	// The cursor comes first: what is stored from here on is not counted, so that
	// the counts add up while the archive works.
	cursor, err := s.config.Catalog.Pages.Cursor(ctx)
	if err != nil {
		return nil, err
	}
	state, err := s.config.Catalog.Pages.PullState(ctx)
	if err != nil {
		return nil, err
	}
	now := s.config.Now().UTC()
	body := Status{Now: now, Unlocked: string(s.config.Unlocked), Cursor: cursorStatus{
		Seq: cursor.Seq, Pages: cursor.Pages, Envelopes: cursor.Envelopes, Bytes: cursor.Bytes, PulledAt: formatTime(cursor.PulledAt),
	}}
	backlog, err := s.count(ctx, cursor)
	if err != nil {
		return nil, err
	}
	body.Pending, body.Quarantine = backlog.pending, backlog.quarantine
	body.Archived = max(0, cursor.Envelopes-backlog.pending.Envelopes-backlog.unreadable)
	gaps, err := s.config.Catalog.Journal.Gaps(ctx, statusGaps)
	if err != nil {
		return nil, err
	}
	incidents, err := s.config.Catalog.Journal.Incidents(ctx, statusGaps)
	if err != nil {
		return nil, err
	}
	media, err := s.config.Catalog.Media.MediaFacts(ctx)
	if err != nil {
		return nil, err
	}
	damaged, err := s.damage.Summary(ctx)
	if err != nil {
		return nil, err
	}
	body.Damage = damageView(damaged)
	if body.Scrub, err = s.scrubs(ctx); err != nil {
		return nil, err
	}
	if body.Types, err = s.types(ctx); err != nil {
		return nil, err
	}
	parsed, shown, err := s.parsed(ctx, now)
	if err != nil {
		return nil, err
	}
	body.Media, body.Parsed = mediaView(media), shown
	if err := s.addHistory(ctx, &body, gaps); err != nil {
		return nil, err
	}
	body.addHealth(now, health.Facts{
		State: state, Cursor: cursor, OldestPending: backlog.oldest,
		Quarantine: backlog.judged(), Gaps: gaps, Incidents: incidents, Media: media, Parsed: parsed, Damage: damaged, Build: s.build(ctx),
	})
	return &statusOutput{Body: body}, nil
}

// build is the program that answers. If it cannot be told how the archive locks, it is
// taken to lock for good.
func (s *Books) build(ctx context.Context) health.Build {
	b := health.Build{Version: s.config.Version, Unknown: s.config.Version != "" && !program.Traceable(s.config.Version)}
	if !b.Unknown || s.config.Compliance == nil {
		return b
	}
	compliance, err := s.config.Compliance(ctx)
	if err != nil {
		s.config.Log.WarnContext(ctx, "how the archive locks cannot be told", "error", err)
	}
	b.Compliance = compliance || err != nil
	return b
}

// addHealth judges the facts.
func (b *Status) addHealth(now time.Time, f health.Facts) {
	b.Alarms = []Alarm{}
	alarms := health.Judge(now, f)
	for _, a := range alarms {
		b.Alarms = append(b.Alarms, Alarm(a))
	}
	b.Healthy = health.Healthy(alarms)
	b.LastSuccess = formatTime(f.State.LastSuccessAt)
	b.Seats = f.State.Seats
	if proof := f.State.LastProof(); !proof.IsZero() {
		lag := now.Sub(proof)
		seconds := int64(lag / time.Second)
		left := max(0, int64((archive.Window-lag)/time.Hour))
		b.LagSeconds, b.HoursUntilFirstLoss = &seconds, &left
	}
}

// Proof is since when what is known.
type Proof struct {
	End   time.Time // the stream was last read to its end; zero: never
	Seats time.Time // who has a seat; zero: that is not known
}

// Proof says it.
func (s *Books) Proof(ctx context.Context) (Proof, error) {
	state, err := s.config.Catalog.Pages.PullState(ctx)
	if err != nil {
		return Proof{}, err
	}
	directory, err := s.config.Catalog.People.DirectoryState(ctx)
	if err != nil {
		return Proof{}, err
	}
	// Without a directory the pull asks for them, and says when it worked last.
	seats := directory.SeatsAt
	if seats.IsZero() {
		seats = state.LastSuccessAt
	}
	return Proof{End: state.LastProof(), Seats: seats}, nil
}

// addHistory adds the lists.
func (s *Books) addHistory(ctx context.Context, b *Status, gaps []archive.Gap) error {
	runs, err := s.config.Catalog.Journal.Runs(ctx, pullerStage, statusRuns)
	if err != nil {
		return err
	}
	bindings, err := s.config.Catalog.Keys.Bindings(ctx, statusBindings)
	if err != nil {
		return err
	}
	b.Gaps, b.Runs, b.KeyBindings = []gap{}, []run{}, []keyBinding{}
	for _, g := range gaps {
		b.Gaps = append(b.Gaps, gapView(g))
	}
	for _, r := range runs {
		b.Runs = append(b.Runs, runView(r))
	}
	for _, k := range bindings {
		b.KeyBindings = append(b.KeyBindings, keyBinding{PublicKeyVer: k.PublicKeyVer, Key: k.Key})
	}
	return nil
}

func gapView(g archive.Gap) gap {
	return gap{Since: g.Since, Until: g.Until, Seq: g.Seq, SeenAt: g.SeenAt}
}

func runView(r archive.Run) run {
	return run{
		ID: r.ID, StartedAt: r.StartedAt, EndedAt: r.EndedAt, SeqFrom: r.SeqFrom, SeqTo: r.SeqTo,
		Calls: r.Calls, Pages: r.Pages, Adopted: r.Adopted, Envelopes: r.Envelopes, Rejects: r.Rejects,
		Requeued: r.Requeued, Stopped: r.Stopped, Error: r.Error, Remedy: r.Remedy, Gap: r.Gap,
	}
}

// formatTime is empty for the zero time.
func formatTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(timeLayout)
}
