// Mediaload proves and measures the media stage on a whole system in one process:
// puller, archiver and media stage on the embedded S3 and SQLite, fed with made-up
// messages that refer to made-up files of 1 byte to 200 MB. infra/bench/media.sh runs it.
//
//	generate  writes corpus.jsonl, the messages, and truth.jsonl, what must become of
//	          each file
//	run       archives all of it, and prints counts and peak memory
//	kill      does the same in processes that are killed at random
//	check     compares what is stored with the truth
//	large     fetches a file of more than 2 GiB, into S3 in parts
//	bench     compares the stage with the plain loop of a wrapper, at 20 ms a slice
//
// Files of each fate are among them: md5 that lies or is missing, gone, 10002 five
// times and then there, 10002 for ever, not decryptable, and one file in many
// messages.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strings"
	"time"

	"wecom-archive/infra/local"
)

type options struct {
	dir             string
	messages, media int
	bytes           int64
	kills           int
	pause           time.Duration // until the first kill, at most
	memory          int64         // MB, at most
}

func main() {
	var o options
	flag.StringVar(&o.dir, "dir", "", "folder")
	flag.IntVar(&o.messages, "messages", 20_000, "messages")
	flag.IntVar(&o.media, "media", 3_000, "files")
	flag.Int64Var(&o.bytes, "bytes", 3<<30, "of all files, about")
	flag.IntVar(&o.kills, "kills", 20, "how often to kill")
	flag.DurationVar(&o.pause, "pause", 4*time.Second, "longest time before a kill")
	flag.Int64Var(&o.memory, "memory", 256, "peak memory in MB that is too much; 0: any")
	flag.Parse()
	steps := map[string]func(context.Context, options) error{
		"generate": generate, "run": run, "kill": kill, "check": check, "bench": bench, "large": large,
	}
	step := steps[flag.Arg(0)]
	if step == nil || o.dir == "" {
		flag.Usage()
		os.Exit(2)
	}
	var err error
	if o.dir, err = filepath.Abs(o.dir); err == nil {
		err = step(context.Background(), o)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "mediaload:", err)
		os.Exit(1)
	}
}

// data is the folder of the archive.
func (o options) data() string { return filepath.Join(o.dir, "archive") }

// later are the times after the first run at which the system runs again, so that
// files which have to wait are tried: until five days are over.
var later = []time.Duration{0, 15 * time.Minute, 40 * time.Minute, 90 * time.Minute, 3 * time.Hour, 6 * time.Hour, 12 * time.Hour,
	24 * time.Hour, 48 * time.Hour, 72 * time.Hour, 96 * time.Hour, 110 * time.Hour, 119 * time.Hour, 121 * time.Hour}

// run archives everything, and lets the five days pass.
func run(ctx context.Context, o options) error {
	debug.SetMemoryLimit(128 << 20)
	started := time.Now()
	var sum local.Summary
	for _, shift := range later {
		var err error
		if sum, err = o.runAt(ctx, shift); err != nil {
			return err
		}
		if sum.Media.Pending == 0 {
			break
		}
	}
	peak, err := peakMB()
	if err != nil {
		return err
	}
	text, err := json.Marshal(sum)
	if err != nil {
		return err
	}
	fmt.Printf("%s\n%.0f s, peak memory %d MB\n", text, time.Since(started).Seconds(), peak)
	if o.memory > 0 && peak >= o.memory {
		return fmt.Errorf("peak memory is %d MB, want less than %d", peak, o.memory)
	}
	return nil
}

// runAt archives what is left at a time after now.
func (o options) runAt(ctx context.Context, shift time.Duration) (sum local.Summary, err error) {
	now := func() time.Time { return time.Now().Add(shift) }
	system, err := local.Open(ctx, local.Config{
		Dir: o.data(), Corpus: filepath.Join(o.dir, corpusFile), Limit: 1000, Program: "mediaload", Now: now,
		Log:   slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError})),
		Media: &source{dir: filepath.Join(o.dir, "tries")}, SpoolLimit: 1 << 30,
	})
	if err != nil {
		return sum, err
	}
	defer func() {
		if closeErr := system.Close(); err == nil {
			err = closeErr
		}
	}()
	if err := system.Run(ctx, true, nil); err != nil {
		return sum, err
	}
	return system.Summary(ctx, now())
}

// peakMB is the highest resident memory of this process.
func peakMB() (int64, error) {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		var kib int64
		if n, _ := fmt.Sscanf(line, "VmHWM: %d kB", &kib); n == 1 {
			return kib >> 10, nil
		}
	}
	return 0, fmt.Errorf("no VmHWM in /proc/self/status")
}

// kill runs the system in processes that are killed at random, and then to its end.
func kill(ctx context.Context, o options) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	r := rand.New(rand.NewPCG(1, 2))
	child := func() *exec.Cmd {
		cmd := exec.CommandContext(ctx, self, "-dir", o.dir, "-memory", "0", "run")
		cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
		return cmd
	}
	for n := range o.kills {
		cmd := child()
		if err := cmd.Start(); err != nil {
			return err
		}
		wait := 200*time.Millisecond + time.Duration(r.Int64N(int64(o.pause)))
		timer := time.AfterFunc(wait, func() { _ = cmd.Process.Kill() }) // it may be done already
		err := cmd.Wait()
		timer.Stop()
		if err == nil {
			fmt.Printf("done before kill %d\n", n+1)
			break
		}
		if cmd.ProcessState.ExitCode() >= 0 {
			return fmt.Errorf("run %d: %w", n+1, err)
		}
		fmt.Printf("killed after %v\n", wait.Round(time.Millisecond))
	}
	return child().Run()
}
