package reading

import (
	"slices"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/wecom"
)

// Apply gives a reading the conversation that it belongs to: one with somebody whose
// userid was changed is that of the first userid. Who wrote stays as it is.
func Apply(a catalog.Aliases, r archive.Reading) archive.Reading {
	if len(a) == 0 || r.RoomID != "" {
		return r
	}
	var people []wecom.Participant
	changed := false
	for _, id := range slices.Concat([]string{r.FromID}, r.ToIDs) {
		p := wecom.ParticipantOf(id)
		if first := a.First(p.ID); p.Kind == wecom.Employee && first != p.ID {
			p.ID, changed = first, true
		}
		people = append(people, p)
	}
	if changed {
		r.Conversation = wecom.ConversationOf("", people...)
	}
	return r
}
