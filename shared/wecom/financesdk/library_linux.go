//go:build linux && (amd64 || arm64)

package financesdk

import (
	"bytes"
	"debug/elf"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"time"
	"unsafe"

	"github.com/ebitengine/purego"

	"wecom-archive/shared/wecom"
)

// Library is WeCom's library in the calling process, which it may abort at any
// call: see Pool. DecryptData may be called from several threads at a time; of
// handles, use one for each thread (wecom-facts §1.2).
type Library struct {
	path string
	newSDK, initSDK, getChatData, decryptData, getMediaData, destroySDK,
	newSlice, freeSlice, getContentFromSlice, getSliceLen,
	newMediaData, freeMediaData, getOutIndexBuf, getData, getIndexLen, getDataLen, isMediaDataFinish uintptr
}

// Load loads the library at path and binds all its functions. Shared libraries
// that it needs are taken from its own folder, where there is one of that name.
// The error is a *LoadError. A library is never unloaded: its threads and
// thread-local data would not survive that.
func Load(path string) (*Library, error) {
	l := &Library{path: path}
	if err := l.load(); err != nil {
		return nil, &LoadError{Path: path, Reason: err.Error()}
	}
	return l, nil
}

func (l *Library) load() error {
	path, err := filepath.Abs(l.path)
	if err != nil {
		return err
	}
	if err := loadNeeded(path); err != nil {
		return err
	}
	handle, err := purego.Dlopen(path, purego.RTLD_NOW|purego.RTLD_LOCAL)
	if err != nil {
		return err
	}
	// In the order of Symbols.
	for i, at := range []*uintptr{
		&l.newSDK, &l.initSDK, &l.getChatData, &l.decryptData, &l.getMediaData, &l.destroySDK,
		&l.newSlice, &l.freeSlice, &l.getContentFromSlice, &l.getSliceLen,
		&l.newMediaData, &l.freeMediaData, &l.getOutIndexBuf, &l.getData, &l.getIndexLen, &l.getDataLen, &l.isMediaDataFinish,
	} {
		if *at, err = purego.Dlsym(handle, Symbols()[i]); err != nil {
			return err
		}
	}
	return nil
}

// loadNeeded loads what stands beside the library and is needed by it. The
// loader then takes that: it compares names, not paths. LD_LIBRARY_PATH would do
// the same, but children have no environment.
func loadNeeded(path string) error {
	file, err := elf.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	needed, err := file.ImportedLibraries()
	if err != nil {
		return err
	}
	for _, name := range needed {
		beside := filepath.Join(filepath.Dir(path), filepath.Base(name))
		if _, err := os.Stat(beside); err != nil {
			continue
		}
		if _, err := purego.Dlopen(beside, purego.RTLD_NOW|purego.RTLD_GLOBAL); err != nil {
			return fmt.Errorf("loading %s, which it needs: %w", beside, err)
		}
	}
	return nil
}

// int32Of is the value of a C function that returns an int.
func int32Of(r uintptr) int32 { return int32(uint32(r)) }

func (l *Library) call(fn uintptr, args ...uintptr) uintptr {
	r, _, _ := purego.SyscallN(fn, args...)
	return r
}

// memory is what the library says stands at an address. It dies with its slice.
func memory(address uintptr, size int32) ([]byte, error) {
	switch {
	case size < 0 || size > 0 && address == 0:
		return nil, fmt.Errorf("%d bytes at address %#x: %w", size, address, ErrReply)
	case size == 0:
		return nil, nil
	}
	// Not the library's address as an unsafe.Pointer: vet takes that for an
	// address of Go's, which might move. C's do not.
	return unsafe.Slice(*(**byte)(unsafe.Pointer(&address)), size), nil
}

// withSlice has fill fill a slice, and use see its content if the code is 0.
func (l *Library) withSlice(fill func(slice uintptr) int32, use func(content []byte) error) (code int32, err error) {
	slice := l.call(l.newSlice)
	if slice == 0 {
		return 0, fmt.Errorf("NewSlice: out of memory: %w", ErrReply)
	}
	defer l.call(l.freeSlice, slice)
	if code := fill(slice); code != 0 {
		return code, nil
	}
	content, err := memory(l.call(l.getContentFromSlice, slice), int32Of(l.call(l.getSliceLen, slice)))
	if err != nil {
		return 0, err
	}
	return 0, use(content)
}

// decrypt has use see the plaintext, which does not outlive use.
func (l *Library) decrypt(key, message cstring, use func(content []byte) error) (code int32, err error) {
	return l.withSlice(func(slice uintptr) int32 {
		return int32Of(l.call(l.decryptData, uintptr(unsafe.Pointer(&key[0])), uintptr(unsafe.Pointer(&message[0])), slice))
	}, use)
}

