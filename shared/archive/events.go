package archive

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
)

// EventFormat is the version of the objects below events/. A reader refuses a
// greater one.
const EventFormat = 1

// Kinds of events.
const (
	EventRun     = "run"         // Run
	EventGap     = "gap"         // Gap
	EventBinding = "key_binding" // KeyBinding
)

// Event is a fact that stands nowhere else: an object events/dt=<day>/<name>.json.
// Events are superseded by later ones, never edited.
type Event struct {
	Format int             `json:"format"` // EventFormat
	Kind   string          `json:"kind"`
	Corp   string          `json:"corp"`
	At     time.Time       `json:"at"`
	Body   json.RawMessage `json:"body"`
}

// Run is the record of one run of a stage.
type Run struct {
	ID           string    `json:"id"`
	Stage        string    `json:"stage"`
	StartedAt    time.Time `json:"started_at"`
	EndedAt      time.Time `json:"ended_at"`
	SeqFrom      uint64    `json:"seq_from"` // the cursor before
	SeqTo        uint64    `json:"seq_to"`   // and after
	Calls        int       `json:"calls"`    // of GetChatData
	Pages        int       `json:"pages"`    // stored by this run
	Adopted      int       `json:"adopted"`  // found stored by an earlier or another run
	Envelopes    int       `json:"envelopes"`
	Rejects      int       `json:"rejects"`
	Requeued     int       `json:"requeued"`                // pages queued again for the archiver
	EndReachedAt time.Time `json:"end_reached_at,omitzero"` // when WeCom was asked for more and had none
	Stopped      string    `json:"stopped"`                 // why it ended: end, deadline, lease, error
	Error        string    `json:"error,omitempty"`
	Remedy       string    `json:"remedy,omitempty"`
	Gap          bool      `json:"gap"`
}

// Gap is the record that WeCom may have dropped messages before anyone asked for
// them.
type Gap struct {
	Since  time.Time `json:"since"`   // last time that the end of the stream was reached
	Until  time.Time `json:"until"`   // five days before the record: later messages were still there
	Seq    uint64    `json:"seq"`     // the cursor at that time
	Run    string    `json:"run"`     // that noticed it
	SeenAt time.Time `json:"seen_at"` //
}

// KeyBinding is the record that a publickey_ver belongs to one of our keys:
// DecryptData opened a message with it.
type KeyBinding struct {
	PublicKeyVer int64  `json:"publickey_ver"`
	Key          string `json:"key"`   // KeyRecord.ID
	MsgID        string `json:"msgid"` // of the message that proved it
}

// RunKey, GapKey and BindingKey name the objects of events. The same fact gets
// the same name on the same day, so a repeated write changes nothing.
func RunKey(r Run) string {
	return eventKey(r.StartedAt, fmt.Sprintf("run-%013d-%s", r.StartedAt.UnixMilli(), r.ID))
}

// GapKey: see RunKey. While a gap lasts, each run records how far it has grown.
func GapKey(g Gap) string {
	return eventKey(g.SeenAt, fmt.Sprintf("gap-%013d-%013d", g.Since.UnixMilli(), g.SeenAt.UnixMilli()))
}

// BindingKey: see RunKey.
func BindingKey(b KeyBinding, at time.Time) string {
	return eventKey(at, fmt.Sprintf("binding-%010d-%s", b.PublicKeyVer, b.Key))
}

func eventKey(at time.Time, name string) string {
	return EventsPrefix + "dt=" + Day(at) + "/" + name + ".json"
}

// PutEvent stores an event. That it is already there is no error.
func PutEvent(ctx context.Context, objects Objects, key, kind, corp string, at time.Time, body any) error {
	raw, err := json.Marshal(body)
	if err != nil {
		return fmt.Errorf("encoding event %s: %w", key, err)
	}
	doc, err := json.Marshal(Event{Format: EventFormat, Kind: kind, Corp: corp, At: at.UTC(), Body: raw})
	if err != nil {
		return fmt.Errorf("encoding event %s: %w", key, err)
	}
	if err := objects.PutIfAbsent(ctx, key, bytes.NewReader(doc)); err != nil && !errors.Is(err, ErrExists) {
		return fmt.Errorf("storing event %s: %w", key, err)
	}
	return nil
}

// GetEvent reads an event and, if body is not nil, decodes its body.
func GetEvent(ctx context.Context, objects ObjectReader, key string, body any) (Event, error) {
	var e Event
	doc, err := ReadObject(ctx, objects, key)
	if err != nil {
		return e, err
	}
	if err := decodeJSON(doc, EventFormat, &e); err != nil {
		return Event{}, fmt.Errorf("event %s: %w", key, err)
	}
	if body != nil {
		if err := json.Unmarshal(e.Body, body); err != nil {
			return e, fmt.Errorf("event %s: body: %w: %w", key, ErrDamaged, err)
		}
	}
	return e, nil
}

// ReadObject reads a whole object.
func ReadObject(ctx context.Context, objects ObjectReader, key string) ([]byte, error) {
	body, info, err := objects.Get(ctx, key)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", key, err)
	}
	defer body.Close()
	buf := bytes.NewBuffer(make([]byte, 0, info.Size+bytes.MinRead))
	if _, err := io.Copy(buf, body); err != nil {
		return nil, fmt.Errorf("reading %s: %w", key, err)
	}
	return buf.Bytes(), nil
}
