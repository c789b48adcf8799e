// Package metrics tells CloudWatch how the archive is: numbers that functions write
// into their logs in the embedded metric format, under the namespace wecom-archive
// with the dimension Stack. Alarms and dashboard are in infra/stack/watch.yaml.
//
// Numbers only: who or what was said is in none of them.
package metrics

import (
	"io"
	"slices"
	"time"

	"github.com/prozz/aws-embedded-metrics-golang/emf"
)

// Namespace and Dimension are what CloudWatch files the metrics under.
const (
	Namespace = "wecom-archive"
	Dimension = "Stack"
)

// Name is a metric.
type Name string

// Metrics. Counts are of what happened in one run; watch.yaml sums them up.
const (
	EndReached    Name = "EndReached"     // 1: a pull reached the end of the stream
	Pulled        Name = "Pulled"         // envelopes in pages that were stored
	Rejects       Name = "Rejects"        // replies of WeCom that are no pages
	Gaps          Name = "Gaps"           // 1: messages may have been lost before this pull
	Refused       Name = "Refused"        // 1: WeCom refused until somebody acts
	QuietAlarm    Name = "QuietAlarm"     // 1: silence is not believable any more
	LagSeconds    Name = "LagSeconds"     // since it was last sure that nothing older waits at WeCom
	Incidents     Name = "Incidents"      // newly found delete markers and later versions in the archive
	Damaged       Name = "Damaged"        // objects of the archive that are missing or altered, and not acknowledged
	Holes         Name = "Holes"          // places where pages are missing, likewise
	Strays        Name = "Strays"         // objects that no part of the program puts into the archive, likewise
	DerivedDamage Name = "DerivedDamage"  // things made from the archive that are missing or altered
	Archived      Name = "Archived"       // messages in segments that were stored
	Quarantined   Name = "Quarantined"    // envelopes in them that could not be read
	PageAge       Name = "PageAgeSeconds" // of a page when its segment was stored
	UnparsedAlarm Name = "UnparsedAlarm"  // 1: with this page, far more messages than usual could not be parsed
	ChildRestarts Name = "ChildRestarts"  // processes of WeCom's library that died
	Seconds       Name = "Seconds"        // that a run took
	MediaStored   Name = "MediaStored"    // files that were stored
	MediaFailed   Name = "MediaFailed"    // files that were given up
	MediaLost     Name = "MediaLost"      // files that WeCom no longer has
	CallbackFails Name = "CallbackFails"  // 1: a call of WeCom was answered with 500
	Compacted     Name = "Compacted"      // messages put together for reading
)

// Values are the numbers of one run.
type Values map[Name]float64

// Writer writes metrics of one stack. It is safe for concurrent use if out is.
type Writer struct {
	out   io.Writer
	stack string
	now   func() time.Time
}

// New returns a Writer. out is the function's log, as os.Stdout.
func New(out io.Writer, stack string, now func() time.Time) *Writer {
	return &Writer{out: out, stack: stack, now: now}
}

// Put writes the values as one line. A nil Writer writes nothing.
func (w *Writer) Put(values Values) {
	if w == nil || len(values) == 0 {
		return
	}
	log := emf.New(emf.WithWriter(w.out), emf.WithTimestamp(w.now()), emf.WithoutDimensions()).
		Namespace(Namespace).Dimension(Dimension, w.stack)
	names := make([]Name, 0, len(values))
	for name := range values {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		log.MetricFloatAs(string(name), values[name], unit(name))
	}
	log.Log()
}

func unit(name Name) emf.MetricUnit {
	switch name {
	case LagSeconds, PageAge, Seconds:
		return emf.Seconds
	}
	return emf.Count
}

// Flag is 1 if something is so.
func Flag(so bool) float64 {
	if so {
		return 1
	}
	return 0
}
