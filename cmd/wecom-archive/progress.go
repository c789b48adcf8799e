package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"wecom-archive/infra/local"
	"wecom-archive/shared/plural"
)

// plainEvery is how often a line is printed where there is no terminal.
const plainEvery = 10 * time.Second

// progress shows how far the archive is: a bar on a terminal, lines elsewhere.
type progress struct {
	w    io.Writer
	bar  *progressbar.ProgressBar // nil: lines
	last time.Time
	seen local.Progress
}

func newProgress(w io.Writer) *progress {
	p := &progress{w: w}
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		p.bar = progressbar.NewOptions(-1,
			progressbar.OptionSetWriter(w),
			progressbar.OptionSetDescription("archiving"),
			progressbar.OptionShowCount(),
			progressbar.OptionShowIts(),
			progressbar.OptionSetItsString("messages"),
			progressbar.OptionThrottle(100*time.Millisecond),
			progressbar.OptionSetPredictTime(true),
			progressbar.OptionFullWidth(),
		)
	}
	return p
}

// show is called several times a second.
func (p *progress) show(now local.Progress) {
	changed := now != p.seen
	p.seen = now
	if p.bar != nil {
		p.bar.ChangeMax(max(now.Total, 1))
		_ = p.bar.Set(now.Archived + now.Quarantined)
		return
	}
	if !changed || time.Since(p.last) < plainEvery {
		return
	}
	p.last = time.Now()
	p.line()
}

// finish leaves the last state on the screen.
func (p *progress) finish() {
	if p.bar != nil {
		fmt.Fprintln(p.w)
		return
	}
	p.line()
}

func (p *progress) line() {
	fmt.Fprintf(p.w, "%d of %s archived, %s pulled, %d waiting, %d not decrypted\n",
		p.seen.Archived, plural.Of(p.seen.Total, "message"), plural.Of(p.seen.Pages, "page"), p.seen.Pending, p.seen.Quarantined)
}
