// The archiver function reads pages as they appear, decrypts them, and stores
// their messages in segments. A queue of created-events starts it; once a day a schedule
// has it read a share of the archive again. It can open the private keys and has no
// route out.
//
// WeCom's library comes with the layer that infra/layers builds. It runs in
// processes of its own (package decrypt), which are this executable again; they
// get no secret.
//
// Settings come from the environment; settings lists them.
package main

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"slices"
	"time"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/awsevents"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/damage"
	"wecom-archive/shared/decode"
	"wecom-archive/shared/environment"
	"wecom-archive/shared/health"
	"wecom-archive/shared/keyring"
	"wecom-archive/shared/lambdastart"
	"wecom-archive/shared/metrics"
	"wecom-archive/shared/program"
	"wecom-archive/shared/scrub"
	"wecom-archive/shared/segment"
	"wecom-archive/shared/wecom"
	"wecom-archive/shared/wecom/financesdk/decrypt"
	"wecom-archive/shared/wecom/financesdk/native"
)

func main() {
	if status, host := decrypt.RunHost(os.Args); host {
		os.Exit(status)
	}
	lambdastart.Main("archiver", build)
}

// settings are what the stack sets.
type settings struct {
	Corp       string // WECOM_ARCHIVE_CORP: corpid
	Bucket     string // WECOM_ARCHIVE_BUCKET: archive bucket
	Derived    string // WECOM_ARCHIVE_DERIVED: derived bucket, for job lists of the media stage
	Table      string // WECOM_ARCHIVE_TABLE: index
	Capture    string // WECOM_ARCHIVE_CAPTURE_KEY: KMS key of pages, events and job lists
	KeyringKey string // WECOM_ARCHIVE_KEYRING_KEY: KMS key that wraps private keys
	SDK        string // WECOM_ARCHIVE_SDK: path of WeCom's library; optional
	ScrubDays  int    // WECOM_ARCHIVE_SCRUB_DAYS: in which the archive is read again; optional
}

func readSettings(getenv func(string) string) (settings, error) {
	s := settings{SDK: cmp.Or(getenv("WECOM_ARCHIVE_SDK"), native.LayerPath), ScrubDays: scrub.DefaultDays}
	err := environment.Read(getenv,
		environment.Corp(&s.Corp),
		environment.Bucket(&s.Bucket),
		environment.Derived(&s.Derived),
		environment.Table(&s.Table),
		environment.CaptureKey(&s.Capture),
		environment.Setting{Name: "WECOM_ARCHIVE_KEYRING_KEY", To: &s.KeyringKey, What: "the ARN of the KMS key that wraps private keys"},
	)
	if err != nil {
		return settings{}, err
	}
	return s, environment.ReadNumbers(getenv, scrub.DaysSetting(&s.ScrubDays))
}

const (
	parallel = 2                // pages in work at a time: one decrypts while the other stores
	reserve  = 30 * time.Second // with less time left no page is begun
)

// build makes the handler on AWS.
func build(ctx context.Context, getenv func(string) string, log *slog.Logger) (any, error) {
	set, err := readSettings(getenv)
	if err != nil {
		return nil, err
	}
	meter := metrics.New(os.Stdout, getenv("WECOM_ARCHIVE_STACK"), time.Now)
	library, err := decrypt.Open(ctx, decrypt.Config{
		Path: set.SDK, Children: runtime.GOMAXPROCS(0), Log: log,
		OnDeath: func(native.Death) { meter.Put(metrics.Values{metrics.ChildRestarts: 1}) },
	})
	if err != nil {
		return nil, fmt.Errorf("%w: is the function's layer the one that `make layer` builds, for this architecture?", err)
	}
	aws, err := lambdastart.LoadAWS(ctx)
	if err != nil {
		return nil, err
	}
	objects := aws.Objects(set.Bucket).WithKey(set.Capture, archive.CapturePrefixes()...)
	index := catalog.New(aws.Index(set.Table))
	batch, err := newBatch(ctx, set.Bucket, decode.Config{
		Corp: set.Corp, Program: program.Version(), Objects: objects, Lock: objects, Library: library,
		Conversations: index.Conversations, People: index.People, Consents: index.Consents,
		Media: index.Media, Pages: index.Pages, Holes: index.Journal, Findings: damage.New(objects, index.Table, set.Corp, time.Now),
		Derived: aws.Derived(set.Derived).WithKey(set.Capture, archive.FetchPrefix),
		Keys: keyring.New(keyring.Config{
			Corp: set.Corp, Objects: objects, Port: aws.Keyring(set.KeyringKey),
			Keys: index.Keys, Now: time.Now, Log: log,
		}),
		Now: time.Now, Log: log, Stored: func(p decode.Part) { measure(meter, p) },
		Indexed: func(ctx context.Context, page catalog.ParseCount) {
			measureParsed(ctx, meter, index.Pages, page, time.Now(), log)
		},
	})
	if err != nil {
		return nil, err
	}
	checker := scrub.Checker{Objects: objects, Corp: set.Corp, Segment: segment.Whose, Index: &scrub.Index{
		Pages: index.Pages, Conversations: index.Conversations, People: index.People,
		Rows: segment.RowsOf, Parser: wecom.ParserVersion, Now: time.Now,
	}}
	app := &App{Batch: batch, Scrub: scrub.New(scrub.Config{
		Name: scrub.Archive, Objects: objects, Journal: index.Journal, Parts: checker.Archive(), Shares: set.ScrubDays,
		Expected: []scrub.Expected{scrub.PagesAndSegments(index.Pages), scrub.KeyRecords(index.Keys)},
		Book:     damage.New(objects, index.Table, set.Corp, time.Now), Now: time.Now, Log: log,
	})}
	return app.Handle, nil
}

// measure writes the metrics of a part of a segment.
func measure(meter *metrics.Writer, p decode.Part) {
	meter.Put(metrics.Values{
		metrics.Archived: float64(p.Readable), metrics.Quarantined: float64(p.Unreadable), metrics.PageAge: p.Age.Seconds(),
	})
}

// parsedDays are how much of each day could be parsed.
type parsedDays interface {
	ParsedDays(ctx context.Context, from time.Time) ([]catalog.ParsedDay, error)
}

// measureParsed judges what could be parsed when a page has messages that could not: at
// once, since the next pull, which might notice as well, may be a day away.
func measureParsed(ctx context.Context, meter *metrics.Writer, days parsedDays, page catalog.ParseCount, now time.Time, log *slog.Logger) {
	if page.Unparsed == 0 {
		return
	}
	parsed, err := days.ParsedDays(ctx, health.FirstParsedDay(now))
	if err != nil {
		log.WarnContext(ctx, "a metric is missing: what could be parsed", "error", err)
		return
	}
	wrong := slices.ContainsFunc(health.Judge(now, health.Facts{Parsed: parsed}), func(a health.Alarm) bool {
		return a.Code == health.AlarmUnparsed && a.Severity == health.SeverityAction
	})
	meter.Put(metrics.Values{metrics.UnparsedAlarm: metrics.Flag(wrong)})
}

// newBatch has an archiver work on the pages that messages name. It refuses a
// bucket that does not lock.
func newBatch(ctx context.Context, bucket string, c decode.Config) (*awsevents.Batch, error) {
	archiver := decode.New(c)
	if err := archiver.Ready(ctx); err != nil {
		return nil, err
	}
	return &awsevents.Batch{Bucket: bucket, Work: archiver.Handle, Parallel: parallel, Reserve: reserve, Log: c.Log}, nil
}
