package decrypt_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"wecom-archive/shared/wecom"
	"wecom-archive/shared/wecom/financesdk/decrypt"
	"wecom-archive/shared/wecom/financesdk/native"
	"wecom-archive/shared/wecom/financesdk/nativetest"
)

// dummies are messages that the vendor's library refuses and survives.
func dummies(n int) []wecom.Sealed {
	batch := make([]wecom.Sealed, n)
	for i := range batch {
		batch[i] = wecom.Sealed{Key: strings.Repeat("k", 32), Message: fmt.Sprintf("%064d", i)}
	}
	return batch
}

func isCode(err error, code int) bool {
	var refused *wecom.Error
	return errors.As(err, &refused) && refused.Source == wecom.SourceSDK && refused.Code == code
}

// killer is shorter than the 13 bytes that the vendor's library takes for granted.
var killer = wecom.Sealed{Key: "x", Message: "y"}

// TestVendorShortKey: the message kills the child, and only the child.
func TestVendorShortKey(t *testing.T) {
	p, log := open(t, decrypt.Config{Path: nativetest.VendorLibrary(t)})
	before := nativetest.Child(t)
	opened, err := p.DecryptData(t.Context(), []wecom.Sealed{killer})
	if err != nil {
		t.Fatal(err)
	}
	var death *native.Death
	if !errors.Is(opened[0].Err, wecom.ErrLibraryCrash) || !errors.As(opened[0].Err, &death) || death.Signal != syscall.SIGABRT || death.Op != "DecryptData" {
		t.Errorf("short key: %v", opened[0].Err)
	}
	if log.Deaths() != 2 || !strings.Contains(log.String(), "pid="+strconv.Itoa(before)+" signal=6") {
		t.Errorf("log: %s", log)
	}
	opened, err = p.DecryptData(t.Context(), dummies(3))
	if err != nil || !isCode(opened[2].Err, 10008) {
		t.Errorf("after it: %v, %v", opened, err)
	}
	if now := nativetest.Child(t); now == before {
		t.Error("the child is still the same")
	}
}

// TestVendorPage is a page of messages with some that kill.
func TestVendorPage(t *testing.T) {
	const size = 1000
	pages := map[string][]int{
		"none": {}, "first": {0}, "last": {size - 1}, "inside": {617},
		"neighbours": {500, 501}, "twenty": {3, 40, 99, 100, 101, 250, 251, 300, 350, 400, 480, 499, 500, 620, 700, 777, 850, 900, 990, 999},
	}
	if underRace { // a process takes ten times as long to start, and a second to exit
		pages = map[string][]int{"two": {617, 618}}
	}
	for name, at := range pages {
		t.Run(name, func(t *testing.T) {
			p, log := open(t, decrypt.Config{Path: nativetest.VendorLibrary(t)})
			batch := dummies(size)
			for _, i := range at {
				batch[i] = killer
			}
			opened, err := p.DecryptData(t.Context(), batch)
			if err != nil {
				t.Fatal(err)
			}
			for i, o := range opened {
				if bad := slices.Contains(at, i); bad && !errors.Is(o.Err, wecom.ErrLibraryCrash) || !bad && !isCode(o.Err, 10008) {
					t.Fatalf("message %d: %v", i, o.Err)
				}
			}
			// Each death but the last is followed by a start, and the first start had none.
			starts := log.Deaths() + 1
			t.Logf("%d starts", starts)
			if most := 2*10 + 2; len(at) <= 1 && starts > most {
				t.Errorf("%d starts for one message, at most %d", starts, most)
			}
		})
	}
}

// TestVendorMemory decrypts 100,000 messages and looks at the memory of child and
// parent.
func TestVendorMemory(t *testing.T) {
	p, log := open(t, decrypt.Config{Path: nativetest.VendorLibrary(t)})
	batch := dummies(500)
	nativetest.MemoryIsFlat(t, log, 50_000/len(batch), 100_000/len(batch), func() error {
		_, err := p.DecryptData(context.Background(), batch)
		return err
	})
}
