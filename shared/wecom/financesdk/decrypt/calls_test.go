//go:build sdk

package decrypt_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"wecom-archive/shared/wecom/financesdk/decrypt"
	"wecom-archive/shared/wecom/financesdk/nativetest"
)

// TestConcurrent calls from many goroutines, with crashes among them.
func TestConcurrent(t *testing.T) {
	p, _ := open(t, decrypt.Config{Path: standin(t), Children: 3})
	var group sync.WaitGroup
	for g := range 12 {
		group.Go(func() {
			for i := range 10 {
				batch := echoes(20)
				if (g+i)%6 == 0 {
					batch[g] = order("abort")
				}
				opened, err := p.DecryptData(context.Background(), batch)
				if err != nil {
					t.Error(err)
					return
				}
				for k, o := range opened {
					if batch[k].Message != "!abort" && string(o.Raw) != fmt.Sprint(k) {
						t.Errorf("%d: %q, %v", k, o.Raw, o.Err)
					}
				}
			}
		})
	}
	group.Wait()
	if n := len(nativetest.Children(t)); n > 3 {
		t.Errorf("%d children", n)
	}
}

// TestMemory makes 100,000 DecryptData calls.
func TestMemory(t *testing.T) {
	p, log := open(t, decrypt.Config{Path: standin(t)})
	batch := echoes(500)
	for i := range batch {
		batch[i].Message += strings.Repeat("x", 600)
	}
	nativetest.MemoryIsFlat(t, log, 20_000/len(batch), 100_000/len(batch), func() error {
		_, err := p.DecryptData(context.Background(), batch)
		return err
	})
}
