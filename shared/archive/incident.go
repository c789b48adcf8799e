package archive

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"iter"
	"time"

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
	return eventKey(i.Modified, "incident-"+ShortHash(i.Key)+"-"+ShortHash(i.Version))
}

func ShortHash(s string) string {
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
