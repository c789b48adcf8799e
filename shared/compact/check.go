package compact

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash/fnv"
	"strings"
	"time"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/compaction"
	"wecom-archive/shared/extract"
	"wecom-archive/shared/store"
)

// Nobody puts back what is lost of the derived bucket, so each Run looks whether what the
// switches name is there: sizes, footers, directories, and all bytes of a share of the
// objects, another one each day, and of those that somebody could not read.

// How many objects are read whole in a day: all, if they are few, or one in so many.
const (
	readWholeDaily = 64
	readWholeDays  = 30
)

// cannotRead says whether an error tells of the thing that was read, and not of the way
// there.
func cannotRead(err error) bool {
	return errors.Is(err, store.ErrDamaged) || errors.Is(err, store.ErrIndexDamaged) || errors.Is(err, store.ErrNotFound)
}

// checkup looks through what the switches of months name.
type checkup struct {
	c        *Compactor
	day      int             // counts days
	share    int             // one object in so many is read whole
	suspects map[string]bool // objects that somebody could not read
	until    time.Time       // zero: no limit

	found []archive.Finding // of the month that is looked at
}

// errNoTime ends a look before its end.
var errNoTime = errors.New("no time left")

// checkMonths looks through the months, beginning with another one each
// day in case that there is no time for all. It returns what is wrong, by month: nothing of
// months that are whole, and no entry of those that it did not get to.
func (c *Compactor) checkMonths(ctx context.Context, now time.Time, suspects map[string]bool) (map[string][]archive.Finding, error) {
	names, err := c.Months(ctx, now)
	if err != nil || len(names) == 0 {
		return nil, err
	}
	k := &checkup{c: c, day: int(now.Unix() / (24 * 60 * 60)), suspects: suspects}
	if deadline, ok := ctx.Deadline(); ok {
		k.until = time.Now().Add(time.Until(deadline)/3 - spare)
	}
	states, objects := make([]compaction.State, len(names)), 0
	broken := make([]error, len(names))
	for i, name := range names {
		if states[i], broken[i] = c.Compactions.Month(ctx, name); broken[i] != nil && !cannotRead(broken[i]) {
			return nil, broken[i]
		}
		for _, run := range states[i].Runs {
			objects += run.Objects
		}
	}
	k.share = min(max(1, (objects+readWholeDaily-1)/readWholeDaily), readWholeDays)
	wrong := map[string][]archive.Finding{}
	for n := range names {
		i := (n + k.day) % len(names)
		k.found = nil
		err := broken[i]
		if err != nil {
			k.note(compaction.Prefix+names[i], err)
		} else if err = k.month(ctx, states[i]); err != nil {
			if errors.Is(err, errNoTime) {
				if len(k.found) > 0 {
					wrong[names[i]] = k.found
				}
				c.Log.Info("there was no time to check all that is compacted", "months", n, "of", len(names))
				return wrong, nil
			}
			return nil, fmt.Errorf("checking the compaction of %s: %w", names[i], err)
		}
		wrong[names[i]] = k.found
	}
	return wrong, nil
}

// note keeps what is wrong with an object, or with what the index says of a run.
func (k *checkup) note(key string, cause error) {
	f := archive.Finding{Where: archive.InDerived, Kind: archive.Altered, Key: key, By: stage, Detail: "it is not what was put there"}
	switch {
	case errors.Is(cause, store.ErrNotFound):
		f.Kind, f.Detail = archive.Missing, "it is not there"
	case errors.Is(cause, archive.ErrNewFormat):
		f.Detail = "searches cannot use it: another version of the program folded its texts"
	}
	k.found = append(k.found, f)
}

// weigh is what came of a look at something: that it is not as it must be, or an error.
func (k *checkup) weigh(key string, err error) error {
	if err != nil && cannotRead(err) {
		k.note(key, err)
		return nil
	}
	return err
}

func (k *checkup) month(ctx context.Context, m compaction.State) error {
	if len(m.Runs) == 0 && m.Rebuild == nil {
		parts, err := k.c.Conversations.CompactedParts(ctx, m.Month)
		if err == nil && len(parts) > 0 {
			err = fmt.Errorf("%d parts are compacted, and there is no run: %w", len(parts), store.ErrNotFound)
		}
		return k.weigh(compaction.Prefix+m.Month, err)
	}
	for _, run := range m.Runs {
		sizes := map[string]int64{}
		for info, err := range k.c.Derived.List(ctx, compaction.RunPrefix(m.Month, run.ID)+"/", "") {
			if err != nil {
				return err
			}
			sizes[info.Key] = info.Size
		}
		if err := k.weigh(compaction.RunPrefix(m.Month, run.ID), k.directory(ctx, m.Month, run, sizes)); err != nil {
			return err
		}
		if err := k.extracts(ctx, m.Month, run, sizes); err != nil {
			return err
		}
	}
	return nil
}

