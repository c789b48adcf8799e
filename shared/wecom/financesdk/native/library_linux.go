//go:build linux && (amd64 || arm64)

package native

import (
	"debug/elf"
	"fmt"
	"os"
	"path/filepath"
	"unsafe"

	"github.com/ebitengine/purego"
)

// Library is WeCom's library in the calling process, which it may abort at any call:
// see Pool.
type Library struct {
	handle                                                uintptr
	newSlice, freeSlice, getContentFromSlice, getSliceLen uintptr
}

// Load loads the library at path and binds what every use of it needs. Shared
// libraries that it needs are taken from its own folder, where there is one of that
// name. A library is never unloaded: its threads and thread-local data would not
// survive that.
func Load(path string) (*Library, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	if err := loadNeeded(path); err != nil {
		return nil, err
	}
	l := &Library{}
	if l.handle, err = purego.Dlopen(path, purego.RTLD_NOW|purego.RTLD_LOCAL); err != nil {
		return nil, err
	}
	return l, l.Bind(Symbols(), &l.newSlice, &l.freeSlice, &l.getContentFromSlice, &l.getSliceLen)
}

// Bind sets addresses to those of the functions.
func (l *Library) Bind(symbols []string, addresses ...*uintptr) (err error) {
	for i, at := range addresses {
		if *at, err = purego.Dlsym(l.handle, symbols[i]); err != nil {
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

// Int32 is the value of a C function that returns an int.
func Int32(r uintptr) int32 { return int32(uint32(r)) }

// Invoke calls a function of the library. What arguments point to stays where it is.
//
//go:uintptrescapes
func Invoke(fn uintptr, args ...uintptr) uintptr {
	r, _, _ := purego.SyscallN(fn, args...)
	return r
}

// Memory is what the library says stands at an address. It dies with its slice.
func Memory(address uintptr, size int32) ([]byte, error) {
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

// Slice has fill fill a slice, and use see its content if the code is 0.
func (l *Library) Slice(fill func(slice uintptr) int32, use func(content []byte) error) (code int32, err error) {
	slice := Invoke(l.newSlice)
	if slice == 0 {
		return 0, fmt.Errorf("NewSlice: out of memory: %w", ErrReply)
	}
	defer Invoke(l.freeSlice, slice)
	if code := fill(slice); code != 0 {
		return code, nil
	}
	content, err := Memory(Invoke(l.getContentFromSlice, slice), Int32(Invoke(l.getSliceLen, slice)))
	if err != nil {
		return 0, err
	}
	return 0, use(content)
}
