package wecom_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"wecom-archive/shared/wecom"
)

// codes are those of docs/wecom.md, "Codes", with what each means to a caller.
var codes = []struct {
	source wecom.Source
	code   int
	class  wecom.Class
	is     error
	remedy string // part of it
}{
	{wecom.SourceSDK, 10000, wecom.Bad, wecom.ErrBadArgument, "corpid"},
	{wecom.SourceSDK, 10001, wecom.Retry, wecom.ErrNetwork, "proxy"},
	{wecom.SourceSDK, 10002, wecom.Retry, nil, ""},
	{wecom.SourceSDK, 10003, wecom.Retry, nil, ""},
	{wecom.SourceSDK, 10004, wecom.Retry, nil, ""},
	{wecom.SourceSDK, 10005, wecom.Bad, wecom.ErrBadArgument, ""},
	{wecom.SourceSDK, 10006, wecom.Bad, wecom.ErrUndecryptable, "publickey_ver"},
	{wecom.SourceSDK, 10007, wecom.Retry, nil, ""},
	{wecom.SourceSDK, 10008, wecom.Bad, wecom.ErrUndecryptable, "publickey_ver"},
	{wecom.SourceSDK, 10009, wecom.Stop, wecom.ErrUntrustedIP, "trusted IPs"},
	{wecom.SourceSDK, 10010, wecom.Lost, wecom.ErrExpired, ""},
	{wecom.SourceSDK, 10011, wecom.Stop, wecom.ErrCertificate, "clock"},
	{wecom.SourceSDK, -1, wecom.Retry, nil, ""},
	{wecom.SourceSDK, 4711, wecom.Retry, nil, ""},
	{wecom.SourceReply, -1, wecom.Retry, nil, ""},
	{wecom.SourceReply, 40001, wecom.Stop, wecom.ErrBadSecret, "secret and the IP"},
	{wecom.SourceReply, 40013, wecom.Stop, wecom.ErrBadCorp, "corpid"},
	{wecom.SourceReply, 40014, wecom.Retry, wecom.ErrBadToken, ""},
	{wecom.SourceReply, 41001, wecom.Stop, wecom.ErrBadSecret, "secret and the IP"},
	{wecom.SourceReply, 42001, wecom.Retry, wecom.ErrBadToken, ""},
	{wecom.SourceReply, 40096, wecom.Bad, wecom.ErrUnknownID, ""},
	{wecom.SourceReply, 40211, wecom.Stop, wecom.ErrBadPublicKey, "PEM"},
	{wecom.SourceReply, 40212, wecom.Stop, wecom.ErrBadPublicKey, "again"},
	{wecom.SourceReply, 41053, wecom.Bad, wecom.ErrNotAgreed, ""},
	{wecom.SourceReply, 45009, wecom.Slower, wecom.ErrRateLimited, ""},
	{wecom.SourceReply, 45033, wecom.Slower, wecom.ErrRateLimited, ""},
	{wecom.SourceReply, 48002, wecom.Stop, wecom.ErrNotGranted, "Grant"},
	{wecom.SourceReply, 60011, wecom.Bad, wecom.ErrNotGranted, "scope"},
	{wecom.SourceReply, 60020, wecom.Stop, wecom.ErrUntrustedIP, "trusted IPs"},
	{wecom.SourceReply, 60111, wecom.Bad, wecom.ErrUnknownID, ""},
	{wecom.SourceReply, 84061, wecom.Bad, wecom.ErrNoExternalContact, ""},
	{wecom.SourceReply, 84074, wecom.Bad, wecom.ErrNotGranted, "scope"},
	{wecom.SourceReply, 84083, wecom.Bad, wecom.ErrNotGranted, "seat"},
	{wecom.SourceReply, 84084, wecom.Bad, wecom.ErrNoExternalContact, ""},
	{wecom.SourceReply, 86001, wecom.Bad, wecom.ErrUnknownID, ""},
	{wecom.SourceReply, 86003, wecom.Bad, wecom.ErrUnknownID, ""},
	{wecom.SourceReply, 92002, wecom.Bad, wecom.ErrNotGranted, ""},
	{wecom.SourceReply, 301042, wecom.Stop, wecom.ErrUntrustedIP, "trusted IPs"},
	{wecom.SourceReply, 301048, wecom.Lost, wecom.ErrExpired, ""},
	{wecom.SourceReply, 301052, wecom.Stop, wecom.ErrServiceExpired, "Renew"},
	{wecom.SourceReply, 301053, wecom.Stop, wecom.ErrServiceNotOpen, "Open"},
	{wecom.SourceReply, 301058, wecom.Smaller, wecom.ErrTooLarge, ""},
	{wecom.SourceReply, 301059, wecom.Bad, wecom.ErrNotInternalGroup, ""},
	{wecom.SourceReply, 301060, wecom.Bad, wecom.ErrBadArgument, ""},
	{wecom.SourceReply, 301061, wecom.Bad, wecom.ErrUnknownID, ""},
	{wecom.SourceReply, 10009, wecom.Retry, nil, ""}, // an SDK code is no errcode
	{wecom.SourceReply, 999999, wecom.Retry, nil, ""},
}

