package main

import (
	"context"
	"time"

	"github.com/google/uuid"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/store"
)

// pullRequests records who asks for a pull at once. This function can start nothing: the
// record, a locked event, starts the puller through EventBridge.
type pullRequests struct {
	objects store.Objects
	corp    string
	now     func() time.Time
}

// RequestPull is what the pages call.
func (p pullRequests) RequestPull(ctx context.Context, who string) error {
	r := archive.PullRequest{ID: uuid.NewString(), Who: who, At: p.now().UTC().Truncate(time.Millisecond)}
	return archive.PutPullRequest(ctx, p.objects, p.corp, r)
}
