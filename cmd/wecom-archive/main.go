// Command wecom-archive is the operator's command line: it runs the whole system
// on one machine (local), and works on an archive, there or on AWS: keys, secrets,
// pulls, and what makes the rest again from the objects.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"

	"wecom-archive/shared/doctor"
	"wecom-archive/shared/program"
	"wecom-archive/shared/wecom/financesdk"
	"wecom-archive/shared/wecom/financesdk/decrypt"
)

func main() {
	if status, host := financesdk.RunHost(os.Args); host {
		os.Exit(status) // a process for WeCom's library, started by --sdk
	}
	if status, host := decrypt.RunHost(os.Args); host {
		os.Exit(status)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// The first Ctrl-C asks to stop. From then on one ends the process, even if
	// it cannot stop, as when nobody reads what it writes.
	context.AfterFunc(ctx, stop)
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// commands is what the command line understands.
type commands struct {
	Local    localCommand     `cmd:"" help:"Run the whole system on this machine, on a simulated company (在本机运行整套系统,使用模拟数据)."`
	Doctor   doctorCommand    `cmd:"" help:"Look whether all is in place, and say what to do where it is not (体检). Exit status 1 if something is wrong."`
	Status   statusCommand    `cmd:"" help:"Say how the archive is (运行状态). Exit status 1 if somebody has to act."`
	Scrub    scrubCommand     `cmd:"" help:"Read the whole archive again, and compare it with what it must be (复核). Exit status 1 if something is not."`
	Damage   damageCommand    `cmd:"" help:"List what is missing or altered, or acknowledge it (损坏)."`
	Pull     pullCommand      `cmd:"" help:"Pull once, now (立即拉取)."`
	Keys     keysCommand      `cmd:"" help:"RSA keys of the company (密钥)."`
	Secrets  secretsCommand   `cmd:"" help:"Secrets that WeCom's console shows."`
	Media    mediaCommand     `cmd:"" help:"List files that are lost or failed (媒体文件)."`
	Redrive  redriveCommand   `cmd:"" help:"Try again what could not be read (重试待解密消息)."`
	Reindex  reindexCommand   `cmd:"" help:"Make the index again from the archive's objects (重建索引)."`
	Compact  compactCommand   `cmd:"" help:"Put the messages of each conversation together, for fast reading."`
	Reparse  reparseCommand   `cmd:"" help:"Read all messages again with the parser of this program."`
	People   peopleCommand    `cmd:"" help:"List the people in the archive, by name where one is known (人员)."`
	Rooms    roomsCommand     `cmd:"" help:"List the rooms in the archive (群聊)."`
	Consent  consentCommand   `cmd:"" help:"Say who agreed to being archived, refused, or has not answered (存档同意情况)."`
	Coverage coverageCommand  `cmd:"" help:"Say who should be archived and is not (覆盖检查)."`
	Takeover takeoverCommand  `cmd:"" help:"Take over a folder that an earlier version of local made (接管旧版本的数据目录): each object is read once, and the index made again."`
	Version  kong.VersionFlag `help:"Print the version."`
}

// streams are where a command reads and writes: results go to Out, everything else
// to Err.
type streams struct {
	In       io.Reader
	Out, Err io.Writer
}

// version is that of this program.
type version string

// errInterrupted is returned by a command that was told to stop before it had done
// what it was asked for.
var errInterrupted = errors.New("interrupted")

// statusInterrupted is what shells report of a program that Ctrl-C ended.
const statusInterrupted = 130

// run is main with its surroundings given; it returns the exit status.
func run(ctx context.Context, args []string, in io.Reader, out, errOut io.Writer) int {
	var cli commands
	exited := -1
	parser, err := kong.New(&cli,
		kong.Name("wecom-archive"),
		kong.Description("Archive of a company's WeCom chats (企业微信会话内容存档)."),
		kong.Vars{"version": program.Version(), "listen": defaultListen, "echo": doctor.DefaultEcho},
		kong.Writers(out, errOut),
		kong.Exit(func(status int) { exited = status }),
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Bind(streams{in, out, errOut}, version(program.Version())),
	)
	if err != nil {
		fmt.Fprintln(errOut, "wecom-archive:", err)
		return 2
	}
	command, err := parser.Parse(args)
	if exited >= 0 { // --help and --version have answered
		return exited
	}
	if err != nil {
		fmt.Fprintf(errOut, "wecom-archive: %v\nSee: wecom-archive --help\n", err)
		return 2
	}
	err = command.Run()
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errInterrupted), ctx.Err() != nil && errors.Is(err, context.Canceled):
		fmt.Fprintln(errOut, "wecom-archive: interrupted before all was done; a second start continues")
		return statusInterrupted
	default:
		fmt.Fprintln(errOut, "wecom-archive:", err)
		return 1
	}
}
