package health_test

import (
	"strings"
	"testing"
	"time"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/health"
)

// TestQuarantineSays: what is known, and of what cannot be counted that it cannot.
func TestQuarantineSays(t *testing.T) {
	now := time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)
	const uncounted = " How many messages that concerns is not known; what is stored of their segments is shown."
	const uncountedZH = "无法读取，涉及的消息数未知；其段文件中已保存的内容仍可查看。"
	for _, test := range []struct {
		q      health.Quarantine
		en, zh string
	}{
		{health.Quarantine{Pages: 1, Envelopes: 1, Holding: 1}, "1 envelope of 1 page could not be read yet.", "1 页中有 1 条消息尚不能解密。"},
		{health.Quarantine{Pages: 7, Envelopes: 12, Holding: 7}, "12 envelopes of 7 pages could not be read yet.", "7 页中有 12 条消息尚不能解密。"},
		{health.Quarantine{Pages: 1, Headers: 1}, "1 page cannot be read: its header is damaged." + uncounted, "有 1 页的页头损坏，" + uncountedZH},
		{health.Quarantine{Pages: 2, Headers: 2}, "2 pages cannot be read: their headers are damaged." + uncounted, "有 2 页的页头损坏，" + uncountedZH},
		{health.Quarantine{Pages: 1, Parts: 1}, "1 part of a segment is damaged.", "有 1 个段文件损坏。"},
		{health.Quarantine{Pages: 1, Parts: 2}, "2 parts of segments are damaged.", "有 2 个段文件损坏。"},
		{
			health.Quarantine{Pages: 4, Envelopes: 5, Holding: 1, Headers: 1, Parts: 2},
			"5 envelopes of 1 page could not be read yet. 1 page cannot be read: its header is damaged." + uncounted + " 2 parts of segments are damaged.",
			"1 页中有 5 条消息尚不能解密。有 1 页的页头损坏，" + uncountedZH + "有 2 个段文件损坏。",
		},
		{health.Quarantine{Pages: 1}, "1 page is not read in full.", "有 1 页未能完整解析。"},
	} {
		test.q.Newest = now
		var got health.Alarm
		for _, a := range health.Judge(now, health.Facts{Quarantine: test.q}) {
			if a.Code == health.AlarmQuarantine {
				got = a
			}
		}
		if got.Message != test.en || got.MessageZH != test.zh || got.Remedy == "" || got.RemedyZH == "" {
			t.Errorf("%+v:\n%s\n%s\nwant\n%s\n%s", test.q, got.Message, got.MessageZH, test.en, test.zh)
		}
	}
}

// TestCountsFit: each alarm about one thing speaks of one, and about more of more.
func TestCountsFit(t *testing.T) {
	now := time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)
	for n, want := range map[int][]string{
		1: {"1 recorded gap:", "1 delete marker or later version lies over", "1 event could", "1 file of messages is lost: WeCom no longer had it,", "1 file of messages could"},
		2: {"2 recorded gaps:", "2 delete markers or later versions lie over", "2 events could", "2 files of messages are lost: WeCom no longer had them,", "2 files of messages could"},
	} {
		f := health.Facts{Gaps: make([]archive.Gap, n), Incidents: make([]archive.Incident, n)}
		f.State.Unreadable = catalog.Unreadable{Count: n, Key: "events/x"}
		f.Media.Lost, f.Media.Failed = n, n
		var said strings.Builder
		for _, a := range health.Judge(now, f) {
			said.WriteString(a.Message + "\n")
		}
		for _, text := range want {
			if !strings.Contains(said.String(), text) {
				t.Errorf("%q is not in\n%s", text, said.String())
			}
		}
	}
}
