package local

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"runtime"
	"time"

	"wecom-archive/shared/capture"
	"wecom-archive/shared/decode"
	"wecom-archive/shared/mediafetch"
	"wecom-archive/shared/store"
	"wecom-archive/shared/wecom/financesdk"
	"wecom-archive/shared/wecom/financesdk/decrypt"
	"wecom-archive/shared/wecom/wecomtest"
)

// library is what the stages reach WeCom through.
type library struct {
	chats   capture.Chats
	files   mediafetch.Library
	opener  decode.Library
	version string
	sha256  string // hex; empty: there is no file
}

// openLibrary takes the simulator itself, or the native library that the operator
// named. That one is given the simulator's address as its proxy. The stand-in of
// infra/sdkstandin understands it; WeCom's own library asks it to connect to
// WeCom, is refused, and so reaches nobody.
func (s *System) openLibrary(ctx context.Context) (library, error) {
	if s.SDK == "" {
		return library{chats: s.Corp, files: s.Corp, opener: wecomtest.Library{}, version: "simulator"}, nil
	}
	info, err := financesdk.Inspect(s.SDK)
	if err != nil {
		return library{}, fmt.Errorf("--sdk: %w", err)
	}
	proxy, err := s.serveSimulator(ctx)
	if err != nil {
		return library{}, err
	}
	secret, err := s.Secrets.Get(ctx, store.SecretArchive)
	if err != nil {
		return library{}, err
	}
	// As in the cloud: who pulls does not decrypt, who decrypts has no secret, and who
	// fetches files does neither.
	chats, err := s.openPool(ctx, financesdk.Config{Corp: corpID, Secret: secret, Proxy: proxy})
	if err != nil {
		return library{}, err
	}
	var files mediafetch.Library // stays nil if none are wanted: a pool starts processes
	if s.FetchMedia {
		if files, err = s.openPool(ctx, financesdk.Config{Corp: corpID, Secret: secret, Proxy: proxy, Children: 4}); err != nil {
			return library{}, err
		}
	}
	opener, err := decrypt.Open(ctx, decrypt.Config{Path: s.SDK, Children: runtime.GOMAXPROCS(0), Log: s.libraryLog()})
	if err != nil {
		return library{}, fmt.Errorf("--sdk: %w", err)
	}
	s.closers = append(s.closers, opener.Close)
	return library{chats: chats, files: files, opener: opener, version: info.Version, sha256: info.SHA256}, nil
}

func (s *System) openPool(ctx context.Context, c financesdk.Config) (*financesdk.Pool, error) {
	c.Path, c.Log = s.SDK, s.libraryLog()
	pool, err := financesdk.Open(ctx, c)
	if err != nil {
		return nil, fmt.Errorf("--sdk: %w", err)
	}
	s.closers = append(s.closers, pool.Close)
	return pool, nil
}

func (s *System) libraryLog() *slog.Logger { return s.Log.With("stage", "library") }

// serveSimulator lets processes of this machine reach the corp, and returns where.
func (s *System) serveSimulator(ctx context.Context) (address string, err error) {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("serving the simulated corp: %w", err)
	}
	server := &http.Server{Handler: s.Corp.SDKHandler(), ReadHeaderTimeout: 10 * time.Second}
	go func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			s.Log.Error("the simulated corp cannot be reached any more", "error", err)
		}
	}()
	s.closers = append(s.closers, server.Close)
	return "http://" + listener.Addr().String(), nil
}