var sentinels = []error{
	wecom.ErrUntrustedIP, wecom.ErrBadSecret, wecom.ErrBadCorp, wecom.ErrBadToken, wecom.ErrServiceNotOpen,
	wecom.ErrServiceExpired, wecom.ErrNotGranted, wecom.ErrBadPublicKey, wecom.ErrRateLimited, wecom.ErrTooLarge,
	wecom.ErrNetwork, wecom.ErrCertificate, wecom.ErrExpired, wecom.ErrUndecryptable, wecom.ErrBadArgument,
	wecom.ErrNotAgreed, wecom.ErrUnknownID, wecom.ErrNotInternalGroup, wecom.ErrNoExternalContact,
}

func TestEveryCode(t *testing.T) {
	for _, c := range codes {
		e := wecom.NewReplyError("GetChatData", c.code, "as WeCom said")
		if c.source == wecom.SourceSDK {
			e = wecom.NewSDKError("GetChatData", c.code)
		}
		err := fmt.Errorf("pulling after 7: %w", e)
		if e.Class() != c.class {
			t.Errorf("%v: class %s, want %s", e, e.Class(), c.class)
		}
		for _, sentinel := range sentinels {
			if got, want := errors.Is(err, sentinel), sentinel == c.is; got != want {
				t.Errorf("%v is %q: %v, want %v", e, sentinel, got, want)
			}
		}
		if !strings.Contains(e.Remedy(), c.remedy) || c.remedy == "" && e.Remedy() != "" {
			t.Errorf("%v: remedy %q, want %q in it", e, e.Remedy(), c.remedy)
		}
		if e.Class() == wecom.Stop && e.Remedy() == "" {
			t.Errorf("%v: an operator must act and is not told how", e)
		}
		var typed *wecom.Error
		if !errors.As(err, &typed) || typed.Code != c.code || typed.Source != c.source || typed.Op != "GetChatData" {
			t.Errorf("%v: found as %+v", e, typed)
		}
	}
}

func TestErrorText(t *testing.T) {
	for want, err := range map[string]error{
		"GetChatData: SDK code 10009: untrusted IP":                       wecom.NewSDKError("GetChatData", 10009),
		"GetMediaData: SDK code 4711: unknown code":                       wecom.NewSDKError("GetMediaData", 4711),
		"GetChatData: errcode 301058: reply too large":                    wecom.NewReplyError("GetChatData", 301058, ""),
		"gettoken: errcode 60020: untrusted IP (from 192.0.2.1  see doc)": wecom.NewReplyError("gettoken", 60020, "\nfrom 192.0.2.1\r\nsee doc\x00"),
	} {
		if err.Error() != want {
			t.Errorf("%q, want %q", err, want)
		}
	}
}

func TestErrmsgIsTrimmed(t *testing.T) {
	for _, errmsg := range []string{strings.Repeat("长", 100), strings.Repeat("x", 300), "a\xff\xfeb\x1b[31m\u202e", strings.Repeat("\x80", 400)} {
		got := wecom.NewReplyError("x", 1, errmsg).Message
		if len(got) > 200 || !utf8.ValidString(got) {
			t.Errorf("%q: kept %q", errmsg, got)
		}
		for _, r := range got {
			if !unicode.IsPrint(r) {
				t.Errorf("%q: kept %U", errmsg, r)
			}
		}
	}
	if got := wecom.NewReplyError("x", 1, strings.Repeat("长", 100)).Message; got != strings.Repeat("长", 66) {
		t.Errorf("kept %q", got)
	}
}

func TestSecretsStayOutOfText(t *testing.T) {
	media := parse(text(`"msgtype":"file","file":{"filename":"SECRET.pdf","sdkfileid":"SECRETSECRET"}`)).Media[0]
	sealed := wecom.Sealed{Key: "SECRETSECRET", Message: "SECRETSECRET"}
	opened := wecom.Opened{Raw: []byte("SECRETSECRET")}
	for _, v := range []any{media, &media, []wecom.Media{media}, sealed, &sealed, []wecom.Sealed{sealed}, opened, &opened, []wecom.Opened{opened}} {
		for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
			if s := fmt.Sprintf(format, v); strings.Contains(s, "SECRET") {
				t.Errorf("%T as %s: %s", v, format, s)
			}
		}
	}
	var logged bytes.Buffer
	slog.New(slog.NewJSONHandler(&logged, nil)).Info("x", "media", media, "list", []wecom.Media{{FileID: "SECRETSECRET"}},
		"sealed", sealed, "opened", opened)
	if strings.Contains(logged.String(), "SECRET") {
		t.Errorf("logged: %s", &logged)
	}
	// printf SECRETSECRET | sha256sum
	if got := media.FileIDHash(); got != "79afad26303218b084fec6e10820b61fde2565a78cfff643b85cc398dacb6dd9" {
		t.Errorf("hash %q", got)
	}
	if s := (wecom.Opened{Err: os.ErrNotExist}).String(); !strings.Contains(s, os.ErrNotExist.Error()) {
		t.Errorf("the error is not told: %s", s)
	}
}
