package pages

import (
	"wecom-archive/shared/archive"
	"wecom-archive/shared/wecom"
)

// shownFile is a file that a message refers to.
type shownFile struct {
	Kind, Name string
	Size       int64  // bytes; -1: not known
	State      string // of archive.MediaState; "unseen" if the index does not know it; "unnamed" if WeCom named none
	Reason     archive.MediaReason
	Seconds    int64 // of voice and video
	SHA256     string
	Link       string // of the page's own server, if it is stored
	Show       string // how a page shows it: image, video, amr; empty: as a file to save

	hash string // of the sdkfileid
}

// attach shows those files of a body that are not shown in it yet.
func (b bodies) attach(o *body, files []wecom.Media) {
	shown := map[string]int{}
	o.count(shown)
	for _, f := range files {
		hash := f.FileIDHash()
		switch {
		case shown[hash] > 0:
			shown[hash]--
		case b.own[hash]: // the parser looks no deeper: what it lists is what is fetched
			o.Files = append(o.Files, b.file(f))
		}
	}
}

// count adds the files that a body shows by hash.
func (o *body) count(shown map[string]int) {
	for _, f := range o.Files {
		shown[f.hash]++
	}
	for i := range o.Items {
		o.Items[i].count(shown)
	}
}

func (b bodies) file(f wecom.Media) shownFile {
	v := shownFile{Kind: f.Kind, Name: f.Name, Size: f.Size, Seconds: f.Seconds, State: "unseen", hash: f.FileIDHash()}
	if f.FileID == "" {
		v.State, v.Reason = "unnamed", archive.ReasonNoFileID
		return v
	}
	known, ok := b.files[v.hash]
	if !ok {
		return v
	}
	v.State, v.Reason, v.SHA256 = string(known.State), known.Reason, known.SHA256
	if known.State == archive.MediaStored {
		v.Link, v.Show = mediaPath(b.seq, known.FileIDSHA256), showAs(known)
	}
	if known.Size > 0 {
		v.Size = known.Size
	}
	return v
}
