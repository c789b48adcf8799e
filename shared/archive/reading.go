package archive

import (
	"cmp"
	"slices"
)

// OtherTypes is what counts of types call those that they do not tell apart.
const OtherTypes = "other"

// Type is what a message counts as: its msgtype, or its action if it has none, as
// one that says that somebody switched to another company.
func (r Reading) Type() string { return cmp.Or(r.MsgType, r.Action, OtherTypes) }

// People are the ids that a reading names, each once, in byte order: sender and
// receivers.
func (r Reading) People() []string {
	people := slices.DeleteFunc(append([]string{r.FromID}, r.ToIDs...), func(id string) bool {
		return id == "" || len(id) > MaxPersonID
	})
	slices.Sort(people)
	return slices.Compact(people)
}

// MaxPersonID leaves room for what the index puts before an id. WeCom's have at
// most 64 bytes; whoever has a longer one is found by conversation only.
const MaxPersonID = 256 // bytes
