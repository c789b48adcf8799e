package financesdk_test

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	// Its module ships the vendor's library, in a folder without Go code that is of
	// use; this package is the smallest one of it, and keeps it in go.mod.
	_ "github.com/silenceper/wechat/v2/work/kf/sendmsg"

	"wecom-archive/shared/wecom"
	"wecom-archive/shared/wecom/financesdk"
	"wecom-archive/shared/wecom/financesdk/decrypt"
	"wecom-archive/shared/wecom/financesdk/native"
	"wecom-archive/shared/wecom/financesdk/nativetest"
)

func isCode(err error, code int) bool {
	var refused *wecom.Error
	return errors.As(err, &refused) && refused.Source == wecom.SourceSDK && refused.Code == code
}

func TestVendorFile(t *testing.T) {
	info, err := native.Inspect(nativetest.VendorLibrary(t), append(financesdk.Symbols(), decrypt.Symbols()...)...)
	if err != nil {
		t.Fatal(err)
	}
	if info.Version != "200215" || info.Arch != "amd64" || len(info.Missing) != 0 ||
		info.SHA256 != "47647285b02c399d78d3b5582a8302ec0f08f9eba09456559b2b39547547a38d" ||
		!slices.Equal(info.Extra(), []string{"libz.so.1"}) {
		t.Errorf("%+v", info)
	}
	// Amazon Linux 2023, where Lambda runs it, has glibc 2.34.
	if info.GLIBC != "2.7" {
		t.Errorf("highest glibc symbol %s, want 2.7", info.GLIBC)
	}
}

func openForCorp(t *testing.T, proxy string) *financesdk.Pool {
	p, _ := open(t, financesdk.Config{
		Path: nativetest.VendorLibrary(t), Corp: "ww5117a9e0c0ffee01", Secret: "not-a-secret-at-all",
		Proxy: proxy, ProxyPassword: "user:password", NetworkTimeout: 3 * time.Second,
	})
	return p
}

func TestVendorRefusals(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	proxy := "http://" + closed.Addr().String()
	if err := closed.Close(); err != nil {
		t.Fatal(err)
	}
	p := openForCorp(t, proxy)
	for limit, code := range map[int]int{1000: 10001, 1001: 10000, -1: 10000} {
		if reply, err := p.GetChatData(t.Context(), 0, limit); !isCode(err, code) {
			t.Errorf("limit %d: %q, %v, want %d", limit, reply, err, code)
		}
	}
	if _, err := p.GetMediaData(t.Context(), "", ""); !isCode(err, 10000) && !isCode(err, 10005) {
		t.Errorf("no file: %v", err)
	}
	if _, err := p.GetMediaData(t.Context(), "CtFile", ""); !isCode(err, 10001) {
		t.Errorf("file: %v", err)
	}
}

// TestVendorConnections lets the library connect to a proxy that records what it
// asks for and, meanwhile, looks what other connections its process has.
func TestVendorConnections(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	p := openForCorp(t, "http://"+listener.Addr().String())
	pid := nativetest.Child(t)
	if open, _ := connections(t, pid); len(open) != 0 {
		t.Errorf("after Init it has connections to %v", open)
	}
	type seen struct {
		request string
		open    []string
		visible bool
	}
	asked := make(chan seen, 100)
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				close(asked)
				return
			}
			line, _ := bufio.NewReader(conn).ReadString('\n')
			open, visible := connections(t, pid)
			asked <- seen{strings.TrimSpace(line), open, visible}
			fmt.Fprint(conn, "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
			conn.Close()
		}
	}()
	if _, err := p.GetChatData(t.Context(), 0, 10); !isCode(err, 10001) {
		t.Errorf("GetChatData: %v", err)
	}
	listener.Close()
	var all []seen
	for s := range asked {
		all = append(all, s)
	}
	if len(all) != 1 || all[0].request != "CONNECT qyapi.weixin.qq.com:443 HTTP/1.1" ||
		all[0].visible && !slices.Equal(all[0].open, []string{listener.Addr().String()}) {
		t.Errorf("it asked for %+v", all)
	}
}

// connections are the remote addresses of a process's sockets, as its
// descriptors and the kernel's tables tell. A child's descriptors are visible for
// root only, as CI is.
func connections(t testing.TB, pid int) (remotes []string, visible bool) {
	fds, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	if err != nil {
		t.Error(err)
	}
	sockets := map[string]bool{}
	for _, fd := range fds {
		if to, err := os.Readlink(fd); err == nil && strings.HasPrefix(to, "socket:[") {
			sockets[strings.Trim(to, "socket:[]")] = true
		}
	}
	if len(fds) == 0 && os.Getuid() != 0 {
		return nil, false
	}
	for _, table := range []string{"tcp", "tcp6", "udp", "udp6", "raw", "raw6"} {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/net/%s", pid, table))
		if err != nil {
			continue // no IPv6 here
		}
		for line := range strings.Lines(string(text)) {
			f := strings.Fields(line)
			if len(f) < 10 || !sockets[f[9]] {
				continue
			}
			delete(sockets, f[9])
			remotes = append(remotes, address(f[2]))
		}
	}
	// curl has a pair of sockets between its threads: not named, so nobody else can
	// be at the other end.
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/net/unix", pid))
	if err != nil {
		t.Error(err)
	}
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) == 7 {
			delete(sockets, f[6])
		}
	}
	for inode := range sockets {
		remotes = append(remotes, "socket "+inode)
	}
	return remotes, true
}

// address reads an IPv4 address as the kernel writes it, 0100007F:1F90; others
// are returned as they are.
func address(s string) string {
	host, port, _ := strings.Cut(s, ":")
	ip, err := strconv.ParseUint(host, 16, 32)
	n, err2 := strconv.ParseUint(port, 16, 16)
	if err != nil || err2 != nil {
		return s
	}
	return fmt.Sprintf("%d.%d.%d.%d:%d", byte(ip), byte(ip>>8), byte(ip>>16), byte(ip>>24), n)
}
