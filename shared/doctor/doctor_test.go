package doctor_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/doctor"
	"wecom-archive/shared/localstore"
	"wecom-archive/shared/store"
	"wecom-archive/shared/store/storetest"
	"wecom-archive/shared/wecom"
	"wecom-archive/shared/wecom/financesdk"
	"wecom-archive/shared/wecom/financesdk/decrypt"
)

const corpID = "ww5117a9e0c0ffee01"

// TestMain lets the test's executable be the library's process, too.
func TestMain(m *testing.M) {
	if status, host := financesdk.RunHost(os.Args); host {
		os.Exit(status)
	}
	if status, host := decrypt.RunHost(os.Args); host {
		os.Exit(status)
	}
	os.Exit(m.Run())
}

func head() archive.Checkup {
	return archive.Checkup{ID: "1", At: time.Now().UTC(), Where: archive.CheckedHere, Program: "test"}
}

// examine makes one check, and looks whether its sentences are whole in both languages.
func examine(t *testing.T, check doctor.Check) archive.CheckupLine {
	t.Helper()
	c := doctor.Examine(t.Context(), head(), check)
	if len(c.Lines) != 1 {
		t.Fatalf("%d lines", len(c.Lines))
	}
	l := c.Lines[0]
	texts := []string{l.Found.English, l.Found.Chinese}
	if l.State != archive.CheckupOK {
		texts = append(texts, l.Remedy.English, l.Remedy.Chinese)
	}
	for _, text := range texts {
		if text == "" || strings.Contains(text, "%!") {
			t.Errorf("%s: a sentence is not whole: %q in %+v", l.Check, text, l)
		}
	}
	if c.Well() != (l.State != archive.CheckupAct) {
		t.Errorf("Well is %v with %+v", c.Well(), l)
	}
	return l
}

func want(t *testing.T, l archive.CheckupLine, state archive.CheckupState, says string) {
	t.Helper()
	if l.State != state || !strings.Contains(l.Found.English+l.Remedy.English, says) {
		t.Errorf("%s: %+v; want %s with %q", l.Check, l, state, says)
	}
}

func TestLibraryFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "none.so")
	want(t, examine(t, doctor.Library(path)), archive.CheckupAct, "make layer")
	if err := os.WriteFile(path, []byte("no ELF"), 0o600); err != nil {
		t.Fatal(err)
	}
	want(t, examine(t, doctor.Library(path)), archive.CheckupAct, "not a shared library")
}

func TestCorp(t *testing.T) {
	want(t, examine(t, doctor.Corp(corpID)), archive.CheckupOK, corpID)
	want(t, examine(t, doctor.Corp("wwShort")), archive.CheckupLook, "企业ID")
	for _, corp := range []string{"", corpID + " ", "企业", "ww\n"} {
		want(t, examine(t, doctor.Corp(corp)), archive.CheckupAct, "我的企业")
	}
}

func TestSecret(t *testing.T) {
	secrets := localstore.OpenSecrets(filepath.Join(t.TempDir(), "secrets.json"))
	check := doctor.Secret(secrets)
	want(t, examine(t, check), archive.CheckupAct, "no secret yet")
	usual := strings.Repeat("aB3-_", 8) + "xyz"
	for value, state := range map[string]archive.CheckupState{
		usual: archive.CheckupOK, usual[:40]: archive.CheckupLook, usual + "\n": archive.CheckupAct, "密" + usual: archive.CheckupAct,
	} {
		if err := secrets.Set(t.Context(), "archive-secret", value); err != nil {
			t.Fatal(err)
		}
		l := examine(t, check)
		want(t, l, state, "")
		if strings.Contains(fmt.Sprint(l), strings.TrimSpace(value)) {
			t.Errorf("the secret is in %+v", l)
		}
	}
	want(t, examine(t, doctor.Secret(refusing{})), archive.CheckupAct, "AccessDenied")
}

type refusing struct{ store.Secrets }

func (refusing) Get(context.Context, string) (string, error) { return "", errors.New("AccessDenied") }

