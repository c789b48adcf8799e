package chat

// Kinds of chats, as Reading.ChatKind has them.
const (
	InternalChat     = "internal"      // colleagues only
	ExternalChat     = "external"      // at least one outside party
	UpdownStreamChat = "updown_stream" // with an upstream or downstream company
)
