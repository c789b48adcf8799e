package financesdk

import (
	"context"
	"errors"
	"fmt"

	"wecom-archive/shared/wecom"
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

// DecryptData decrypts a batch: one result for each item, in order. The error is
// about the library; what is wrong with an item is in its result: a *wecom.Error
// if the library refused it, ErrNUL, or wecom.ErrLibraryCrash if it ended the
// library's process, or would not end. A batch that does so is halved until the
// message to blame is alone; its neighbours are decrypted.
func (p *Pool) DecryptData(ctx context.Context, batch []wecom.Sealed) ([]wecom.Opened, error) {
	opened := make([]wecom.Opened, len(batch))
	s, err := p.borrow(ctx)
	if err != nil {
		return nil, fmt.Errorf("DecryptData: %w", err)
	}
	defer func() { p.free <- s }()
	for start := 0; start < len(batch); {
		if err := noNUL(batch[start].Key, batch[start].Message); err != nil {
			opened[start].Err = err
			start++
			continue
		}
		end := requestEnd(batch, start)
		if err := s.decrypt(ctx, batch[start:end], opened[start:end], 0); err != nil {
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
		if i > 0 && (size > maxBatchBytes || i == maxBatch || noNUL(s.Key, s.Message) != nil) {
			return start + i
		}
	}
	return len(batch)
}

// decrypt decrypts a batch that may kill. struck is how many processes it has
// ended already, which counts if it is one message.
func (s *slot) decrypt(ctx context.Context, batch []wecom.Sealed, opened []wecom.Opened, struck int) error {
	done, err := s.decryptOnce(ctx, batch, opened)
	var death *Death
	if !errors.As(err, &death) || !death.Blames() || death.Op != opDecrypt {
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
		return s.decrypt(ctx, batch, opened, struck+1)
	case n == 1:
		return s.decrypt(ctx, batch, opened, 0)
	default:
		if err := s.decrypt(ctx, batch[:n/2], opened[:n/2], 0); err != nil {
			return err
		}
		return s.decrypt(ctx, batch[n/2:], opened[n/2:], 0)
	}
}

const opDecrypt = "DecryptData"

// decryptOnce sends a batch to the child and says how many results came.
func (s *slot) decryptOnce(ctx context.Context, batch []wecom.Sealed, opened []wecom.Opened) (done int, err error) {
	c, err := s.ready(ctx, false) // no rest: the halving bounds the starts
	if err != nil {
		return 0, fmt.Errorf("%s: %w", opDecrypt, err)
	}
	frame, err := c.frame.decrypt(batch)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", opDecrypt, err)
	}
	err = c.call(ctx, opDecrypt, s.config.DecryptTimeout, frame, func() error {
		for done < len(batch) {
			body, err := c.next(kindResult)
			if err != nil {
				return err
			}
			code, content, err := result(body)
			if err != nil {
				return err
			}
			opened[done] = wecom.Opened{Raw: content}
			if code != 0 {
				opened[done] = wecom.Opened{Err: wecom.NewSDKError(opDecrypt, int(code))}
			}
			done++
		}
		return nil
	})
	s.done(err)
	return done, err
}
