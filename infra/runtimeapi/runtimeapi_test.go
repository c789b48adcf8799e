package runtimeapi_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambda"

	"wecom-archive/infra/runtimeapi"
)

// TestMain lets the test's own binary be a bootstrap.
func TestMain(m *testing.M) {
	switch os.Getenv("BOOTSTRAP") {
	case "":
		os.Exit(m.Run())
	case "exit":
		fmt.Println("cannot start: no bucket")
		os.Exit(3)
	}
	lambda.Start(func(ctx context.Context, event map[string]string) (map[string]string, error) {
		deadline, _ := ctx.Deadline()
		switch event["do"] {
		case "fail":
			return nil, errors.New("it failed")
		case "exit":
			os.Exit(4)
		case "hang":
			time.Sleep(time.Hour)
		}
		fmt.Println("did", event["do"])
		return map[string]string{"did": event["do"], "left": time.Until(deadline).String(), "env": strings.Join(os.Environ(), " ")}, nil
	})
}

func start(t *testing.T, mode string) *runtimeapi.Function {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	f, err := runtimeapi.Start(t.Context(), self, "BOOTSTRAP="+mode)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

func TestInvoke(t *testing.T) {
	t.Setenv("WECOM_ARCHIVE_SECRET_OF_THIS_SHELL", "x")
	f := start(t, "run")
	f.Timeout = 20 * time.Second
	for range 3 { // one process, many events
		answer, err := f.Invoke(t.Context(), []byte(`{"do":"work"}`))
		if err != nil {
			t.Fatal(err)
		}
		var a map[string]string
		if err := json.Unmarshal(answer, &a); err != nil {
			t.Fatal(err)
		}
		left, err := time.ParseDuration(a["left"])
		if a["did"] != "work" || err != nil || left < 10*time.Second || left > 20*time.Second || strings.Contains(a["env"], "OF_THIS_SHELL") {
			t.Errorf("%s", answer)
		}
	}
	for end := time.Now().Add(10 * time.Second); strings.Count(f.Log(), "did work") != 3; time.Sleep(time.Millisecond) {
		if time.Now().After(end) { // it comes through a pipe of its own
			t.Fatalf("log: %s", f.Log())
		}
	}
	_, err := f.Invoke(t.Context(), []byte(`{"do":"fail"}`))
	if failed, ok := errors.AsType[*runtimeapi.Error](err); !ok || !strings.Contains(failed.Body, "it failed") {
		t.Errorf("fail: %v", err)
	}
	if _, err := f.Invoke(t.Context(), []byte(`no JSON`)); err == nil {
		t.Error("an event that is no JSON was taken")
	}
	if _, err := f.Invoke(t.Context(), []byte(`{"do":"exit"}`)); err == nil || !strings.Contains(err.Error(), "exit status 4") {
		t.Errorf("exit: %v", err)
	}
	if _, err := f.Invoke(t.Context(), []byte(`{"do":"work"}`)); err == nil {
		t.Error("an answer from a function that ended")
	}
}

func TestDeadline(t *testing.T) {
	f := start(t, "run")
	f.Timeout = 300 * time.Millisecond
	if _, err := f.Invoke(t.Context(), []byte(`{"do":"hang"}`)); err == nil {
		t.Error("an answer without an end")
	}
}

func TestCannotStart(t *testing.T) {
	f := start(t, "exit")
	if err := f.Wait(t.Context()); err == nil || !strings.Contains(err.Error(), "exit status 3") || !strings.Contains(f.Log(), "no bucket") {
		t.Errorf("%v: %s", err, f.Log())
	}
	if _, err := f.Invoke(t.Context(), []byte(`{}`)); err == nil {
		t.Error("an answer")
	}
	if _, err := runtimeapi.Start(t.Context(), t.TempDir()+"/missing"); err == nil {
		t.Error("started a file that is not there")
	}
}