func TestOutside(t *testing.T) {
	var answer string
	var status int
	off := time.Duration(0)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Date", time.Now().Add(off).UTC().Format(http.TimeFormat))
		w.WriteHeader(status)
		fmt.Fprint(w, answer)
	}))
	defer server.Close()
	echo := func() *doctor.Echo {
		return &doctor.Echo{URL: server.URL, Client: server.Client(), Now: time.Now}
	}
	trusted := netip.MustParseAddr("203.0.113.7")

	answer, status = "203.0.113.7\n", http.StatusOK
	want(t, examine(t, echo().Address(trusted)), archive.CheckupOK, "as expected")
	want(t, examine(t, echo().Address(netip.Addr{})), archive.CheckupLook, "203.0.113.7")
	want(t, examine(t, echo().Address(netip.MustParseAddr("198.51.100.1"))), archive.CheckupAct, "not 198.51.100.1")
	answer = "::ffff:203.0.113.7"
	want(t, examine(t, echo().Address(trusted)), archive.CheckupOK, "as expected")
	for _, answer = range []string{"<html>", "", "203.0.113.7 203.0.113.8"} {
		want(t, examine(t, echo().Address(trusted)), archive.CheckupLook, "no address")
	}
	answer, status = "203.0.113.7", http.StatusBadGateway
	want(t, examine(t, echo().Address(trusted)), archive.CheckupLook, "502")

	status = http.StatusOK
	for _, test := range []struct {
		off   time.Duration
		state archive.CheckupState
	}{
		{0, archive.CheckupOK}, {2 * time.Second, archive.CheckupOK}, {-20 * time.Second, archive.CheckupLook},
		{20 * time.Second, archive.CheckupLook}, {-2 * time.Hour, archive.CheckupAct}, {2 * time.Hour, archive.CheckupAct},
	} {
		off = test.off
		want(t, examine(t, echo().Clock()), test.state, "")
	}
	server.Close()
	want(t, examine(t, echo().Clock()), archive.CheckupLook, "")
	want(t, examine(t, echo().Address(trusted)), archive.CheckupLook, "")
}

// TestRights breaks every write to the stores, one after the other: the line of the
// store asks for an action, and never ends the checkup.
func TestRights(t *testing.T) {
	clean := storetest.NewFaults()
	checkup := func(f *storetest.Faults, objects *storetest.Objects) archive.Checkup {
		index := f.Index(storetest.NewIndex())
		return doctor.Examine(t.Context(), head(), doctor.Corp(corpID),
			doctor.Bucket(f.Objects(objects), f.Lock(objects), corpID), doctor.Table(catalog.New(index).Journal))
	}
	if c := checkup(clean, storetest.NewObjects()); !c.Well() || len(c.Lines) != 3 {
		t.Fatalf("%+v", c)
	}
	for k := 1; k <= clean.Count(); k++ {
		f := storetest.NewFaults()
		f.FailAt(k, storetest.Before)
		if c := checkup(f, storetest.NewObjects()); c.Well() || len(c.Lines) != 3 {
			t.Errorf("call %d fails: %+v", k, c)
		}
	}
	want(t, examine(t, doctor.Bucket(storetest.NewObjects(), storetest.NewUnlockedObjects(), corpID)), archive.CheckupAct, "retention")
}

// TestKept: what was found is in the archive and in the index.
func TestKept(t *testing.T) {
	objects, catalog := storetest.NewObjects(), catalog.New(storetest.NewIndex())
	if _, found, err := catalog.Journal.LastCheckup(t.Context(), archive.CheckedHere); found || err != nil {
		t.Fatalf("before: %v, %v", found, err)
	}
	c := doctor.Examine(t.Context(), head(), doctor.Corp(corpID), doctor.Bucket(objects, objects, corpID), doctor.Table(catalog.Journal))
	kept, found, err := catalog.Journal.LastCheckup(t.Context(), archive.CheckedHere)
	if !found || err != nil || fmt.Sprint(kept) != fmt.Sprint(c) {
		t.Errorf("in the index: %+v, want %+v; %v", kept, c, err)
	}
	var event archive.Checkup
	if _, err := archive.GetEvent(t.Context(), objects, archive.CheckupKey(c), &event); err != nil || len(event.Lines) != 1 || event.Lines[0] != c.Lines[0] {
		t.Errorf("in the archive: %+v, %v", event, err)
	}
}

type ring struct {
	recs []archive.KeyRecord
	err  error
}

func (r ring) Records(context.Context) ([]archive.KeyRecord, error) { return r.recs, r.err }

func TestKeys(t *testing.T) {
	cat := catalog.New(storetest.NewIndex())
	recs := []archive.KeyRecord{{ID: "spring"}, {ID: "summer"}}
	want(t, examine(t, doctor.Keys(ring{}, cat.Keys)), archive.CheckupAct, "keys create")
	want(t, examine(t, doctor.Keys(ring{err: store.ErrDamaged}, cat.Keys)), archive.CheckupAct, "cannot be read")
	want(t, examine(t, doctor.Keys(ring{recs: recs}, cat.Keys)), archive.CheckupLook, "spring, summer")
	for _, version := range []int64{3, 4} {
		if err := cat.Keys.Bind(t.Context(), archive.KeyBinding{PublicKeyVer: version, Key: "spring", MsgID: "m"}); err != nil {
			t.Fatal(err)
		}
	}
	l := examine(t, doctor.Keys(ring{recs: recs}, cat.Keys))
	want(t, l, archive.CheckupOK, "spring: 3, 4")
	want(t, l, archive.CheckupOK, "Not used yet: summer")
	want(t, examine(t, doctor.Keys(ring{recs: recs[1:]}, cat.Keys)), archive.CheckupAct, "keys import spring")
	want(t, examine(t, doctor.Keys(ring{recs: recs}, catalog.New(unreadable{}).Keys)), archive.CheckupAct, "versions")
	want(t, examine(t, doctor.Table(catalog.New(unreadable{storetest.NewIndex()}).Journal)), archive.CheckupAct, "no right")
}

