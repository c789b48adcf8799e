// Package runtimeapi runs a function's real bootstrap as Lambda does: as a process
// of its own, which asks for events at the Lambda Runtime API (2018-06-01). Tests
// give it events and see answers, errors, logs and exits.
//
// It imitates no more of Lambda than that: no sandbox, no roles, no freezing between
// events. The API is described in Lambda's guide, "Using the Lambda runtime API".
package runtimeapi

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Function is a bootstrap that runs.
type Function struct {
	Timeout time.Duration // of an invocation, as its deadline says; 0: 10 s

	server *http.Server
	cancel context.CancelFunc
	events chan *invocation
	exited chan struct{} // closed once err is set
	err    error

	mu   sync.Mutex
	log  bytes.Buffer
	open map[string]*invocation // by request id
	last int
}

type invocation struct {
	id       string
	event    []byte
	deadline time.Time
	done     chan struct{}
	answer   []byte
	err      error
}

// Error is what a function reported instead of an answer.
type Error struct {
	Type string // such as Runtime.ExitError
	Body string // JSON: errorMessage, errorType
}

func (e *Error) Error() string { return e.Type + ": " + e.Body }

const prefix = "/2018-06-01/runtime/"

// Start starts the bootstrap with no environment but env and what Lambda itself
// sets. Close ends it.
func Start(ctx context.Context, bootstrap string, env ...string) (*Function, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("starting %s: %w", bootstrap, err)
	}
	ctx, cancel := context.WithCancel(ctx)
	f := &Function{cancel: cancel, events: make(chan *invocation), exited: make(chan struct{}), open: map[string]*invocation{}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+prefix+"invocation/next", f.next)
	mux.HandleFunc("POST "+prefix+"invocation/{id}/response", f.response)
	mux.HandleFunc("POST "+prefix+"invocation/{id}/error", f.failure)
	f.server = &http.Server{Handler: mux, ReadHeaderTimeout: time.Minute}
	go func() { _ = f.server.Serve(listener) }() // ends with Close

	command := exec.CommandContext(ctx, bootstrap)
	command.Env = append([]string{
		"AWS_LAMBDA_RUNTIME_API=" + listener.Addr().String(), "_HANDLER=bootstrap", "AWS_LAMBDA_FUNCTION_NAME=test",
		"AWS_LAMBDA_FUNCTION_VERSION=$LATEST", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE=1024", "AWS_EC2_METADATA_DISABLED=true",
	}, env...)
	command.Stdout, command.Stderr = (*logWriter)(f), (*logWriter)(f)
	if err := command.Start(); err != nil {
		cancel()
		return nil, errors.Join(fmt.Errorf("starting %s: %w", bootstrap, err), f.server.Close())
	}
	go func() {
		f.err = fmt.Errorf("the function ended: %w", exitError(command.Wait()))
		close(f.exited)
	}()
	return f, nil
}

func exitError(err error) error {
	if err == nil {
		return errors.New("exit status 0")
	}
	return err
}

// Invoke gives the function an event and waits for its answer. A function that
// reported an error fails with *Error, one that ended with how it ended.
func (f *Function) Invoke(ctx context.Context, event []byte) ([]byte, error) {
	timeout := f.Timeout
	if timeout == 0 {
		timeout = 10 * time.Second
	}
	f.mu.Lock()
	f.last++
	i := &invocation{id: "request-" + strconv.Itoa(f.last), event: event, deadline: time.Now().Add(timeout), done: make(chan struct{})}
	f.open[i.id] = i
	f.mu.Unlock()
	ctx, cancel := context.WithDeadline(ctx, i.deadline)
	defer cancel()
	select {
	case f.events <- i:
	case <-f.exited:
		return nil, f.err
	case <-ctx.Done():
		return nil, fmt.Errorf("the function asks for no event: %w", ctx.Err())
	}
	select {
	case <-i.done:
		return i.answer, i.err
	case <-f.exited:
		return nil, f.err
	case <-ctx.Done():
		return nil, fmt.Errorf("no answer in %v: %w", timeout, ctx.Err())
	}
}

// Wait waits until the function has ended, and says how.
func (f *Function) Wait(ctx context.Context) error {
	select {
	case <-f.exited:
		return f.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Log is what the function has written so far.
func (f *Function) Log() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.log.String()
}

// Close ends the function.
func (f *Function) Close() error {
	f.cancel()
	<-f.exited
	return f.server.Close()
}

func (f *Function) next(w http.ResponseWriter, r *http.Request) {
	select {
	case i := <-f.events:
		w.Header().Set("Lambda-Runtime-Aws-Request-Id", i.id)
		w.Header().Set("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(i.deadline.UnixMilli(), 10))
		w.Header().Set("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:us-east-1:123456789012:function:test")
		w.Header().Set("Lambda-Runtime-Trace-Id", "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Sampled=0")
		_, _ = w.Write(i.event)
	case <-r.Context().Done():
	}
}

func (f *Function) response(w http.ResponseWriter, r *http.Request) {
	f.finish(w, r, func(i *invocation, body []byte) { i.answer = body })
}

func (f *Function) failure(w http.ResponseWriter, r *http.Request) {
	f.finish(w, r, func(i *invocation, body []byte) {
		i.err = &Error{Type: r.Header.Get("Lambda-Runtime-Function-Error-Type"), Body: strings.TrimSpace(string(body))}
	})
}

func (f *Function) finish(w http.ResponseWriter, r *http.Request, set func(*invocation, []byte)) {
	body, err := io.ReadAll(r.Body)
	f.mu.Lock()
	i := f.open[r.PathValue("id")]
	delete(f.open, r.PathValue("id"))
	f.mu.Unlock()
	switch {
	case i == nil:
		http.Error(w, `{"errorType":"InvalidRequestID"}`, http.StatusBadRequest)
		return
	case err != nil:
		i.err = fmt.Errorf("reading the answer: %w", err)
	default:
		set(i, body)
	}
	close(i.done)
	w.WriteHeader(http.StatusAccepted)
}

// logWriter collects a function's output.
type logWriter Function

func (w *logWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.log.Write(p)
}
