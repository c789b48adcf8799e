//go:build linux && (amd64 || arm64)

package decrypt

import (
	"errors"
	"fmt"
	"unsafe"

	"wecom-archive/shared/wecom"
	"wecom-archive/shared/wecom/financesdk/native"
)

// RunHost runs the calling process as a child of a Pool, if args (os.Args) say so.
// A program that opens a Pool calls it first thing in main, and tests in TestMain.
func RunHost(args []string) (status int, host bool) {
	return native.Host{Mode: mode, Serve: serve}.Run(args)
}

// Library is WeCom's library in the calling process, which it may abort at any call:
// see Pool. For tests and tools only. It may be called from several threads at a
// time.
type Library struct {
	lib         *native.Library
	decryptData uintptr
}

// Load loads the library at path and binds what decrypting needs: see native.Load.
func Load(path string) (*Library, error) {
	lib, err := native.Load(path)
	if err != nil {
		return nil, &native.LoadError{Path: path, Reason: err.Error()}
	}
	l, err := bind(lib)
	if err != nil {
		return nil, &native.LoadError{Path: path, Reason: err.Error()}
	}
	return l, nil
}

func bind(lib *native.Library) (*Library, error) {
	l := &Library{lib: lib}
	return l, lib.Bind(ownSymbols(), &l.decryptData)
}

// decrypt has use see the plaintext, which does not outlive use.
func (l *Library) decrypt(key, message native.CString, use func(content []byte) error) (code int32, err error) {
	return l.lib.Slice(func(slice uintptr) int32 {
		return native.Int32(native.Invoke(l.decryptData, uintptr(unsafe.Pointer(&key[0])), uintptr(unsafe.Pointer(&message[0])), slice))
	}, use)
}

// DecryptData decrypts one message. The error is a *wecom.Error if the library
// refused; some inputs abort the process.
func (l *Library) DecryptData(s wecom.Sealed) (raw []byte, err error) {
	if err := native.NoNUL(s.Key, s.Message); err != nil {
		return nil, err
	}
	code, err := l.decrypt(native.NewCString(s.Key), native.NewCString(s.Message), func(content []byte) error {
		raw = append([]byte{}, content...)
		return nil
	})
	if code != 0 {
		return nil, wecom.NewSDKError(op, int(code))
	}
	return raw, err
}

// serve shows with a harmless call that the library works at all: without that, one
// that dies of everything would have each message blamed.
func serve(lib *native.Library, _ *native.Fields) (native.Handler, error) {
	l, err := bind(lib)
	if err != nil {
		return nil, err
	}
	_, err = l.decrypt(native.NewCString(harmlessKey), native.NewCString(harmlessMessage), func([]byte) error { return nil })
	return handler{l}, err
}

type handler struct{ *Library }

// The vendor's library answers 10008 to these.
const (
	harmlessKey     = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	harmlessMessage = "AAAAAAAAAAAAAAAAAAAAAA=="
)

// Close has nothing to end.
func (handler) Close() {}

// Answer decrypts a batch.
func (h handler) Answer(k native.Kind, f *native.Fields, to *native.Answers) error {
	if k != kindDecrypt {
		return fmt.Errorf("request of kind %d", k)
	}
	for n := f.U32(); n > 0; n-- {
		key, message := f.CStr(), f.CStr()
		if f.Bad() {
			return errors.New("cannot read a batch")
		}
		if err := to.Refusal(h.decrypt(key, message, to.Content)); err != nil {
			return err
		}
	}
	return nil
}
