package archive

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"time"

	"wecom-archive/shared/catalog/table"
	"wecom-archive/shared/store"
)

// EventIncident is the kind of events that record an Incident.
const EventIncident = "incident"

// Kinds of incidents.
const (
	IncidentDeleteMarker = "delete_marker" // the key looks deleted
	IncidentLaterVersion = "later_version" // the key looks as if it held something else
)

// Incident is something in the archive bucket that no part of this program puts
// there: a delete marker, or a version that is not the earliest of its key. The
// truth is unharmed; somebody tried to hide or replace it, or a retry met a delete
// marker (see Objects.PutIfAbsent).
type Incident struct {
	Key      string    `json:"key"`
	Version  string    `json:"version"` // the store's id of the marker or version
	Kind     string    `json:"kind"`
	Modified time.Time `json:"modified"` // when it was put, as the store says
	Size     int64     `json:"size"`     // bytes
}

// IncidentKey names the object of an incident's event. The same incident has the
// same name whenever it is found.
func IncidentKey(i Incident) string {
	return eventKey(i.Modified, "incident-"+shortHash(i.Key)+"-"+shortHash(i.Version))
}

func shortHash(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:8])
}

// Incidents yields what is wrong below prefix, in byte order of the keys. The
// first error ends the sequence.
func Incidents(ctx context.Context, versions store.Versions, prefix string) iter.Seq2[Incident, error] {
	return func(yield func(Incident, error) bool) {
		for v, err := range versions.ListVersions(ctx, prefix, "") {
			if err != nil {
				yield(Incident{}, fmt.Errorf("looking for incidents: %w", err))
				return
			}
			if v.Earliest {
				continue
			}
			kind := IncidentLaterVersion
			if v.DeleteMarker {
				kind = IncidentDeleteMarker
			}
			if !yield(Incident{Key: v.Key, Version: v.Version, Kind: kind, Modified: v.Modified.UTC(), Size: v.Size}, nil) {
				return
			}
		}
	}
}

// IncidentCount is what a scan found.
type IncidentCount struct {
	Found int // incidents in the bucket
	New   int // of these, recorded by this scan
}

// RecordIncidents looks for incidents below prefix and records each that is not
// recorded yet: as an event in objects, then in the catalog. It may run again at
// any time, and at several places at once; the incidents that were recorded before
// an error stay recorded.
func RecordIncidents(ctx context.Context, versions store.Versions, objects store.Objects, catalog *Catalog, corp, prefix string) (IncidentCount, error) {
	var count IncidentCount
	for incident, err := range Incidents(ctx, versions, prefix) {
		if err != nil {
			return count, err
		}
		count.Found++
		known, err := catalog.knowsIncident(ctx, incident)
		if err != nil {
			return count, err
		}
		if known {
			continue
		}
		// The event first: what the catalog knows is recorded for ever.
		if err := PutEvent(ctx, objects, IncidentKey(incident), EventIncident, corp, incident.Modified, incident); err != nil {
			return count, err
		}
		if err := catalog.PutIncident(ctx, incident); err != nil {
			return count, err
		}
		count.New++
	}
	return count, nil
}

func incidentName(i Incident) string {
	return fmt.Sprintf("%013d-%s-%s", i.Modified.UnixMilli(), shortHash(i.Key), shortHash(i.Version))
}

func (c *Catalog) knowsIncident(ctx context.Context, i Incident) (bool, error) {
	var known json.RawMessage
	revision, err := c.Table.Read(ctx, partitionIncidents, incidentName(i), &known)
	return revision > 0, err
}

// PutIncident lists an incident. That it is listed already is no error.
func (c *Catalog) PutIncident(ctx context.Context, i Incident) error {
	if err := c.Table.WriteIf(ctx, partitionIncidents, incidentName(i), 0, i); err != nil && !errors.Is(err, store.ErrConflict) {
		return fmt.Errorf("listing an incident on %s: %w", i.Key, err)
	}
	return nil
}

// Incidents returns the last known incidents, newest first.
func (c *Catalog) Incidents(ctx context.Context, limit int) ([]Incident, error) {
	return table.List[Incident](ctx, c.Table, store.IndexQuery{Partition: partitionIncidents, Descending: true, Limit: limit})
}

// IncidentsBefore is like RunsBefore, for incidents.
func (c *Catalog) IncidentsBefore(ctx context.Context, before string, limit int) (incidents []Incident, next string, err error) {
	return table.ListBefore[Incident](ctx, c.Table, partitionIncidents, before, limit)
}