// directory looks through the row groups of a run, and its objects.
func (k *checkup) directory(ctx context.Context, month string, run compaction.Run, sizes map[string]int64) error {
	var last *compaction.RowGroup
	var object []compaction.RowGroup // row groups of the object that is read
	objects, rows := 0, int64(0)
	for {
		some, err := k.c.Compactions.AllRowGroups(ctx, run.ID, last, 100)
		if err != nil {
			return err
		}
		for _, g := range some {
			if err := errors.Join(g.Check(month, run), g.CheckOwn()); err != nil {
				return err
			}
			if last == nil && g.Number != 0 || last != nil && g.Number != last.Number+1 {
				return fmt.Errorf("row group %d follows nothing: %w", g.Number, store.ErrDamaged)
			}
			if len(object) > 0 && object[0].Object != g.Object {
				if err := k.object(ctx, object, sizes); err != nil {
					return err
				}
				object, objects = nil, objects+1
			}
			if g.Object != compaction.Key(month, run.ID, objects) {
				return fmt.Errorf("row group %d lies in another object: %w", g.Number, store.ErrDamaged)
			}
			object, rows, last = append(object, g), rows+int64(g.Rows), &g
		}
		if len(some) < 100 {
			break
		}
	}
	if len(object) > 0 {
		if err := k.object(ctx, object, sizes); err != nil {
			return err
		}
		objects++
	}
	if rows != run.Rows || objects != run.Objects {
		return fmt.Errorf("%d rows of %d and %d objects of %d are in the directory: %w", rows, run.Rows, objects, run.Objects, store.ErrDamaged)
	}
	return nil
}

// object looks at an object of row groups, which are all that it has.
func (k *checkup) object(ctx context.Context, groups []compaction.RowGroup, sizes map[string]int64) error {
	key := groups[0].Object
	whole, err := k.begin(ctx, key, sizes)
	if err != nil {
		return k.weigh(key, err)
	}
	return k.weigh(key, func() error {
		if sizes[key] != groups[0].Size {
			return fmt.Errorf("%s has %d bytes, not %d: %w", key, sizes[key], groups[0].Size, store.ErrDamaged)
		}
		layout, _ := groups[0].Layout()
		footer, err := k.c.Derived.GetRange(ctx, key, layout.Footer, layout.Size-layout.Footer)
		if err == nil {
			err = layout.CheckFooter(footer)
		}
		for i := 0; err == nil && whole && i < len(groups); i++ {
			var data []byte
			if data, err = k.c.Derived.GetRange(ctx, key, groups[i].Offset, groups[i].Length); err == nil {
				err = groups[i].CheckBytes(data)
			}
		}
		return err
	}())
}

// begin says whether an object's turn has come to be read whole.
func (k *checkup) begin(ctx context.Context, key string, sizes map[string]int64) (whole bool, err error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	if !k.until.IsZero() && time.Now().After(k.until) {
		return false, errNoTime
	}
	if _, there := sizes[key]; !there {
		return false, fmt.Errorf("%s: %w", key, store.ErrNotFound)
	}
	h := fnv.New32a()
	h.Write([]byte(key))
	return k.suspects[key] || int(h.Sum32()%uint32(k.share)) == k.day%k.share, nil
}

// extracts looks at the extracts of a run and their directories.
func (k *checkup) extracts(ctx context.Context, month string, run compaction.Run, sizes map[string]int64) error {
	groups := 0
	for n, directory := range run.Extracts {
		key := extract.DirectoryKey(month, run.ID, n)
		_, err := k.begin(ctx, key, sizes)
		var blocks []extract.Block
		if err == nil {
			blocks, err = k.blocks(ctx, key, directory)
		}
		if errors.Is(err, archive.ErrNewFormat) {
			k.note(key, err)
			return nil // what its entries say is not known
		}
		if err != nil {
			if err = k.weigh(key, err); err != nil {
				return err
			}
			groups = run.Groups // these are said to be wrong already
			continue
		}
		groups += len(blocks)
		for len(blocks) > 0 {
			same := 1
			for same < len(blocks) && blocks[same].Object == blocks[0].Object {
				same++
			}
			key := extract.Key(month, run.ID, blocks[0].Object)
			if err := k.weigh(key, k.sections(ctx, key, blocks[:same], sizes)); err != nil {
				return err
			}
			blocks = blocks[same:]
		}
	}
	if len(run.Extracts) > 0 && groups < run.Groups {
		k.note(extract.DirectoryKey(month, run.ID, 0), store.ErrDamaged)
	}
	return nil
}

func (k *checkup) blocks(ctx context.Context, key string, directory compaction.ExtractDirectory) ([]extract.Block, error) {
	data, err := k.c.Derived.GetRange(ctx, key, 0, directory.Length+1)
	if err != nil {
		return nil, err
	}
	return extract.DecodeDirectory(data, directory)
}

// sections looks at an object of extracts, of which blocks are all.
func (k *checkup) sections(ctx context.Context, key string, blocks []extract.Block, sizes map[string]int64) error {
	whole, err := k.begin(ctx, key, sizes)
	if err != nil {
		return err
	}
	var end int64
	for i := range blocks {
		for _, s := range []extract.Section{blocks[i].Texts, blocks[i].Facts, blocks[i].Originals} {
			end = max(end, s.Offset+s.Length)
		}
	}
	if sizes[key] != end {
		return fmt.Errorf("%s has %d bytes, not %d: %w", key, sizes[key], end, store.ErrDamaged)
	}
	if !whole {
		return nil
	}
	for i := range blocks {
		for _, s := range []extract.Section{blocks[i].Texts, blocks[i].Facts, blocks[i].Originals} {
			data, err := k.c.Derived.GetRange(ctx, key, s.Offset, s.Length)
			if err != nil {
				return err
			}
			if sha256.Sum256(data) != s.Sum {
				return fmt.Errorf("%s: bytes from %d on differ from their SHA-256: %w", key, s.Offset, store.ErrDamaged)
			}
		}
	}
	return nil
}

// ofMonth says whether the key of an object, or of what the index says of a run, belongs to
// a month.
func ofMonth(key, month string) bool {
	rest, ok := strings.CutPrefix(key, compaction.Prefix+month)
	return ok && (rest == "" || rest[0] == '/')
}
