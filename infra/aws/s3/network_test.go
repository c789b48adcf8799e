package locals3_test

import (
	"context"
	"net"
	"net/http"
	"strings"
	"testing"
)

type netDialer struct{ net.Dialer }

func (d *netDialer) dial(ctx context.Context, endpoint string) (net.Conn, error) {
	return d.DialContext(ctx, "tcp", strings.TrimPrefix(endpoint, "http://"))
}

func anonymousGet(t *testing.T, url string) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	return resp.StatusCode
}
