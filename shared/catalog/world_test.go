package catalog_test

import (
	"fmt"
	"time"

	"wecom-archive/shared/archive"
)

var mediaPulled = time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)

func mediaJob(position int, path, id string) archive.MediaJob {
	return archive.MediaJob{
		MediaPlace: archive.MediaPlace{Position: position, Path: path, Seq: int64(100 + position), MsgID: fmt.Sprint("m", position), Kind: "image", FileIDSHA256: "hash-" + id},
		FileID:     "secret-" + id, MD5: "0cc175b9c0f1b6a831c399e269772661", Size: 1, Expires: mediaPulled.Add(archive.Window),
	}
}

func mediaList(jobs ...archive.MediaJob) archive.FetchList {
	return archive.FetchList{Corp: "ww1", SeqAsked: 7, PulledAt: mediaPulled, Jobs: jobs}
}

func link(job archive.MediaJob, state archive.MediaState) archive.Link {
	l := archive.Link{MediaPlace: job.MediaPlace, State: state, At: mediaPulled, Attempts: 1}
	switch state {
	case archive.MediaStored:
		l.SHA256, l.Size, l.MD5Verdict, l.SizeVerdict = "ab", 5, archive.VerdictMatch, archive.VerdictMismatch
		l.Key = archive.MediaKey(mediaPulled, l.SHA256)
	case archive.MediaFailed:
		l.Reason = archive.ReasonUnavailable
	case archive.MediaLost:
		l.Reason = archive.ReasonExpired
	}
	return l
}
