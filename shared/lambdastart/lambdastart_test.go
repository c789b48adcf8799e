package lambdastart_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"strings"
	"testing"

	"wecom-archive/infra/runtimeapi"
	"wecom-archive/shared/lambdastart"
)

// TestMain lets the test's own binary be a function.
func TestMain(m *testing.M) {
	if os.Getenv("STAGE") == "" {
		os.Exit(m.Run())
	}
	lambdastart.Main("greeter", build)
}

type greeter struct {
	greeting string
	log      *slog.Logger
}

func build(_ context.Context, getenv func(string) string, log *slog.Logger) (any, error) {
	if getenv("GREETING") == "" {
		return nil, errors.New("GREETING is not set")
	}
	return (&greeter{getenv("GREETING"), log}).handle, nil
}

func (g *greeter) handle(_ context.Context, event struct{ Name string }) (string, error) {
	g.log.Info("greeted")
	return g.greeting + " " + event.Name, nil
}

func start(t *testing.T, env ...string) *runtimeapi.Function {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	f, err := runtimeapi.Start(t.Context(), self, append(env, "STAGE=1")...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

// TestServes: what build made answers events, and its log names the stage.
func TestServes(t *testing.T) {
	f := start(t, "GREETING=hello")
	answer, err := f.Invoke(t.Context(), []byte(`{"name":"room"}`))
	if err != nil || string(answer) != `"hello room"` {
		t.Errorf("%s, %v", answer, err)
	}
	_ = f.Close() // what it wrote last may still be on its way
	if log := f.Log(); !strings.Contains(log, `"msg":"greeted","stage":"greeter"`) {
		t.Errorf("log %s", log)
	}
}

// TestCannotStart: a function that cannot be built says why in one line, and ends.
func TestCannotStart(t *testing.T) {
	f := start(t)
	err := f.Wait(t.Context())
	if err == nil || !strings.Contains(err.Error(), "exit status 1") {
		t.Errorf("%v", err)
	}
	log := strings.TrimSpace(f.Log())
	if strings.Contains(log, "\n") || !strings.Contains(log, `"level":"ERROR","msg":"cannot start","stage":"greeter","error":"GREETING is not set"}`) {
		t.Errorf("log %s", log)
	}
}
