package decode

import (
	"bytes"
	"context"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/wecom"
)

// media leaves a job list for each part with messages that refer to files, unless
// all of these are stored or given up, and brings the index up to what is stored of
// them. A list that is there already is written again: its event may be lost. open
// says whether any is unfinished.
func (x *Indexer) media(ctx context.Context, seg *pageSegment) (open bool, err error) {
	var links *archive.PageLinks
	for _, p := range seg.parts {
		list := x.fetchList(seg.page, p)
		if len(list.Jobs) == 0 {
			continue
		}
		if links == nil {
			if links, err = archive.ReadPageLinks(ctx, x.Objects, seg.page.PulledAt, seg.page.SeqAsked); err != nil {
				return false, err
			}
		}
		unfinished, err := x.Media.IndexLinks(ctx, list, links)
		if err != nil {
			return false, err
		}
		open = open || unfinished
		if unfinished && x.Derived != nil {
			// Last: whoever works on it finds it in the index.
			if err := archive.PutFetchList(ctx, x.Derived, list); err != nil {
				return false, err
			}
		}
	}
	return open, nil
}

// fetchList are the files that the messages in a part refer to.
func (x *Indexer) fetchList(page archive.PageHeader, p part) archive.FetchList {
	list := archive.FetchList{Corp: page.Corp, SeqAsked: page.SeqAsked, Part: p.number, PulledAt: page.PulledAt}
	for _, row := range p.rows {
		if row.Readable() && (len(row.Media) > 0 || bytes.Contains(row.Raw, []byte("sdkfileid"))) {
			list.Jobs = append(list.Jobs, x.jobs(page, row)...)
		}
	}
	return list
}

// jobs are the files that a message refers to. The stored reading has no sdkfileids,
// so it is read again.
func (x *Indexer) jobs(page archive.PageHeader, row archive.Row) (jobs []archive.MediaJob) {
	defer func() {
		if recover() != nil { // the panic's value may quote the message
			x.Log.Error("the parser panicked", "seq", row.Seq)
			jobs = nil
		}
	}()
	m := wecom.Parse(row.Raw, row.MsgID, row.PulledAt)
	for _, f := range m.Media {
		jobs = append(jobs, archive.MediaJob{
			MediaPlace: archive.MediaPlace{
				Position: row.Position, Path: f.Path, Seq: row.Seq, MsgID: row.MsgID, Kind: f.Kind, FileIDSHA256: f.FileIDHash(),
			},
			FileID: f.FileID, MD5: f.MD5, Size: f.Size,
			Expires: archive.MediaExpiry(m.Time, page.PulledAt, m.TimeSource),
		})
	}
	return jobs
}