// unreadable is an index that may be written only.
type unreadable struct{ store.Index }

func (unreadable) Get(context.Context, string, string) (store.Item, error) {
	return store.Item{}, errors.New("no right to read")
}

func (unreadable) Query(context.Context, store.IndexQuery) ([]store.Item, error) {
	return nil, errors.New("no right to read")
}

// chats is WeCom's library with one answer.
type chats struct {
	reply  string
	err    error
	closed bool
}

func (c *chats) GetChatData(_ context.Context, seq uint64, limit int) ([]byte, error) {
	if seq != 0 || limit != 1 {
		return nil, fmt.Errorf("asked for %d after %d", limit, seq)
	}
	return []byte(c.reply), c.err
}

func (c *chats) Close() error { c.closed = true; return nil }

func TestWeCom(t *testing.T) {
	catalog := catalog.New(storetest.NewIndex())
	for _, test := range []struct {
		chats   chats
		state   archive.CheckupState
		says    string
		chinese string
	}{
		{chats{reply: `{"errcode":0,"errmsg":"ok","chatdata":[]}`}, archive.CheckupOK, "answers", "应答正常"},
		{chats{err: wecom.NewSDKError("GetChatData", 10009)}, archive.CheckupAct, "Elastic IP", "可信IP地址"},
		{chats{err: wecom.NewSDKError("GetChatData", 10001)}, archive.CheckupAct, "10001", "NAT"},
		{chats{reply: `{"errcode":40001,"errmsg":"invalid credential"}`}, archive.CheckupAct, "40001", "Secret"},
		{chats{reply: `{"errcode":301042,"errmsg":"not allowed"}`}, archive.CheckupAct, "301042", "可信IP地址"},
		{chats{reply: `<html>`}, archive.CheckupAct, "JSON", "docs"},
		{chats{err: errors.New("it died")}, archive.CheckupAct, "it died", "docs"},
	} {
		c := test.chats
		l := examine(t, doctor.WeCom(func(context.Context) (doctor.Chats, error) { return &c, nil }, catalog.Pages))
		want(t, l, test.state, test.says)
		if !strings.Contains(l.Found.Chinese+l.Remedy.Chinese, test.chinese) || !c.closed {
			t.Errorf("%+v; want %q; closed: %v", l, test.chinese, c.closed)
		}
	}
}

// TestNotAsked: a wrong secret is not tried on WeCom, which bans for it.
func TestNotAsked(t *testing.T) {
	secrets := localstore.OpenSecrets(filepath.Join(t.TempDir(), "secrets.json"))
	c := doctor.Examine(t.Context(), head(), doctor.Secret(secrets),
		doctor.WeCom(func(context.Context) (doctor.Chats, error) {
			t.Error("WeCom was asked")
			return nil, errors.New("no")
		}, catalog.New(storetest.NewIndex()).Pages))
	if l := c.Lines[1]; l.State != archive.CheckupLook || !strings.Contains(l.Found.English, "secret") {
		t.Errorf("%+v", l)
	}
}

// TestVersion: a program of unknown source is wrong where what it stores stays.
func TestVersion(t *testing.T) {
	answers := func(compliance bool, err error) func(context.Context) (bool, error) {
		return func(context.Context) (bool, error) { return compliance, err }
	}
	for _, test := range []struct {
		version    string
		compliance func(context.Context) (bool, error)
		want       archive.CheckupState
	}{
		{"v1.2.3", answers(true, nil), archive.CheckupOK},
		{"v1.2.3", nil, archive.CheckupOK},
		{"v1.2.3+dirty", answers(true, nil), archive.CheckupAct},
		{"", answers(true, nil), archive.CheckupAct},
		{"v1.2.3+dirty", answers(false, nil), archive.CheckupLook},
		{"v1.2.3+dirty", answers(false, errors.New("denied")), archive.CheckupLook},
		{"(devel)", nil, archive.CheckupLook},
	} {
		named := func(ctx context.Context, before archive.Checkup) []archive.CheckupLine {
			before.Program = test.version
			return doctor.Version(test.compliance)(ctx, before)
		}
		if l := examine(t, named); l.Check != doctor.CheckVersion || l.State != test.want {
			t.Errorf("%q: %+v, want %s", test.version, l, test.want)
		}
	}
}
