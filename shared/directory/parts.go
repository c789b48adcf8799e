package directory

import (
	"context"

	"wecom-archive/shared/archive"
)

// Bounds of a part.
const (
	partRecords = 500
	partBytes   = 4 << 20
)

// keep adds a record to the part in hand, and stores that when it is full.
func (r *run) keep(ctx context.Context, record archive.DirectoryRecord) error {
	record.At = r.now()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.part.Records = append(r.part.Records, record)
	r.size += sizeOf(record)
	if len(r.part.Records) < partRecords && r.size < partBytes {
		return nil
	}
	return r.flushLocked(ctx)
}

func sizeOf(record archive.DirectoryRecord) int {
	const each = 150
	n := 1 + len(record.Members) + len(record.Followers) + len(record.Agreements)
	for _, ids := range record.Seats {
		n += len(ids)
	}
	return n * each
}

// flush stores what was learned and puts it into the index.
func (r *run) flush(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.flushLocked(ctx)
}

func (r *run) flushLocked(ctx context.Context) error {
	if len(r.part.Records) == 0 {
		return nil
	}
	p := r.part
	p.Corp, p.Run, p.Program, p.At = r.Corp, r.ID, r.Program, r.now()
	// Should this fail, the next try has another key: it may hold more.
	r.part.Part++
	key, err := archive.PutDirectoryPart(ctx, r.Objects, p)
	if err != nil {
		return err
	}
	if err := r.People.ApplyDirectoryPart(ctx, key, p); err != nil {
		return err
	}
	if err := r.People.NoteDirectoryPart(ctx, key); err != nil {
		return err
	}
	r.part.Records, r.size = nil, 0
	return nil
}