// DecryptData decrypts one message. The error is a *wecom.Error if the library
// refused; some inputs abort the process.
func (l *Library) DecryptData(s wecom.Sealed) (raw []byte, err error) {
	if err := noNUL(s.Key, s.Message); err != nil {
		return nil, err
	}
	code, err := l.decrypt(newCString(s.Key), newCString(s.Message), func(content []byte) error {
		raw = append([]byte{}, content...)
		return nil
	})
	if code != 0 {
		return nil, wecom.NewSDKError("DecryptData", int(code))
	}
	return raw, err
}

// Handle is one handle of the library, for one thread at a time.
type Handle struct {
	l               *Library
	sdk             uintptr
	proxy, password cstring
	timeout         int32 // s
}

// NewHandle makes a handle with NewSdk and Init. Init opens no connection: wrong
// credentials show at the first call. The proxy may be empty, or as
// http://host:port or socks5://host:port; its password is as user:password. The
// timeout of network calls is rounded up to whole seconds.
func (l *Library) NewHandle(corp, secret, proxy, password string, timeout time.Duration) (*Handle, error) {
	if err := noNUL(corp, secret, proxy, password); err != nil {
		return nil, err
	}
	h := &Handle{l: l, sdk: l.call(l.newSDK), proxy: newCString(proxy), password: newCString(password), timeout: seconds(timeout)}
	if h.sdk == 0 {
		return nil, fmt.Errorf("NewSdk: out of memory: %w", ErrReply)
	}
	id, key := newCString(corp), newCString(secret)
	code := int32Of(l.call(l.initSDK, h.sdk, uintptr(unsafe.Pointer(&id[0])), uintptr(unsafe.Pointer(&key[0]))))
	if code != 0 {
		h.Destroy()
		return nil, wecom.NewSDKError("Init", int(code))
	}
	return h, nil
}

// Destroy frees the handle, once; it must not be used afterwards.
func (h *Handle) Destroy() {
	if h.sdk != 0 {
		h.l.call(h.l.destroySDK, h.sdk)
		h.sdk = 0
	}
}

func (h *Handle) chats(seq uint64, limit uint32, use func(content []byte) error) (code int32, err error) {
	return h.l.withSlice(func(slice uintptr) int32 {
		return int32Of(h.l.call(h.l.getChatData, h.sdk, uintptr(seq), uintptr(limit),
			uintptr(unsafe.Pointer(&h.proxy[0])), uintptr(unsafe.Pointer(&h.password[0])), uintptr(h.timeout), slice))
	}, use)
}

// GetChatData returns the reply to "at most limit messages after seq".
func (h *Handle) GetChatData(seq uint64, limit int) (reply []byte, err error) {
	code, err := h.chats(seq, limitOf(limit), func(content []byte) error {
		reply = append([]byte{}, content...)
		return nil
	})
	if code != 0 {
		return nil, wecom.NewSDKError("GetChatData", int(code))
	}
	return reply, err
}

// media has use see a slice of a file, whose bytes do not outlive use.
func (h *Handle) media(index, fileID cstring, use func(data, next []byte, last bool) error) (code int32, err error) {
	l := h.l
	media := l.call(l.newMediaData)
	if media == 0 {
		return 0, fmt.Errorf("NewMediaData: out of memory: %w", ErrReply)
	}
	defer l.call(l.freeMediaData, media)
	code = int32Of(l.call(l.getMediaData, h.sdk, uintptr(unsafe.Pointer(&index[0])), uintptr(unsafe.Pointer(&fileID[0])),
		uintptr(unsafe.Pointer(&h.proxy[0])), uintptr(unsafe.Pointer(&h.password[0])), uintptr(h.timeout), media))
	if code != 0 {
		return code, nil
	}
	data, err := memory(l.call(l.getData, media), int32Of(l.call(l.getDataLen, media)))
	if err != nil {
		return 0, err
	}
	next, err := memory(l.call(l.getOutIndexBuf, media), int32Of(l.call(l.getIndexLen, media)))
	if err != nil {
		return 0, err
	}
	return 0, use(data, next, int32Of(l.call(l.isMediaDataFinish, media)) != 0)
}

// GetMediaData fetches one slice of a file: see Pool.GetMediaData.
func (h *Handle) GetMediaData(fileID, index string) (s wecom.MediaSlice, err error) {
	if err := noNUL(fileID, index); err != nil {
		return s, err
	}
	code, err := h.media(newCString(index), newCString(fileID), func(data, next []byte, last bool) error {
		s = wecom.MediaSlice{Data: append([]byte{}, data...), Next: string(trimNUL(next)), Last: last}
		return nil
	})
	if code != 0 {
		return s, wecom.NewSDKError("GetMediaData", int(code))
	}
	return s, err
}

// trimNUL: whether GetIndexLen counts a closing NUL byte is not documented.
func trimNUL(b []byte) []byte { return bytes.TrimRight(b, "\x00") }

// limitOf keeps a limit that is no unsigned int refused by the library, and not
// turned into one that it accepts.
func limitOf(limit int) uint32 {
	if limit < 0 || limit > math.MaxInt32 {
		return math.MaxInt32
	}
	return uint32(limit)
}
