package decode_test

import (
	"context"
	"io"
	"strings"
	"sync"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/decode"
	"wecom-archive/shared/store"
	"wecom-archive/shared/wecom"
)

// limited opens only messages of seqs up to a limit.
type limited struct {
	decode.Library
	up int
}

func (l limited) DecryptData(ctx context.Context, batch []wecom.Sealed) ([]wecom.Opened, error) {
	opened, err := l.Library.DecryptData(ctx, batch)
	for i := range opened {
		allowed := false
		for seq := 1; seq <= l.up; seq++ {
			allowed = allowed || strings.Contains(batch[i].Message, `"`+msgid(seq)+`"`)
		}
		if !allowed {
			opened[i] = wecom.Opened{Err: wecom.NewSDKError("DecryptData", 10008)}
		}
	}
	return opened, err
}

// interrupted calls f once, before the first write to the item sort of the
// quarantine: where an archiver begins to mark a page.
type interrupted struct {
	store.Index
	sort string
	f    func()
	once sync.Once
}

func (x *interrupted) Put(ctx context.Context, items ...store.Item) error {
	if len(items) == 1 && items[0].Partition == "quarantine" && items[0].Sort == x.sort {
		x.once.Do(x.f)
	}
	return x.Index.Put(ctx, items...)
}

// dying fails where an archiver begins to index what it stored.
type dying struct {
	decode.Conversations
	err error
}

func (d dying) IndexPostings(context.Context, string, []archive.Row) error { return d.err }

// overtaken calls f once, before the first segment is put.
type overtaken struct {
	store.Objects
	f    func()
	once sync.Once
}

func (o *overtaken) PutIfAbsent(ctx context.Context, key string, body io.ReadSeeker) error {
	if strings.HasPrefix(key, archive.SegmentsPrefix) {
		o.once.Do(o.f)
	}
	return o.Objects.PutIfAbsent(ctx, key, body)
}
