//go:build sdk

package local_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"wecom-archive/infra/local"
	"wecom-archive/infra/sdkstandin"
	"wecom-archive/shared/archive"
	"wecom-archive/shared/segment"
	"wecom-archive/shared/store"
	"wecom-archive/shared/wecom"
	"wecom-archive/shared/wecom/financesdk"
	"wecom-archive/shared/wecom/financesdk/decrypt"
	"wecom-archive/shared/wecom/wecomtest"
)

func TestMain(m *testing.M) {
	if status, host := financesdk.RunHost(os.Args); host {
		os.Exit(status)
	}
	if status, host := decrypt.RunHost(os.Args); host {
		os.Exit(status)
	}
	os.Exit(m.Run())
}

// TestThroughTheLibrary runs the complete path through a native library, which
// dies, hangs and refuses on the way: all that can be read is archived byte for
// byte, and what kills the library is set aside.
func TestThroughTheLibrary(t *testing.T) {
	path, err := sdkstandin.Build(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	const messages = 3000
	var log bytes.Buffer
	c := config(t.TempDir())
	c.SDK, c.Messages, c.FetchMedia, c.Log = path, messages, true, slog.New(slog.NewTextHandler(&log, nil))
	system, err := local.Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := system.Close(); err != nil {
			t.Error(err)
		}
	}()
	// After each of the first three the call is made again. The first page is asked
	// for twice: it begins with a great step of seq.
	system.Corp.Fail(1, wecomtest.SDKCode(10001))
	system.Corp.Fail(1, wecomtest.SDKOrder("segv"))
	system.Corp.Fail(1, wecomtest.Errcode(-1))
	system.Corp.Fail(2, wecomtest.OrderAt(617, "abort"))
	system.Corp.Fail(1, wecomtest.OrderAt(0, "nul"))
	system.Corp.Fail(1, wecomtest.OrderAt(999, "exit:0"))
	if err := system.Run(t.Context(), true, nil); err != nil {
		t.Fatalf("%v\n%s", err, &log)
	}
	sum, err := system.Summary(t.Context(), time.Now())
	if err != nil || sum.Pulled != messages || sum.Pages != 3 || !sum.Complete {
		t.Fatalf("%+v, %v", sum, err)
	}

	// The envelopes with orders: the first page has messages 0 to 999, and so on.
	crashed := map[int]bool{617: true, 2999: true}
	served := map[int64]int{} // index by seq
	for i := range messages {
		m, err := system.Corp.Served(i)
		if err != nil {
			t.Fatal(err)
		}
		served[int64(m.Seq)] = i
	}
	for _, row := range rows(t, system) {
		i := served[row.Seq]
		want, err := system.Corp.Served(i)
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case crashed[i]:
			if row.Outcome != archive.OutcomeCrash {
				t.Errorf("message %d: %s, want %s", i, row.Outcome, archive.OutcomeCrash)
			}
		case i == 1000:
			if string(row.Raw) != "a\x00b\x00" {
				t.Errorf("message with NUL bytes: %q, %s", row.Raw, row.Outcome)
			}
		case want.Unreadable != "":
			if row.Readable() || row.Outcome == archive.OutcomeCrash {
				t.Errorf("message %d, %s: %s", i, want.Unreadable, row.Outcome)
			}
		case !bytes.Equal(row.Raw, want.Raw):
			t.Errorf("message %d: %s, %d bytes, want %d", i, row.Outcome, len(row.Raw), len(want.Raw))
		}
		delete(crashed, i)
	}
	if len(crashed) > 0 || len(rows(t, system)) != messages {
		t.Errorf("%d rows, none of %v", len(rows(t, system)), crashed)
	}
	if c := sum.Media; c.Stored < c.Files*9/10 || c.Failed > 0 || c.Lost == 0 { // some come late
		t.Errorf("files: %+v", c)
	}
	if !strings.Contains(log.String(), "op=GetChatData") || !strings.Contains(log.String(), "op=DecryptData") {
		t.Errorf("the log does not tell of the deaths: %s", &log)
	}
	secret, err := system.Secrets.Get(t.Context(), "archive-secret")
	if err != nil || strings.Contains(log.String(), secret) {
		t.Errorf("the secret is in the log (or: %v)", err)
	}
}

// TestMediaThroughTheLibrary fetches files through processes of the native library,
// which dies, hangs and refuses on the way.
func TestMediaThroughTheLibrary(t *testing.T) {
	path, err := sdkstandin.Build(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	library, err := financesdk.Open(t.Context(), financesdk.Config{Path: path, Corp: "ww1", Secret: "s", Children: 4, NetworkTimeout: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer library.Close() // nothing to tell
	marker := filepath.Join(t.TempDir(), "died")
	want := map[string]struct {
		state archive.MediaState
		size  int64
	}{
		"!bytes:0": {archive.MediaStored, 0}, "!bytes:1": {archive.MediaStored, 1}, "!bytes:524288": {archive.MediaStored, 524288},
		"!bytes:40000000": {archive.MediaStored, 40_000_000}, "!code:10010": {archive.MediaLost, 0}, "!abort": {}, "!code:10006": {}, "!segv": {},
		"!once:" + marker: {archive.MediaStored, 5}, // dies once
	}
	ids := slices.Sorted(maps.Keys(want))
	var corpus bytes.Buffer
	for i, id := range ids {
		fmt.Fprintf(&corpus, `{"msgid":"%d","action":"send","from":"li.na","tolist":["wang.wei"],"msgtime":%d,"msgtype":"file","file":{"sdkfileid":%q,"filename":"x"}}`+"\n", i, time.Now().Add(-time.Hour).UnixMilli(), id)
	}
	var log bytes.Buffer
	c := config(t.TempDir())
	c.Corpus, c.Media, c.Log = filepath.Join(t.TempDir(), "corpus"), library, slog.New(slog.NewTextHandler(&log, nil))
	if err := os.WriteFile(c.Corpus, corpus.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	system, err := local.Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := system.Close(); err != nil {
			t.Error(err)
		}
	}()
	if err := system.Run(t.Context(), true, nil); err != nil {
		t.Fatalf("%v\n%s", err, &log)
	}
	for _, id := range ids {
		file, err := system.Catalog.Media.MediaFile(t.Context(), wecom.Media{FileID: id}.FileIDHash())
		if err != nil {
			t.Fatal(err)
		}
		state := want[id].state
		if state == "" {
			state = archive.MediaPending
		}
		if file.State != state || file.Size != want[id].size || state == archive.MediaPending && file.NextTry.IsZero() {
			t.Errorf("%s: %+v, want %s of %d bytes", id, file, state, want[id].size)
		}
	}
	if strings.Contains(log.String(), "!bytes") || strings.Contains(log.String(), "!abort") {
		t.Errorf("an sdkfileid is in the log: %s", &log)
	}
}

// rows are all rows of all segments.
func rows(t *testing.T, system *local.System) (all []archive.Row) {
	t.Helper()
	for info, err := range system.Objects.List(t.Context(), archive.SegmentsPrefix, "") {
		if err != nil {
			t.Fatal(err)
		}
		body, err := store.ReadObject(t.Context(), system.Objects, info.Key)
		if err != nil {
			t.Fatal(err)
		}
		_, rows, err := segment.Decode(body)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, rows...)
	}
	return all
}
