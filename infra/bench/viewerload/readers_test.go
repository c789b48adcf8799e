package main

import (
	"testing"
	"time"
)

// TestReaders: several people read for some seconds while messages are pulled: nothing
// fails, each look is recorded once and as theirs, and nobody sees the name of another.
// `make load-viewer` has 50 of them read for a minute.
func TestReaders(t *testing.T) {
	o, err := crowd{Dir: t.TempDir(), Messages: 600, Arriving: 100, Readers: 8, Time: 3 * time.Second, Seed: 1}.run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range o.Faults {
		t.Error(f)
	}
	if o.Pulled == 0 || o.looks() < 20 || o.Looks["transcript"] == 0 {
		t.Errorf("%d messages came meanwhile; looks: %v", o.Pulled, o.Looks)
	}
	t.Logf("%d answers, looks %v, %d records, %d messages came meanwhile", o.Answers, o.Looks, o.Records, o.Pulled)
}
