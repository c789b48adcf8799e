package catalog

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog/table"
	"wecom-archive/shared/store"
)

// IncidentCount is what a scan found.
type IncidentCount struct {
	Found int // incidents in the bucket
	New   int // of these, recorded by this scan
}

// RecordIncidents looks for incidents below prefix and records each that is not
// recorded yet: as an event in objects, then in the catalog. It may run again at
// any time, and at several places at once; the incidents that were recorded before
// an error stay recorded.
func RecordIncidents(ctx context.Context, versions store.Versions, objects store.Objects, journal *Journal, corp, prefix string) (IncidentCount, error) {
	var count IncidentCount
	for incident, err := range archive.Incidents(ctx, versions, prefix) {
		if err != nil {
			return count, err
		}
		count.Found++
		known, err := journal.knowsIncident(ctx, incident)
		if err != nil {
			return count, err
		}
		if known {
			continue
		}
		// The event first: what the catalog knows is recorded for ever.
		if err := archive.PutEvent(ctx, objects, archive.IncidentKey(incident), archive.EventIncident, corp, incident.Modified, incident); err != nil {
			return count, err
		}
		if err := journal.PutIncident(ctx, incident); err != nil {
			return count, err
		}
		count.New++
	}
	return count, nil
}

func incidentName(i archive.Incident) string {
	return fmt.Sprintf("%013d-%s-%s", i.Modified.UnixMilli(), archive.ShortHash(i.Key), archive.ShortHash(i.Version))
}

func (c *Journal) knowsIncident(ctx context.Context, i archive.Incident) (bool, error) {
	var known json.RawMessage
	revision, err := c.table.Read(ctx, partitionIncidents, incidentName(i), &known)
	return revision > 0, err
}

// PutIncident lists an incident. That it is listed already is no error.
func (c *Journal) PutIncident(ctx context.Context, i archive.Incident) error {
	if err := c.table.WriteIf(ctx, partitionIncidents, incidentName(i), 0, i); err != nil && !errors.Is(err, store.ErrConflict) {
		return fmt.Errorf("listing an incident on %s: %w", i.Key, err)
	}
	return nil
}

// Incidents returns the last known incidents, newest first.
func (c *Journal) Incidents(ctx context.Context, limit int) ([]archive.Incident, error) {
	return table.List[archive.Incident](ctx, c.table, store.IndexQuery{Partition: partitionIncidents, Descending: true, Limit: limit})
}

// IncidentsBefore is like RunsBefore, for incidents.
func (c *Journal) IncidentsBefore(ctx context.Context, before string, limit int) (incidents []archive.Incident, next string, err error) {
	return table.ListBefore[archive.Incident](ctx, c.table, partitionIncidents, before, limit)
}
