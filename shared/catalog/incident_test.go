package catalog_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/store/storetest"
)

func plantIncidents(t *testing.T) (objects *storetest.Objects, want []string) {
	t.Helper()
	objects = storetest.NewObjects()
	for _, key := range []string{"pages/1", "pages/2", "pages/3", "keys/k.json"} {
		if err := objects.PutIfAbsent(t.Context(), key, strings.NewReader("truth")); err != nil {
			t.Fatal(err)
		}
	}
	marker := objects.PlantDeleteMarker("pages/1")
	later := objects.PlantVersion("pages/1", []byte("a lie"))
	onNothing := objects.PlantDeleteMarker("pages/none")
	other := objects.PlantVersion("pages/3", []byte("longer lie"))
	return objects, []string{
		"pages/1 " + marker + " delete_marker 0", "pages/1 " + later + " later_version 5",
		"pages/none " + onNothing + " delete_marker 0", "pages/3 " + other + " later_version 10",
	}
}

func describe(i archive.Incident) string {
	return fmt.Sprintf("%s %s %s %d", i.Key, i.Version, i.Kind, i.Size)
}

func TestIncidents(t *testing.T) {
	objects, want := plantIncidents(t)
	var got []string
	for i, err := range archive.Incidents(t.Context(), objects, "") {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, describe(i))
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("incidents %q, want %q", got, want)
	}
	for i, err := range archive.Incidents(t.Context(), objects, "keys/") {
		t.Errorf("below keys/: %+v, %v", i, err)
	}
	for range archive.Incidents(t.Context(), objects, "") {
		break // a consumer may stop
	}
}

// TestRecordIncidents: each incident is recorded once, in an object and in the
// index, however often and wherever the scan breaks off.
func TestRecordIncidents(t *testing.T) {
	for k := 1; ; k++ {
		objects, want := plantIncidents(t)
		index := storetest.NewIndex()
		faults := storetest.NewFaults()
		scan := func() (catalog.IncidentCount, error) {
			return catalog.RecordIncidents(t.Context(), objects, faults.Objects(objects), catalog.New(faults.Index(index)).Journal, "ww1", "pages/")
		}
		faults.CrashAt(k, storetest.After)
		_, err := scan()
		crashed := faults.Crashed()
		if crashed == (err == nil) {
			t.Fatalf("crash at %d: RecordIncidents = %v", k, err)
		}
		faults.Restart()
		if count, err := scan(); err != nil || count.Found != len(want) || !crashed && count.New != 0 {
			t.Errorf("after a crash at %d: %+v, %v", k, count, err)
		}
		if count, err := scan(); err != nil || count != (catalog.IncidentCount{Found: len(want)}) {
			t.Errorf("once more: %+v, %v; want nothing new", count, err)
		}
		wantRecorded(t, objects, index, want)
		if !crashed {
			return
		}
	}
}

func wantRecorded(t *testing.T, objects *storetest.Objects, index *storetest.Index, want []string) {
	t.Helper()
	listed, err := catalog.New(index).Journal.Incidents(t.Context(), 100)
	if err != nil {
		t.Fatal(err)
	}
	var inCatalog, inEvents []string
	for _, i := range listed {
		inCatalog = append(inCatalog, describe(i))
	}
	for info, err := range objects.List(t.Context(), archive.EventsPrefix, "") {
		if err != nil {
			t.Fatal(err)
		}
		var i archive.Incident
		e, err := archive.GetEvent(t.Context(), objects, info.Key, &i)
		if err != nil || e.Kind != archive.EventIncident || e.Corp != "ww1" || !e.At.Equal(i.Modified) || archive.IncidentKey(i) != info.Key {
			t.Errorf("%s holds %+v, %+v, %v", info.Key, e, i, err)
		}
		inEvents = append(inEvents, describe(i))
	}
	slices.Sort(inCatalog)
	slices.Sort(inEvents)
	slices.Sort(want)
	if !slices.Equal(inCatalog, want) || !slices.Equal(inEvents, want) {
		t.Errorf("the catalog lists %q, events hold %q; want %q", inCatalog, inEvents, want)
	}
}

func TestIncidentKey(t *testing.T) {
	i := archive.Incident{Key: "pages/1", Version: "v2", Modified: time.Date(2026, 11, 23, 23, 59, 0, 0, time.UTC)}
	// printf pages/1 | sha256sum; printf v2 | sha256sum
	const want = "events/dt=2026-11-23/incident-813d8f7e4fe00274-fb04dcb6970e4c3d.json"
	if got := archive.IncidentKey(i); got != want {
		t.Errorf("IncidentKey = %s, want %s", got, want)
	}
}

func TestIncidentsFail(t *testing.T) {
	objects, _ := plantIncidents(t)
	faults := storetest.NewFaults()
	faults.FailAt(1, storetest.Before)
	count, err := catalog.RecordIncidents(t.Context(), objects, faults.Objects(objects), catalog.New(storetest.NewIndex()).Journal, "ww1", "")
	if !errors.Is(err, storetest.ErrInjected) || count.New != 0 {
		t.Errorf("RecordIncidents = %+v, %v; want the store's error", count, err)
	}
}
