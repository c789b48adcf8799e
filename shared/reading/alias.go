package reading

import (
	"slices"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/chat"
)

// Apply gives a reading the conversation that it belongs to: one with somebody whose
// userid was changed is that of the first userid. Who wrote stays as it is.
func Apply(a catalog.Aliases, r archive.Reading) archive.Reading {
	if len(a) == 0 || r.RoomID != "" {
		return r
	}
	var people []chat.Participant
	changed := false
	for _, id := range slices.Concat([]string{r.FromID}, r.ToIDs) {
		p := chat.ParticipantOf(id)
		if first := a.First(p.ID); p.Kind == chat.Employee && first != p.ID {
			p.ID, changed = first, true
		}
		people = append(people, p)
	}
	if changed {
		r.Conversation = chat.ConversationOf("", people...)
	}
	return r
}
