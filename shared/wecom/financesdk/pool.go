package financesdk

import (
	"context"
	"fmt"
	"math"
	"time"

	"wecom-archive/shared/wecom"
	"wecom-archive/shared/wecom/financesdk/native"
)

// Kinds of frames.
//
//	chats   seq u64, limit u32   → result
//	media   index, sdkfileid     → slice
//	slice   code i32, last u8, next index as string, content to the end of the frame
const (
	kindChats native.Kind = native.KindOwn + iota
	kindMedia
	kindMediaSlice
)

// Pool fetches with WeCom's library, in child processes that have one handle each. It
// is safe for concurrent use; as many calls are at work at a time as it has children,
// the others wait.
type Pool struct {
	processes *native.Pool
	timeout   time.Duration // of the network
}

// Open starts the first child, so that a library that cannot be used shows here:
// then the error is a *native.LoadError. The other children start when they are
// needed.
//
// The program's main must call RunHost. Open makes the memory of the calling
// process unreadable for other processes of its user, for good.
func Open(ctx context.Context, c Config) (*Pool, error) {
	if err := c.setDefaults(); err != nil {
		return nil, err
	}
	processes, err := native.Open(ctx, c.processes())
	if err != nil {
		return nil, err
	}
	return &Pool{processes, c.NetworkTimeout}, nil
}

// Close ends the children after the calls that are at work. Later calls fail with
// native.ErrClosed.
func (p *Pool) Close() error { return p.processes.Close() }

// GetChatData returns the reply to "at most limit messages after seq", as it came.
// The error is a *wecom.Error if the library refused, or a *native.Death; a refusal
// by WeCom is in the reply, as errcode, for the caller to find.
func (p *Pool) GetChatData(ctx context.Context, seq uint64, limit int) (reply []byte, err error) {
	const op = "GetChatData"
	if limit < 0 || limit > math.MaxInt32 {
		return nil, wecom.NewSDKError(op, 10000)
	}
	err = p.fetch(ctx, native.Call{
		Op: op, Kind: kindChats,
		Ask: func(w *native.Writer) {
			w.U64(seq)
			w.U32(uint32(limit))
		},
		Read: func(next func(native.Kind) (*native.Fields, error)) error {
			f, err := next(native.KindResult)
			if err != nil {
				return err
			}
			code, content, err := f.Result()
			if err == nil && code != 0 {
				return wecom.NewSDKError(op, int(code))
			}
			reply = content
			return err
		},
	})
	return reply, err
}

// GetMediaData fetches a part of a file. The first index is empty, those that
// follow are the Next of the part before. Parts of a file are fetched one after
// the other; one that failed can be fetched again. The error is a *wecom.Error if
// the library refused (10003: try again; 10010: the file is gone), or a
// *native.Death.
func (p *Pool) GetMediaData(ctx context.Context, fileID, index string) (s wecom.MediaSlice, err error) {
	const op = "GetMediaData"
	if err := native.NoNUL(fileID, index); err != nil {
		return s, fmt.Errorf("%s: %w", op, err)
	}
	err = p.fetch(ctx, native.Call{
		Op: op, Kind: kindMedia,
		Ask: func(w *native.Writer) {
			w.Str(index)
			w.Str(fileID)
		},
		Read: func(next func(native.Kind) (*native.Fields, error)) error {
			f, err := next(kindMediaSlice)
			if err != nil {
				return err
			}
			code, got, err := mediaSlice(f)
			if err == nil && code != 0 {
				return wecom.NewSDKError(op, int(code))
			}
			s = got
			return err
		},
	})
	return s, err
}

// mediaSlice reads a slice. Data stays in the frame.
func mediaSlice(f *native.Fields) (code int32, s wecom.MediaSlice, err error) {
	code = int32(f.U32())
	s.Last = f.U8() != 0
	s.Next = f.CStr().String()
	if f.Bad() {
		return 0, wecom.MediaSlice{}, fmt.Errorf("media: %w", native.ErrReply)
	}
	s.Data = f.Rest()
	return code, s, nil
}

// fetch makes a call that goes over the network.
func (p *Pool) fetch(ctx context.Context, call native.Call) error {
	s, err := p.processes.Borrow(ctx)
	if err != nil {
		return fmt.Errorf("%s: %w", call.Op, err)
	}
	defer s.Return()
	call.Rest, call.Timeout = true, networkDeadline(p.timeout)
	return s.Call(ctx, call)
}

// networkDeadline is when a call is taken to hang. The library's timeout is for
// one connection; it may need a second one, for its access token.
func networkDeadline(timeout time.Duration) time.Duration { return 2*timeout + 10*time.Second }
