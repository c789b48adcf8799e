//go:build linux && (amd64 || arm64)

package financesdk

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"unsafe"

	"wecom-archive/shared/wecom"
	"wecom-archive/shared/wecom/financesdk/native"
)

// RunHost runs the calling process as a child of a Pool, if args (os.Args) say so.
// A program that opens a Pool calls it first thing in main, and tests in TestMain:
//
//	if status, host := financesdk.RunHost(os.Args); host {
//		os.Exit(status)
//	}
func RunHost(args []string) (status int, host bool) {
	return native.Host{Mode: mode, Serve: serve}.Run(args)
}

// handle is one handle of the library, for one thread.
type handle struct {
	lib                                                    *native.Library
	newSDK, initSDK, getChatData, getMediaData, destroySDK uintptr

	newMediaData, freeMediaData, getOutIndexBuf, getData, getIndexLen, getDataLen, isMediaDataFinish uintptr

	sdk             uintptr // 0: there is no handle, the library is only tried
	proxy, password native.CString
	timeout         uint32 // s
}

// serve binds the functions, and makes a handle if there is a corp. That opens no
// connection: wrong credentials show at the first call.
func serve(lib *native.Library, told *native.Fields) (native.Handler, error) {
	corp, secret := told.CStr(), told.CStr()
	h := &handle{lib: lib, proxy: told.CStr(), password: told.CStr(), timeout: told.U32()}
	if told.Bad() {
		return nil, errors.New("cannot read what handle to make")
	}
	if err := lib.Bind(handleSymbols(), &h.newSDK, &h.initSDK, &h.getChatData, &h.getMediaData, &h.destroySDK); err != nil {
		return nil, err
	}
	if err := lib.Bind(mediaSymbols(), &h.newMediaData, &h.freeMediaData, &h.getOutIndexBuf, &h.getData, &h.getIndexLen, &h.getDataLen, &h.isMediaDataFinish); err != nil {
		return nil, err
	}
	if corp.String() == "" {
		return h, nil
	}
	if h.sdk = native.Invoke(h.newSDK); h.sdk == 0 {
		return nil, fmt.Errorf("NewSdk: out of memory: %w", native.ErrReply)
	}
	if code := native.Int32(native.Invoke(h.initSDK, h.sdk, uintptr(unsafe.Pointer(&corp[0])), uintptr(unsafe.Pointer(&secret[0])))); code != 0 {
		h.Close()
		return nil, wecom.NewSDKError("Init", int(code))
	}
	// They stood in the request, whose memory is used again.
	h.proxy, h.password = bytes.Clone(h.proxy), bytes.Clone(h.password)
	return h, nil
}

// Close frees the handle.
func (h *handle) Close() {
	if h.sdk != 0 {
		native.Invoke(h.destroySDK, h.sdk)
		h.sdk = 0
	}
}

// Answer fetches.
func (h *handle) Answer(k native.Kind, f *native.Fields, to *native.Answers) error {
	switch k {
	case kindChats:
		seq, limit := f.U64(), f.U32()
		if f.Bad() || h.sdk == 0 {
			return errors.New("cannot fetch chats")
		}
		return to.Refusal(h.chats(seq, limit, to.Content))
	case kindMedia:
		index, fileID := f.CStr(), f.CStr()
		if f.Bad() || h.sdk == 0 {
			return errors.New("cannot fetch media")
		}
		code, err := h.media(index, fileID, func(data, next []byte, last bool) error {
			return answerSlice(to, 0, data, trimNUL(next), last)
		})
		if err != nil || code == 0 {
			return err
		}
		return answerSlice(to, code, nil, nil, false)
	}
	return fmt.Errorf("request of kind %d", k)
}

func (h *handle) chats(seq uint64, limit uint32, use func(content []byte) error) (code int32, err error) {
	return h.lib.Slice(func(slice uintptr) int32 {
		return native.Int32(native.Invoke(h.getChatData, h.sdk, uintptr(seq), uintptr(limit),
			uintptr(unsafe.Pointer(&h.proxy[0])), uintptr(unsafe.Pointer(&h.password[0])), uintptr(h.timeout), slice))
	}, use)
}

// media has use see a slice of a file, whose bytes do not outlive use.
func (h *handle) media(index, fileID native.CString, use func(data, next []byte, last bool) error) (code int32, err error) {
	media := native.Invoke(h.newMediaData)
	if media == 0 {
		return 0, fmt.Errorf("NewMediaData: out of memory: %w", native.ErrReply)
	}
	defer native.Invoke(h.freeMediaData, media)
	code = native.Int32(native.Invoke(h.getMediaData, h.sdk, uintptr(unsafe.Pointer(&index[0])), uintptr(unsafe.Pointer(&fileID[0])),
		uintptr(unsafe.Pointer(&h.proxy[0])), uintptr(unsafe.Pointer(&h.password[0])), uintptr(h.timeout), media))
	if code != 0 {
		return code, nil
	}
	data, err := native.Memory(native.Invoke(h.getData, media), native.Int32(native.Invoke(h.getDataLen, media)))
	if err != nil {
		return 0, err
	}
	next, err := native.Memory(native.Invoke(h.getOutIndexBuf, media), native.Int32(native.Invoke(h.getIndexLen, media)))
	if err != nil {
		return 0, err
	}
	return 0, use(data, next, native.Int32(native.Invoke(h.isMediaDataFinish, media)) != 0)
}

// answerSlice writes a slice of a file.
func answerSlice(to *native.Answers, code int32, data, next []byte, last bool) error {
	flag := byte(0)
	if last {
		flag = 1
	}
	head := binary.LittleEndian.AppendUint32([]byte{flag}, uint32(len(next)))
	return to.Frame(kindMediaSlice, code, head, next, []byte{0}, data)
}

// trimNUL: whether GetIndexLen counts a closing NUL byte is not documented.
func trimNUL(b []byte) []byte { return bytes.TrimRight(b, "\x00") }
