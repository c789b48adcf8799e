package local_test

import (
	"context"
	"testing"
	"time"

	"wecom-archive/infra/local"
	"wecom-archive/shared/archive"
)

// TestRequestPull: whoever asks is recorded, and need not wait for the schedule.
func TestRequestPull(t *testing.T) {
	c := config(t.TempDir())
	c.Messages = 100
	system, err := local.Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	defer system.Close()
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- system.Run(ctx, false, nil) }()
	runs := func() int {
		found, err := system.Catalog.Journal.Runs(t.Context(), "puller", 100)
		if err != nil {
			t.Fatal(err)
		}
		return len(found)
	}
	begin := time.Now()
	const asked = 4 // by the schedule alone these take 40 s
	for n := 0; n < asked; n++ {
		before := runs()
		if err := system.RequestPull(t.Context(), "the-operator"); err != nil {
			t.Fatal(err)
		}
		for runs() == before {
			if time.Since(begin) > 8*time.Second {
				t.Fatalf("pull %d did not come", n)
			}
			time.Sleep(5 * time.Millisecond)
		}
	}
	stop()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	events := 0
	for info, err := range system.Objects.List(t.Context(), archive.EventsPrefix, "") {
		if err != nil {
			t.Fatal(err)
		}
		var r archive.PullRequest
		if e, err := archive.GetEvent(t.Context(), system.Objects, info.Key, &r); err == nil && e.Kind == archive.EventPullRequest {
			if events++; r.Who != "the-operator" || archive.PullRequestKey(r) != info.Key {
				t.Errorf("%s: %+v", info.Key, r)
			}
		}
	}
	if events != asked {
		t.Errorf("%d requests are recorded, want %d", events, asked)
	}
}
