package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/capture"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/damage"
	"wecom-archive/shared/health"
	"wecom-archive/shared/metrics"
	"wecom-archive/shared/wecom"
)

// measure writes the metrics of a run. One that another puller kept from working has
// none.
func (a *App) measure(ctx context.Context, run archive.Run, failure error) {
	if run.Stopped == capture.StoppedLease {
		return
	}
	refused, isRefused := errors.AsType[*wecom.Error](failure)
	values := metrics.Values{
		metrics.EndReached: metrics.Flag(!run.EndReachedAt.IsZero()),
		metrics.Pulled:     float64(run.Envelopes),
		metrics.Rejects:    float64(run.Rejects),
		metrics.Gaps:       metrics.Flag(run.Gap),
		metrics.Refused:    metrics.Flag(isRefused && refused.Class() == wecom.Stop),
	}
	if !run.StartedAt.IsZero() {
		values[metrics.Seconds] = a.Now().Sub(run.StartedAt).Seconds()
	}
	if err := a.measureHealth(ctx, values); err != nil {
		a.Log.WarnContext(ctx, "some metrics are missing", "error", err)
	}
	a.Metrics.Put(values)
}

// measureHealth adds what only the index knows.
func (a *App) measureHealth(ctx context.Context, values metrics.Values) error {
	state, err := a.Catalog.Pages.PullState(ctx)
	if err != nil {
		return err
	}
	cursor, err := a.Catalog.Pages.Cursor(ctx)
	if err != nil {
		return err
	}
	if proof := state.LastProof(); !proof.IsZero() {
		values[metrics.LagSeconds] = a.Now().Sub(proof).Seconds()
	}
	damaged, err := damage.New(a.Objects, a.Catalog.Table, a.Corp, a.Now).Summary(ctx)
	if err != nil {
		return err
	}
	values[metrics.Damaged] = float64(damaged.Count(archive.InArchive, archive.Missing, archive.Altered))
	values[metrics.Holes] = float64(damaged.Count(archive.InArchive, archive.Hole))
	values[metrics.Strays] = float64(damaged.Count(archive.InArchive, archive.Stray))
	values[metrics.DerivedDamage] = float64(damaged.Count(archive.InDerived, archive.Missing, archive.Altered))
	alarms := health.Judge(a.Now(), health.Facts{State: state, Cursor: cursor})
	values[metrics.QuietAlarm] = metrics.Flag(slices.ContainsFunc(alarms, func(al health.Alarm) bool { return al.Code == health.AlarmQuiet }))
	return nil
}

// scanned are the prefixes of the archive that are looked through for incidents.
var scanned = [...]string{
	archive.PagesPrefix, archive.RejectsPrefix, archive.KeysPrefix, archive.EventsPrefix, archive.SegmentsPrefix,
	archive.LinksPrefix, archive.MediaPrefix, archive.AccessPrefix, archive.DirectoryPrefix,
}

// scanMargin is kept back from the function's time for what a scan has begun.
const scanMargin = 60 * time.Second

// scanName is what the index calls the progress of scans.
const scanName = "incident-scan"

// lookForIncidents records what somebody laid over the archive: delete markers and
// later versions. A scan that the time is too short for goes on at the next run.
func (a *App) lookForIncidents(ctx context.Context) error {
	var next int // prefix
	if _, err := a.Catalog.Journal.Progress(ctx, scanName, &next); err != nil {
		return err
	}
	scan, cancel := ctx, func() {}
	if deadline, ok := ctx.Deadline(); ok {
		scan, cancel = context.WithDeadline(ctx, deadline.Add(-scanMargin))
	}
	defer cancel()
	for range scanned {
		prefix := scanned[next%len(scanned)]
		count, err := catalog.RecordIncidents(scan, a.Versions, a.Objects, a.Catalog.Journal, a.Corp, prefix)
		a.Metrics.Put(metrics.Values{metrics.Incidents: float64(count.New)})
		if count.New > 0 {
			a.Log.ErrorContext(ctx, "somebody laid something over the archive", "prefix", prefix, "found", count.Found, "new", count.New)
		}
		if scan.Err() != nil && ctx.Err() == nil {
			a.Log.InfoContext(ctx, "the scan for incidents goes on with the next pull", "prefix", prefix)
			return nil
		}
		if err != nil {
			return fmt.Errorf("looking for incidents below %s: %w", prefix, err)
		}
		next = (next + 1) % len(scanned)
		if err := a.Catalog.Journal.SaveProgress(ctx, scanName, next); err != nil {
			return err
		}
	}
	return nil
}
