package main

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"wecom-archive/infra/local"
	"wecom-archive/shared/archive"
	"wecom-archive/shared/store"
)

// expected is the state, and the reason, that a fate ends in.
var expected = map[fate]struct {
	state  archive.MediaState
	reason archive.MediaReason
	md5    archive.Verdict
}{
	plain: {archive.MediaStored, "", archive.VerdictMatch}, late: {archive.MediaStored, "", archive.VerdictMatch},
	lies: {archive.MediaStored, "", archive.VerdictMismatch}, silent: {archive.MediaStored, "", archive.VerdictAbsent},
	gone:    {archive.MediaLost, archive.ReasonExpired, ""},
	never:   {archive.MediaFailed, archive.ReasonUnavailable, ""},
	garbled: {archive.MediaFailed, archive.ReasonUnreadable, ""},
}

// check compares links and stored files with the truth.
func check(ctx context.Context, o options) (err error) {
	system, err := local.OpenArchive(ctx, local.Config{Dir: o.data(), Program: "mediaload", Now: time.Now, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, system.Close()) }()
	links, err := allLinks(ctx, system.Objects)
	if err != nil {
		return err
	}
	f, err := os.Open(filepath.Join(o.dir, truthFile))
	if err != nil {
		return err
	}
	defer f.Close()
	counts, wanted := map[string]int{}, map[string]bool{}
	wrong, refs := 0, 0
	for lines := bufio.NewScanner(f); lines.Scan(); refs++ {
		var t truth
		if err := json.Unmarshal(lines.Bytes(), &t); err != nil {
			return err
		}
		want, l := expected[t.Fate], links[t.MsgID+" "+t.Path]
		ok := l.State == want.state && l.Reason == want.reason && l.MD5Verdict == want.md5
		if want.state == archive.MediaStored {
			ok = ok && l.SHA256 == t.SHA256 && l.Size == t.Size
			wanted[t.SHA256] = true
		}
		counts[fmt.Sprintf("%s: %s %s", t.Fate, l.State, l.Reason)]++
		if !ok {
			if wrong++; wrong <= 10 {
				fmt.Printf("wrong: %+v, linked as %+v\n", t, l)
			}
		}
	}
	for _, what := range slices.Sorted(maps.Keys(counts)) {
		fmt.Printf("%6d %s\n", counts[what], what)
	}
	stored, bad, bytes, err := checkFiles(ctx, system.Objects, wanted)
	if err != nil {
		return err
	}
	fmt.Printf("%d references, %d links, %d files with %d MB stored\n", refs, len(links), stored, bytes>>20)
	if wrong+bad > 0 || len(wanted) > 0 || refs != len(links) {
		return fmt.Errorf("%d references are wrong, %d stored files, %d files are missing", wrong, bad, len(wanted))
	}
	return nil
}

// allLinks are the links that count, by message and path.
func allLinks(ctx context.Context, objects store.Objects) (map[string]archive.Link, error) {
	links := map[string]archive.Link{}
	pages := map[uint64]bool{}
	for info, err := range objects.List(ctx, archive.LinksPrefix, "") {
		if err != nil {
			return nil, err
		}
		day, asked, _, ok := archive.ParseLinksKey(info.Key)
		if !ok {
			return nil, fmt.Errorf("%s: not the key of links", info.Key)
		}
		if pages[asked] {
			continue
		}
		pages[asked] = true
		pulled, err := time.Parse(time.DateOnly, day)
		if err != nil {
			return nil, err
		}
		page, err := archive.ReadPageLinks(ctx, objects, pulled, asked)
		if err != nil {
			return nil, err
		}
		for _, l := range page.All() {
			links[l.MsgID+" "+l.Path] = l
		}
	}
	return links, nil
}

// checkFiles reads all files, and takes those that are right from wanted. It says
// how many there are, and how many should not be there or are not what their key
// says.
func checkFiles(ctx context.Context, objects store.Objects, wanted map[string]bool) (files, bad int, bytes int64, err error) {
	for info, err := range objects.List(ctx, archive.MediaPrefix, "") {
		if err != nil {
			return files, bad, bytes, err
		}
		body, _, err := objects.Get(ctx, info.Key)
		if err != nil {
			return files, bad, bytes, err
		}
		hash := sha256.New()
		_, err = io.Copy(hash, body)
		if err := errors.Join(err, body.Close()); err != nil {
			return files, bad, bytes, err
		}
		sum := hex.EncodeToString(hash.Sum(nil))
		if files++; !wanted[sum] || filepath.Base(info.Key) != sum {
			fmt.Printf("wrong: %s holds %s\n", info.Key, sum)
			bad++
		}
		bytes += info.Size
		delete(wanted, sum)
	}
	return files, bad, bytes, nil
}
