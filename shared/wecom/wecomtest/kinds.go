package wecomtest

// kind is one form of message.
type kind struct {
	msgtype string
	share   int // messages in each period of kindPeriod
	where   setting
	payload func(d *draft)
}

// kindPeriod: any so many neighbouring messages hold every kind, each as often as
// its share says.
const kindPeriod = 2000

const kindText = 0 // fills the period up

// kinds are the forms of docs/wecom.md, "Messages". Where a form was seen in two
// shapes both are here.
var kinds = [...]kind{
	kindText: {"text", 0, anywhere, payloadText},
	{"image", 130, anywhere, simple("image")},
	{"voice", 70, anywhere, simple("voice")},
	{"file", 80, anywhere, simple("file")},
	{"link", 50, anywhere, simple("link")},
	{"emotion", 40, anywhere, simple("emotion")},
	{"video", 30, anywhere, simple("video")},
	{"revoke", 20, anywhere, payloadRevoke},
	{"chatrecord", 20, anywhere, payloadChatrecord(1)},
	{"chatrecord", 3, anywhere, payloadChatrecord(2)},
	{"chatrecord", 2, anywhere, payloadChatrecord(3)},
	{"mixed", 25, anywhere, payloadMixed},
	{"weapp", 15, anywhere, simple("weapp")},
	{"location", 10, anywhere, simple("location")},
	{"card", 6, anywhere, simple("card")},
	{"card", 4, anywhere, payloadCardCapital},
	{"redpacket", 8, anywhere, payloadRedpacket},
	{"external_redpacket", 3, inCustomerRoom, payloadRedpacket},
	{"agree", 5, withCustomer, payloadAgree("agree")},
	{"disagree", 3, withCustomer, payloadAgree("disagree")},
	{"todo", 6, anywhere, payloadTodo},
	{"vote", 2, inRoom, payloadVote("")},
	{"vote", 2, inRoom, payloadVote("vote")},
	{"collect", 3, inRoom, payloadCollect},
	{"meeting", 10, inRoom, payloadMeeting},
	{"meeting_notification", 5, inRoom, payloadMeetingNotification},
	{"docmsg", 8, anywhere, payloadDoc},
	{"markdown", 12, fromRobot, payloadMarkdown},
	{"news", 4, fromRobot, payloadNews},
	{"news", 2, fromRobot, payloadNewsFlat},
	{"calendar", 6, anywhere, payloadCalendar},
	{"meeting_voice_call", 4, withCustomer, payloadCall},
	{"voip_doc_share", 3, withCustomer, payloadVoipDoc},
	{"sphfeed", 4, anywhere, payloadSphfeed},
	{"voiptext", 8, anywhere, payloadVoiptext},
	{"qydiskfile", 4, anywhere, payloadQydisk},
	{"switch", 3, anywhere, nil}, // has neither sender nor payload: see compose
	{"solitaire_v9", 1, inRoom, payloadUnknown},
	{"shop_order", 1, anywhere, payloadUnknownMedia},
}

// newKindTable deals the kinds out over a period.
func newKindTable(seed uint64) [kindPeriod]uint8 {
	var table [kindPeriod]uint8 // all text
	at := 0
	for k, form := range kinds {
		for range form.share {
			table[at] = uint8(k)
			at++
		}
	}
	r := stream(seed, forKinds, 0)
	for i := len(table) - 1; i > 0; i-- {
		j := r.n(i + 1)
		table[i], table[j] = table[j], table[i]
	}
	return table
}

// oddity is something that real streams hold now and then.
type oddity uint8

const (
	ordinary oddity = iota
	notJSON
	invalidUTF8
	controlChars // raw, inside a string
	noTime       // msgtime 0
)

func oddityOf(seed uint64, index int) oddity {
	r := stream(seed, forOddity, uint64(index))
	switch n := r.n(30_000); {
	case n < 6:
		return notJSON
	case n < 26:
		return invalidUTF8
	case n < 46:
		return noTime
	case n < 346:
		return controlChars
	}
	return ordinary
}
