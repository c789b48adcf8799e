package financesdk_test

import (
	"context"
	"log/slog"
	"os"
	"testing"

	"wecom-archive/shared/wecom/financesdk"
	"wecom-archive/shared/wecom/financesdk/nativetest"
)

// TestMain lets the test's executable be the child process, too.
func TestMain(m *testing.M) {
	if status, host := financesdk.RunHost(os.Args); host {
		os.Exit(status)
	}
	var err error
	if scratch, err = os.MkdirTemp("", "financesdk"); err != nil {
		panic(err)
	}
	status := m.Run()
	_ = os.RemoveAll(scratch)
	os.Exit(status)
}

// scratch is a folder for what several tests use.
var scratch string

// open opens a pool for the test, whose log is kept.
func open(t testing.TB, c financesdk.Config) (*financesdk.Pool, *nativetest.Journal) {
	t.Helper()
	log := &nativetest.Journal{}
	c.Log = slog.New(slog.NewTextHandler(log, nil))
	p, err := financesdk.Open(context.Background(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
		if left := nativetest.Children(t); len(left) > 0 {
			t.Errorf("processes %v are left", left)
		}
	})
	return p, log
}
