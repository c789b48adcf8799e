package reading_test

import (
	"testing"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/reading"
)

func TestApply(t *testing.T) {
	aliases := catalog.Aliases{"li.na2": "li.na", "li.na3": "li.na2"}
	for _, tc := range []struct {
		r    archive.Reading
		want string
	}{
		{archive.Reading{Conversation: "pair:li.na3,wmQx9ZDAAAexampleCust01", FromID: "li.na3", ToIDs: []string{"wmQx9ZDAAAexampleCust01"}}, "pair:li.na,wmQx9ZDAAAexampleCust01"},
		{archive.Reading{Conversation: "pair:li.na2,wang.wei", FromID: "wang.wei", ToIDs: []string{"li.na2"}}, "pair:li.na,wang.wei"},
		{archive.Reading{Conversation: "pair:li.na,li.na2", FromID: "li.na", ToIDs: []string{"li.na2"}}, "pair:li.na,li.na"},
		{archive.Reading{Conversation: "pair:wang.wei,zhao.min", FromID: "wang.wei", ToIDs: []string{"zhao.min"}}, "pair:wang.wei,zhao.min"},
		{archive.Reading{Conversation: "room:wrA", RoomID: "wrA", FromID: "li.na3"}, "room:wrA"},
		{archive.Reading{Conversation: "unparsed"}, "unparsed"},
	} {
		got := reading.Apply(aliases, tc.r)
		if got.Conversation != tc.want || got.FromID != tc.r.FromID {
			t.Errorf("%+v: %s from %s, want %s", tc.r, got.Conversation, got.FromID, tc.want)
		}
	}
}
