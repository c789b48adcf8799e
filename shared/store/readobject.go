package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
)

// ReadObject reads a whole object. What the store finds damaged is read once more,
// since it may have been altered on the way.
func ReadObject(ctx context.Context, objects ObjectReader, key string) ([]byte, error) {
	body, err := readOnce(ctx, objects, key)
	if errors.Is(err, ErrDamaged) {
		body, err = readOnce(ctx, objects, key)
	}
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", key, err)
	}
	return body, nil
}

func readOnce(ctx context.Context, objects ObjectReader, key string) ([]byte, error) {
	body, info, err := objects.Get(ctx, key)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	buf := bytes.NewBuffer(make([]byte, 0, info.Size+bytes.MinRead))
	if _, err := io.Copy(buf, body); err != nil {
		return nil, err
	}
	return buf.Bytes(), nil
}
