//go:build !race

package local_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"wecom-archive/infra/local"
	"wecom-archive/shared/archive"
	"wecom-archive/shared/damage"
	"wecom-archive/shared/localstore"
	"wecom-archive/shared/rebuild"
)

// leastKinds is how many rows the matrix has at least: those of the kit that first
// damaged archives so, and ten more.
const leastKinds = 90

// Why rows wait.
const (
	// Searches pass over a switch that is gone or garbled.
	waitsSwitch = "searches that say which switches are not there"
	// A page that was acknowledged as lost stays in the quarantine, and so in its alarm.
	waitsQuarantine = "a quarantine without pages that somebody took note of"
	// Nothing compares the cursor with the pages.
	waitsCursor = "a check of the cursor"
	// The status cannot be told while the state of a page cannot be read.
	waitsStatus = "a status that passes over what cannot be read"
)

// waits are rows that fail until something else is there. The list is exact.
var waits = map[string]string{
	"switches gone":    waitsSwitch,
	"a switch garbled": waitsSwitch,

	"page missing, made anew": waitsQuarantine,

	"cursor too far": waitsCursor,
	"cursor too low": waitsCursor,
	"cursor gone":    waitsCursor,

	"the state of a page garbled": waitsStatus,
}

// TestDamageMatrix: whatever happens to an archive, nothing answers that something failed
// inside, nothing says that all is well, no message stands twice, what segments hold is
// found, and what is said to mend it does.
func TestDamageMatrix(t *testing.T) {
	all := kinds()
	names := map[string]bool{}
	for _, k := range all {
		names[k.name] = true
	}
	if len(names) != len(all) || len(all) < leastKinds {
		t.Errorf("%d kinds, %d names, at least %d are wanted", len(all), len(names), leastKinds)
	}
	for name := range waits {
		if !names[name] {
			t.Errorf("%q waits, and is no kind", name)
		}
	}
	base := buildSound(t)
	if len(base.messages) < 200 || base.pages < 8 {
		t.Fatalf("%d messages in %d pages", len(base.messages), base.pages)
	}
	for _, k := range all {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			problems := k.run(t, base)
			why, waiting := waits[k.name]
			switch {
			case waiting && len(problems) == 0:
				t.Errorf("it waits for %s no more: take it off the list", why)
			case waiting:
				t.Logf("waits for %s: %s", why, problems[0])
			case len(problems) > 0:
				t.Errorf("%d problems: %s", len(problems), strings.Join(problems[:min(6, len(problems))], "\n"))
			}
		})
	}
}

// world is a damaged archive that is open, or is not.
type world struct {
	t        *testing.T
	base     *sound
	dir      string
	system   *local.System // nil: it does not open
	handlers handlers
	problems []string
}

func (w *world) problem(format string, args ...any) {
	w.problems = append(w.problems, fmt.Sprintf(format, args...))
}

// open opens the archive, as commands do.
func (w *world) open() error {
	system, err := local.OpenArchive(w.t.Context(), matrixConfig(w.dir, matrixNow))
	if err != nil {
		return err
	}
	w.system = system
	w.handlers = handlers{matrixHandler(system, forgetful{}, time.Minute), matrixHandler(system, forgetful{}, time.Nanosecond)}
	return nil
}

func (w *world) close() {
	if w.system != nil {
		closeSystem(w.t, w.system)
	}
	w.system = nil
}

// run damages a copy, and says what does not follow as it must.
func (k kind) run(t *testing.T, base *sound) []string {
	w := &world{t: t, base: base, dir: t.TempDir()}
	base.copyTo(t, w.dir)
	k.damage(&spoiler{t, base, w.dir})
	held := base.held(t, w.dir)
	defer w.close()
	err := w.open()
	if k.refuses != "" && (err == nil || !strings.Contains(err.Error(), k.refuses)) {
		w.problem("it opens, or does not say what to do: %v", err)
	}
	if k.refuses == "" && err != nil {
		w.problem("it does not open: %v", err)
		return w.problems
	}
	switch {
	case k.broken:
		k.saysWhatToDo(w)
	case err == nil:
		k.lookThrough(w, held)
	}
	for _, mend := range k.mends {
		if err := mend.do(w); err != nil {
			w.problem("%s: %v", mend.name, err)
			return w.problems
		}
	}
	if w.system == nil {
		w.problem("it does not open after all")
		return w.problems
	}
	k.after(w)
	return w.problems
}

