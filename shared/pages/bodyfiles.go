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
}

// attach shows those files of a body that are not shown yet.
func (b bodies) attach(o *body, files []wecom.Media) {
	for _, f := range files {
		// The parser looks no deeper: what it lists is what is fetched.
		if hash := f.FileIDHash(); b.left[hash] > 0 {
			b.left[hash]--
			o.Files = append(o.Files, b.file(f))
		}
	}
}

// ownFiles are the files of a body's content, less what its items have shown.
func (o *body) ownFiles(f wecom.Fields) []wecom.Media {
	switch o.Type {
	case "chatrecord", "mixed", "note", "solitaire":
		f = f.Without("item", "items")
	}
	return wecom.FilesOf(f, o.Type)
}

func (b bodies) file(f wecom.Media) shownFile {
	v := shownFile{Kind: f.Kind, Name: f.Name, Size: f.Size, Seconds: f.Seconds, State: "unseen"}
	if f.FileID == "" {
		v.State, v.Reason = "unnamed", archive.ReasonNoFileID
		return v
	}
	known, ok := b.files[f.FileIDHash()]
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
