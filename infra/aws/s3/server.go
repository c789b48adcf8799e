package locals3

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/versity/versitygw/auth"
	"github.com/versity/versitygw/embedgw"
	"github.com/versity/versitygw/s3api"
)

// Region is what the server calls itself, and what clients must sign for.
const Region = "us-east-1"

const (
	maxConnections = 1024
	maxRequests    = 256
	portTries      = 5
	answerTime     = 10 * time.Second
	closeTime      = 3 * time.Second
	clientIdle     = 64 // connections kept open by the client
)

// Config says where the server keeps its data.
type Config struct {
	// Root is the directory that holds the buckets. Start creates it.
	Root string

	// NoSync leaves it to the operating system when data reach the disk. Objects
	// then survive a crash of the process, but not of the machine. For tests.
	NoSync bool
}

// ErrRunning says that this process has a server already. It can have only one,
// since the working directory is the process's.
var ErrRunning = errors.New("a server runs in this process already")

// running is as wide as the working directory that it guards: the process.
var running atomic.Bool

// Server is a running S3. Only one can run in a process at a time.
type Server struct {
	layout   layout
	endpoint string
	client   *s3.Client
	conns    *http.Transport // of client
	workDir  string          // of the process, before Start

	cancel  context.CancelFunc
	stopped chan struct{} // closed when the gateway has ended
	err     error         // why; valid after stopped
}

// Start runs an S3 on a free port of 127.0.0.1 and returns when it answers. ctx
// bounds the start only; Close ends the server. The root credentials are made up
// for this start and never leave the process.
//
// The gateway works with relative paths: Start changes the working directory of
// the process, and Close changes it back. Make other paths absolute before. It
// also prints to os.Stdout when it opens the directory, which Start prevents by
// replacing os.Stdout for that moment: call Start before anything else prints.
func Start(ctx context.Context, config Config) (*Server, error) {
	err := ctx.Err()
	if err == nil && !running.CompareAndSwap(false, true) {
		err = ErrRunning
	}
	var s *Server
	if err == nil {
		if s, err = start(ctx, config); err != nil {
			running.Store(false)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("starting the embedded S3: %w", err)
	}
	return s, nil
}

func start(ctx context.Context, config Config) (*Server, error) {
	workDir, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	root, err := filepath.Abs(config.Root)
	if err != nil {
		return nil, err
	}
	s := &Server{layout: layout{root}, workDir: workDir}
	account := auth.Account{Access: rand.Text(), Secret: rand.Text() + rand.Text(), Role: auth.RoleAdmin}
	for range portTries {
		err = s.run(ctx, config, account)
		// Somebody else may have taken the port between choosing and using it.
		if err == nil || ctx.Err() != nil || !errors.Is(err, errNotListening) {
			break
		}
	}
	if err != nil {
		return nil, errors.Join(err, os.Chdir(workDir))
	}
	return s, nil
}

// errNotListening says that the gateway ended before it listened.
var errNotListening = errors.New("the gateway does not listen")

func (s *Server) run(ctx context.Context, config Config, account auth.Account) error {
	backend, err := openBackend(s.layout, !config.NoSync)
	if err != nil {
		return err
	}
	address, err := freeAddress(ctx)
	if err != nil {
		return err
	}
	listening := make(chan struct{})
	runCtx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	s.cancel, s.stopped = cancel, make(chan struct{})
	go func() {
		defer close(s.stopped)
		s.err = embedgw.RunVersityGW(runCtx, backend, &embedgw.Config{
			RootUserAccess:    account.Access,
			RootUserSecret:    account.Secret,
			Region:            Region,
			Ports:             []string{address},
			MaxConnections:    maxConnections,
			MaxRequests:       maxRequests,
			MultipartMaxParts: 10000,
			Quiet:             true,
			KeepAlive:         true,
			DisableACLs:       true,
			// Given, or the gateway prints that it has none.
			IAMService: auth.NewIAMServiceSingle(account),
			S3Options:  []s3api.Option{s3api.WithOnListen(func() { close(listening) })},
		})
	}()
	s.endpoint = "http://" + address
	s.conns = &http.Transport{MaxIdleConnsPerHost: clientIdle} // and no proxy: it is this machine
	s.client = newClient(s.endpoint, account, s.conns)

	// Not ended by ctx: told to end before it listens, the gateway would go on to
	// listen. It takes milliseconds and no network.
	select {
	case <-listening:
	case <-s.stopped:
		return fmt.Errorf("%w: %w", errNotListening, s.err)
	}
	ctx, done := context.WithTimeout(ctx, answerTime)
	defer done()
	if _, err := s.client.ListBuckets(ctx, &s3.ListBucketsInput{}); err != nil {
		return errors.Join(fmt.Errorf("it does not answer: %w", err), s.stop())
	}
	return nil
}

// freeAddress finds a port that is free now.
func freeAddress(ctx context.Context) (string, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("finding a free port: %w", err)
	}
	address := l.Addr().String()
	return address, l.Close()
}

func newClient(endpoint string, account auth.Account, conns *http.Transport) *s3.Client {
	return s3.New(s3.Options{
		BaseEndpoint: aws.String(endpoint),
		Region:       Region,
		UsePathStyle: true,
		Credentials:  credentials.NewStaticCredentialsProvider(account.Access, account.Secret, ""),
		HTTPClient:   &http.Client{Transport: whole{conns}},
	})
}

// whole sends a request to its end that has begun, though its context ends: the
// gateway complains on stderr about a body that breaks off. It is this machine, so
// nobody waits long.
type whole struct{ http.RoundTripper }

func (w whole) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body == nil || r.Context().Err() != nil {
		return w.RoundTripper.RoundTrip(r)
	}
	return w.RoundTripper.RoundTrip(r.WithContext(context.WithoutCancel(r.Context())))
}

// Client is a client with all rights.
func (s *Server) Client() *s3.Client { return s.client }

// Presigner signs URLs that everybody on this machine can open.
func (s *Server) Presigner() *s3.PresignClient { return s3.NewPresignClient(s.client) }

// Endpoint is the URL of the server.
func (s *Server) Endpoint() string { return s.endpoint }

// Close ends the server after the requests that are under way, and changes the
// working directory back.
func (s *Server) Close() error {
	err := errors.Join(s.stop(), os.Chdir(s.workDir))
	running.Store(false)
	if err != nil {
		return fmt.Errorf("closing the embedded S3: %w", err)
	}
	return nil
}

func (s *Server) stop() error {
	s.conns.CloseIdleConnections()
	s.cancel()
	select {
	case <-s.stopped:
		return s.err
	case <-time.After(closeTime):
		// The gateway waits 10 s for connections on which nothing was asked yet,
		// such as browsers keep. They end with the process.
		return nil
	}
}