// lookThrough asks for everything, has the archive read again, and asks again.
func (k kind) lookThrough(w *world, held map[int64]told) {
	before := walkThrough(w.t, w.base, w.handlers, held)
	w.problems = append(w.problems, before.problems...)
	if !k.hides {
		w.problems = append(w.problems, before.missing()...)
	}
	if _, _, err := w.system.Scrub(w.t.Context()); err != nil {
		w.problem("scrubbing: %v", err)
	}
	now := walkThrough(w.t, w.base, w.handlers, held)
	w.problems = append(w.problems, now.problems...)
	if !k.blank {
		w.problems = append(w.problems, now.silent()...)
	}
	if k.says == "" {
		if !now.status.Healthy || now.state == "unhealthy" {
			w.problem("nothing happened, and the status says %+v", now.status)
		}
		return
	}
	if now.status.Healthy || now.state != "unhealthy" {
		w.problem("it is well; the overview says %s", now.state)
	}
	if !slices.Contains(now.status.codes(), k.says) {
		w.problem("the status says %v", now.status.Alarms)
	}
}

// saysWhatToDo: a start says how to be rid of a broken index.
func (k kind) saysWhatToDo(w *world) {
	w.close()
	system, err := local.Reopen(w.t.Context(), matrixConfig(w.dir, matrixNow))
	if err == nil {
		err = errors.Join(system.Run(w.t.Context(), true, nil), system.Close())
	}
	if err == nil || !strings.Contains(err.Error(), "Delete "+w.dir) {
		w.problem("a start says %v", err)
	}
}

// after checks what mending led to.
func (k kind) after(w *world) {
	everything := maps.Clone(w.base.messages)
	if k.loses {
		everything = w.base.held(w.t, w.dir)
	}
	is := walkThrough(w.t, w.base, w.handlers, everything)
	for _, p := range append(is.problems, is.missing()...) {
		w.problem("when it is mended: %s", p)
	}
	if is.unsure && !k.loses {
		w.problem("when it is mended a search is not complete")
	}
	var left []string
	for _, code := range is.status.codes() {
		if !slices.Contains(strings.Fields(k.leaves), code) {
			left = append(left, code)
		}
	}
	if len(left) > 0 || (is.state == "unhealthy") != (k.leaves != "") {
		w.problem("when it is mended the status says %v, the overview %q", is.status.Alarms, is.state)
	}
}

// mend is something that an operator does, or that happens by itself.
type mend struct {
	name string
	do   func(*world) error
}

var (
	restore      = mend{"restore from a copy", (*world).restore}
	scrubAgain   = mend{"scrub", (*world).scrub}
	acknowledge  = mend{"acknowledge", (*world).acknowledge}
	reindex      = mend{"reindex --drop", (*world).reindex}
	compactAgain = mend{"compact", (*world).compact}
	startAnew    = mend{"delete the index and start again", (*world).startAnew}
	takeOver     = mend{"takeover", (*world).takeOver}
)

// restore puts back what a copy of the folder has, and takes away what it has not.
func (w *world) restore() error {
	for path, body := range w.base.files {
		if is, err := os.ReadFile(w.dir + "/" + path); strings.HasPrefix(path, "objects/") && (err != nil || string(is) != string(body)) {
			writeBelow(w.t, w.dir, path, body)
		}
	}
	for _, path := range filesBelow(w.t, w.dir+"/objects") {
		path = "objects/" + path
		if _, ours := w.base.files[path]; !ours && !strings.HasPrefix(path, events) {
			if err := os.Remove(w.dir + "/" + path); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *world) scrub() error {
	_, _, err := w.system.Scrub(w.t.Context())
	return err
}

// acknowledge takes note of all that is open.
func (w *world) acknowledge() error {
	book := damage.New(w.system.Objects, w.system.Catalog.Table, w.system.Corpid(), w.system.Now)
	s, err := book.Summary(w.t.Context())
	for _, e := range s.Open {
		if err == nil && e.Finding.Where == archive.InArchive {
			err = book.Acknowledge(w.t.Context(), e.ID, "the operator", "the copy has none of it")
		}
	}
	return err
}

func (w *world) reindex() error {
	s := w.system
	_, err := rebuild.NewReindexer(rebuild.Config{
		Corp: s.Corpid(), Objects: s.Objects, Versions: s.Versions, Catalog: s.Catalog, Dropper: s.Dropper, Queue: s.Queue(), Now: s.Now, Log: s.Log,
	}).Run(w.t.Context(), true)
	if err != nil {
		return err
	}
	return s.Drain(w.t.Context())
}

func (w *world) compact() error {
	return compactMatrix(w.t, w.system)
}

// startAnew does what the remedy of a damaged index says.
func (w *world) startAnew() error {
	w.close()
	removeIndex(w.t, w.dir)
	system, err := local.Reopen(w.t.Context(), matrixConfig(w.dir, matrixNow))
	if err != nil {
		return err
	}
	err = system.Run(w.t.Context(), true, nil)
	if err = errors.Join(err, system.Close()); err != nil {
		return err
	}
	return w.open()
}

func (w *world) takeOver() error {
	if _, err := localstore.TakeOver(context.WithoutCancel(w.t.Context()), w.dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return w.open()
}
