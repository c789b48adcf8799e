package doctor

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	"wecom-archive/shared/archive"
)

// DefaultEcho is a service of AWS that answers a GET with the caller's address.
const DefaultEcho = "https://checkip.amazonaws.com/"

// Echo asks such a service, once for all checks, what address this machine has
// outside, and what time it is there.
type Echo struct {
	URL    string
	Client *http.Client
	Now    func() time.Time

	once    sync.Once
	address netip.Addr
	ahead   time.Duration // our clock before theirs
	dated   bool
	err     error
}

const maxEcho = 256 // bytes of a reply

func (e *Echo) ask(ctx context.Context) { e.once.Do(func() { e.err = e.get(ctx) }) }

func (e *Echo) get(ctx context.Context) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, e.URL, nil)
	if err != nil {
		return err
	}
	before := e.Now()
	resp, err := e.Client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	after := e.Now()
	if date, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
		// Date is cut to the second; on average it is half a second old.
		theirs := date.Add(time.Second / 2)
		e.ahead, e.dated = before.Add(after.Sub(before)/2).Sub(theirs), true
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxEcho))
	if err != nil {
		return fmt.Errorf("reading the answer of %s: %w", e.URL, err)
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", e.URL, resp.Status)
	}
	if e.address, err = netip.ParseAddr(strings.TrimSpace(string(body))); err != nil {
		return fmt.Errorf("%s answers with something that is no address", e.URL)
	}
	return nil
}

// Address compares the address that this machine has outside with the one that WeCom
// is to trust. An invalid trusted is not known.
func (e *Echo) Address(trusted netip.Addr) Check {
	return one(CheckAddress, func(ctx context.Context, _ archive.Checkup) finding {
		e.ask(ctx)
		switch {
		case e.err != nil:
			return look(say("The address outside could not be learned: %v.", "无法获知出口 IP：%v。", e.err), say(
				"Of a stack it is right if WeCom answers: line wecom.", "对已部署的系统，若 wecom 一行正常，则出口 IP 正确。"))
		case !trusted.IsValid():
			return look(say("The address outside is %s.", "出口 IP 为 %s。", e.address), say(
				"It must stand in the console: 会话内容存档 → 可信IP地址. Give --trusted-ip to have it compared.",
				"它必须出现在管理后台“会话内容存档 → 可信IP地址”中。用 --trusted-ip 可自动比较。"))
		case e.address.Unmap() != trusted.Unmap():
			return act(say("The address outside is %s, not %s.", "出口 IP 为 %s，而不是 %s。", e.address, trusted), say(
				"WeCom trusts one of them only: let this machine out through %[2]s, or put %[1]s into the console too (会话内容存档 → 可信IP地址).",
				"请让本机从 %[2]s 出网，或把 %[1]s 也加入管理后台“会话内容存档 → 可信IP地址”。", e.address, trusted))
		}
		return ok(say("The address outside is %s, as expected. It must stand in the console: 会话内容存档 → 可信IP地址.",
			"出口 IP 为 %s，符合预期。它必须出现在管理后台“会话内容存档 → 可信IP地址”中。", e.address))
	})
}

const (
	clockOff  = time.Minute // from here on times of pages and of alarms mislead
	clockSlow = 5 * time.Second
)

// Clock compares this machine's clock with that of the service.
func (e *Echo) Clock() Check {
	return one(CheckClock, func(ctx context.Context, _ archive.Checkup) finding {
		e.ask(ctx)
		remedy := say(
			"Let the machine keep its time with NTP: five-day limits and records of looks count by it.",
			"请用 NTP 校时：五天期限和调阅记录都以此时钟为准。")
		off := e.ahead.Abs().Round(time.Second)
		switch {
		case !e.dated:
			return look(say("There was no clock to compare with.", "没有可供比较的时钟。"), remedy)
		case off >= clockOff:
			return act(say("The clock is %s from %s's.", "本机时钟与 %[2]s 相差 %[1]s。", off, e.URL), remedy)
		case off >= clockSlow:
			return look(say("The clock is %s from %s's.", "本机时钟与 %[2]s 相差 %[1]s。", off, e.URL), remedy)
		}
		return ok(say("The clock is right.", "时钟正确。"))
	})
}
