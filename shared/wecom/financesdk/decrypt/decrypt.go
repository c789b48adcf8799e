package decrypt

import (
	"context"
	"errors"
	"fmt"
	"time"

	"wecom-archive/shared/wecom"
	"wecom-archive/shared/wecom/financesdk/native"
)

const (
	// strikes is how many processes in a row a message must end, alone, before it
	// is blamed. The second one has seen nothing else, so no earlier message can
	// have harmed it.
	strikes = 2

	// A request holds at most so many messages and about so many bytes.
	maxBatch      = 1000
	maxBatchBytes = 16 << 20
)

// kindDecrypt is a frame: count u32, then key and message of each. A result follows
// for each, in order.
const kindDecrypt = native.KindOwn

const op = "DecryptData"

// DecryptData decrypts a batch: one result for each item, in order. The error is
// about the library; what is wrong with an item is in its result: a *wecom.Error
// if the library refused it, native.ErrNUL, or wecom.ErrLibraryCrash if it ended the
// library's process, or would not end. A batch that does so is halved until the
// message to blame is alone; its neighbours are decrypted.
func (p *Pool) DecryptData(ctx context.Context, batch []wecom.Sealed) ([]wecom.Opened, error) {
	opened := make([]wecom.Opened, len(batch))
	s, err := p.processes.Borrow(ctx)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", op, err)
	}
	defer s.Return()
	b := borrowed{s, p.timeout}
	for start := 0; start < len(batch); {
		if err := native.NoNUL(batch[start].Key, batch[start].Message); err != nil {
			opened[start].Err = err
			start++
			continue
		}
		end := requestEnd(batch, start)
		if err := b.decrypt(ctx, batch[start:end], opened[start:end], 0); err != nil {
			return nil, err
		}
		start = end
	}
	return opened, nil
}

// requestEnd is the end of what goes into one request with the message at start.
func requestEnd(batch []wecom.Sealed, start int) int {
	size := 0
	for i, s := range batch[start:] {
		size += len(s.Key) + len(s.Message)
		if i > 0 && (size > maxBatchBytes || i == maxBatch || native.NoNUL(s.Key, s.Message) != nil) {
			return start + i
		}
	}
	return len(batch)
}

// borrowed is the place of a child that a batch is decrypted in.
type borrowed struct {
	*native.Slot
	timeout time.Duration
}

// decrypt decrypts a batch that may kill. struck is how many processes it has
// ended already, which counts if it is one message.
func (b borrowed) decrypt(ctx context.Context, batch []wecom.Sealed, opened []wecom.Opened, struck int) error {
	done, err := b.decryptOnce(ctx, batch, opened)
	var death *native.Death
	if !errors.As(err, &death) || !death.Blames() || death.Op != op {
		return err
	}
	alone := len(batch) == 1
	batch, opened = batch[done:], opened[done:]
	switch n := len(batch); {
	case n == 0: // it died when all was said
		return nil
	case n == 1 && alone:
		if struck+1 >= strikes {
			opened[0] = wecom.Opened{Err: fmt.Errorf("%w: %w", wecom.ErrLibraryCrash, death)}
			return nil
		}
		return b.decrypt(ctx, batch, opened, struck+1)
	case n == 1:
		return b.decrypt(ctx, batch, opened, 0)
	default:
		if err := b.decrypt(ctx, batch[:n/2], opened[:n/2], 0); err != nil {
			return err
		}
		return b.decrypt(ctx, batch[n/2:], opened[n/2:], 0)
	}
}

// decryptOnce sends a batch to the child and says how many results came.
func (b borrowed) decryptOnce(ctx context.Context, batch []wecom.Sealed, opened []wecom.Opened) (done int, err error) {
	err = b.Call(ctx, native.Call{
		Op: op, Kind: kindDecrypt, Timeout: b.timeout, // no rest: the halving bounds the starts
		Ask: func(w *native.Writer) { writeBatch(w, batch) },
		Read: func(next func(native.Kind) (*native.Fields, error)) error {
			for done < len(batch) {
				f, err := next(native.KindResult)
				if err != nil {
					return err
				}
				code, content, err := f.Result()
				if err != nil {
					return err
				}
				opened[done] = wecom.Opened{Raw: content}
				if code != 0 {
					opened[done] = wecom.Opened{Err: wecom.NewSDKError(op, int(code))}
				}
				done++
			}
			return nil
		},
	})
	return done, err
}

func writeBatch(w *native.Writer, batch []wecom.Sealed) {
	w.U32(uint32(len(batch)))
	for _, s := range batch {
		w.Str(s.Key)
		w.Str(s.Message)
	}
}
