package localstore_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"wecom-archive/shared/localstore"
	"wecom-archive/shared/store"
)

func putObject(t *testing.T, objects store.Objects, key, body string) {
	t.Helper()
	if err := objects.PutIfAbsent(t.Context(), key, strings.NewReader(body)); err != nil {
		t.Fatal(err)
	}
}

func wantObject(t *testing.T, objects store.ObjectReader, key, want string) {
	t.Helper()
	got, err := store.ReadObject(t.Context(), objects, key)
	if err != nil || string(got) != want {
		t.Errorf("%s has %.60q, %v; want %.60q", key, got, err, want)
	}
}

func listed(t *testing.T, objects store.ObjectReader) (keys []string) {
	t.Helper()
	for info, err := range objects.List(t.Context(), "", "") {
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, info.Key)
	}
	return keys
}

// versionsOf shows the versions of a key in words.
func versionsOf(t *testing.T, f *localstore.Folder, key string) (all []string) {
	t.Helper()
	for v, err := range f.Objects().ListVersions(t.Context(), "", "") {
		switch {
		case err != nil:
			t.Fatal(err)
		case v.Key != key:
		case v.DeleteMarker:
			all = append(all, "removed")
		case v.Earliest:
			all = append(all, fmt.Sprintf("truth of %d", v.Size))
		default:
			all = append(all, fmt.Sprintf("laid of %d", v.Size))
		}
	}
	slices.Sort(all)
	return all
}

// TestTampered does to a file what somebody can who may write in the folder. No way
// of reading takes it for the object, Versions shows it, and others are as before.
func TestTampered(t *testing.T) {
	const key, body = "pages/dt=1/a", "0123456789"
	for _, test := range []struct {
		name     string
		do       func(path string) error
		want     error
		versions []string
	}{
		{"overwritten", func(path string) error { return os.WriteFile(path, []byte("abcdefghij"), 0o600) }, store.ErrDamaged, []string{"laid of 10", "truth of 10"}},
		{"made longer", func(path string) error { return os.WriteFile(path, []byte(body+"x"), 0o600) }, store.ErrDamaged, []string{"laid of 11", "truth of 10"}},
		{"cut", func(path string) error { return os.Truncate(path, 4) }, store.ErrDamaged, []string{"laid of 4", "truth of 10"}},
		{"emptied", func(path string) error { return os.Truncate(path, 0) }, store.ErrDamaged, []string{"laid of 0", "truth of 10"}},
		{"one bit, and its time put back", func(path string) error {
			info, err := os.Stat(path)
			if err != nil {
				return err
			}
			return errors.Join(os.WriteFile(path, []byte("0123456788"), 0o600), os.Chtimes(path, info.ModTime(), info.ModTime()))
		}, store.ErrDamaged, nil},
		{"replaced by another file", func(path string) error {
			return errors.Join(os.WriteFile(path+".new", []byte("abcdefghij"), 0o600), os.Rename(path+".new", path))
		}, store.ErrDamaged, []string{"laid of 10", "truth of 10"}},
		{"removed", os.Remove, store.ErrNotFound, []string{"removed"}},
		{"its folder removed", func(path string) error { return os.RemoveAll(filepath.Dir(path)) }, store.ErrNotFound, []string{"removed"}},
		{"a link to a file with other bytes", func(path string) error {
			return errors.Join(os.Remove(path), os.Symlink("../../../secret", path))
		}, store.ErrDamaged, []string{"laid of 0"}},
		{"a folder", func(path string) error { return errors.Join(os.Remove(path), os.Mkdir(path, 0o700)) }, store.ErrNotFound, []string{"removed"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "secret"), []byte("abcdefghij"), 0o600); err != nil {
				t.Fatal(err)
			}
			f := openFolder(t, dir)
			putObject(t, f.Objects(), key, body)
			putObject(t, f.Objects(), "pages/dt=2/b", "other")
			if err := test.do(filepath.Join(dir, "objects", filepath.FromSlash(key))); err != nil {
				t.Fatal(err)
			}
			for name, folder := range map[string]*localstore.Folder{"the writer": f, "a newcomer": openFolder(t, dir)} {
				for how, err := range readAll(t, folder, key) {
					if !errors.Is(err, test.want) {
						t.Errorf("%s: %s = %v, want %v", name, how, err, test.want)
					}
				}
				if got := versionsOf(t, folder, key); test.versions != nil && !slices.Equal(got, test.versions) {
					t.Errorf("%s: versions %q, want %q", name, got, test.versions)
				}
				wantObject(t, folder.Objects(), "pages/dt=2/b", "other")
				if got := versionsOf(t, folder, "pages/dt=2/b"); !slices.Equal(got, []string{"truth of 5"}) {
					t.Errorf("%s: the other one has versions %q", name, got)
				}
			}
		})
	}
}

// readAll reads an object in every way there is.
func readAll(t *testing.T, f *localstore.Folder, key string) map[string]error {
	t.Helper()
	_, readErr := store.ReadObject(t.Context(), f.Objects(), key)
	_, rangeErr := f.Objects().GetRange(t.Context(), key, 0, 1)
	_, again := f.Objects().GetRange(t.Context(), key, 0, 1)
	r, _, err := f.Objects().Get(t.Context(), key)
	if err == nil {
		_, err = io.Copy(io.Discard, r) // which uses WriteTo
		err = errors.Join(err, r.Close())
	}
	return map[string]error{"ReadObject": readErr, "GetRange": rangeErr, "a second GetRange": again, "Copy": err}
}

// TestPlanted: what nobody put is listed, is unverified however it is read, and
// keeps a put from being taken for done.
func TestPlanted(t *testing.T) {
	dir := t.TempDir()
	f := openFolder(t, dir)
	putObject(t, f.Objects(), "pages/1", "x")
	if err := os.WriteFile(filepath.Join(dir, "objects", "pages", "2"), []byte("planted"), 0o600); err != nil {
		t.Fatal(err)
	}
	for how, err := range readAll(t, f, "pages/2") {
		if !errors.Is(err, store.ErrUnverified) || !errors.Is(err, store.ErrDamaged) {
			t.Errorf("%s = %v, want ErrUnverified and ErrDamaged", how, err)
		}
	}
	if _, err := f.Objects().Head(t.Context(), "pages/2"); !errors.Is(err, store.ErrUnverified) {
		t.Errorf("Head = %v", err)
	}
	if url, err := f.Objects().PresignGet(t.Context(), "pages/2", "x", time.Minute); !errors.Is(err, store.ErrUnverified) {
		t.Errorf("PresignGet = %s, %v", url, err)
	}
	if got := listed(t, f.Objects()); !slices.Equal(got, []string{"pages/1", "pages/2"}) {
		t.Errorf("listed: %q", got)
	}
	if got := versionsOf(t, f, "pages/2"); !slices.Equal(got, []string{"laid of 7"}) {
		t.Errorf("versions: %q", got)
	}
	if err := f.Objects().PutIfAbsent(t.Context(), "pages/2", strings.NewReader("planted")); !errors.Is(err, store.ErrExists) {
		t.Errorf("PutIfAbsent = %v", err)
	}
	for how, err := range readAll(t, f, "pages/2") {
		if !errors.Is(err, store.ErrUnverified) {
			t.Errorf("after a put that was refused: %s = %v", how, err)
		}
	}
}

// TestRemovedPutAgain: what somebody removed can be put again, also other bytes.
func TestRemovedPutAgain(t *testing.T) {
	dir := t.TempDir()
	f := openFolder(t, dir)
	putObject(t, f.Objects(), "messages/1", "made once")
	if err := os.RemoveAll(filepath.Join(dir, "objects", "messages")); err != nil {
		t.Fatal(err)
	}
	putObject(t, f.Objects(), "messages/1", "made again, in other bytes")
	wantObject(t, f.Objects(), "messages/1", "made again, in other bytes")
	putObject(t, f.Objects(), "messages/2", "x")
	wantObject(t, openFolder(t, dir).Objects(), "messages/1", "made again, in other bytes")
	if got := versionsOf(t, f, "messages/1"); !slices.Equal(got, []string{"truth of 26"}) {
		t.Errorf("versions: %q", got)
	}
}

// TestCopied: a folder that was copied, so that all files have other times and
// inodes, is the same archive.
func TestCopied(t *testing.T) {
	dir, to := t.TempDir(), filepath.Join(t.TempDir(), "copy")
	f, err := localstore.OpenFolder(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	putObject(t, f.Objects(), "pages/1", "x")
	if err := errors.Join(f.Close(), os.CopyFS(to, os.DirFS(dir))); err != nil {
		t.Fatal(err)
	}
	copied := openFolder(t, to)
	wantObject(t, copied.Objects(), "pages/1", "x")
	if got := versionsOf(t, copied, "pages/1"); !slices.Equal(got, []string{"truth of 1"}) {
		t.Errorf("versions: %q", got)
	}
}

// TestPlainBytes: what lies in the folder is the objects' bytes, for other programs,
// and nobody but the owner may read them.
func TestPlainBytes(t *testing.T) {
	dir := t.TempDir()
	f := openFolder(t, dir)
	putObject(t, f.Objects(), "pages/1", "the page")
	if err := f.Derived().Put(t.Context(), "runs/1", strings.NewReader("the run")); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"objects/pages/1": "the page", "derived/runs/1": "the run"} {
		got, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(name)))
		if err != nil || string(got) != want {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	err := filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if info, err := e.Info(); err != nil || path != dir && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s: %v, %v", path, info.Mode(), err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestLinks: a URL opens what it was made for, and nothing when a part of it is
// another; it never gives damaged bytes.
func TestLinks(t *testing.T) {
	dir := t.TempDir()
	f := openFolder(t, dir)
	putObject(t, f.Objects(), "media/1", "the file")
	putObject(t, f.Objects(), "media/2", "another")
	url, err := f.Objects().PresignGet(t.Context(), "media/1", "a.txt", time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	get := func(method, url string) (*http.Response, string) {
		req, err := http.NewRequestWithContext(t.Context(), method, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Close = true
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp, string(body)
	}
	if !strings.HasPrefix(url, "http://127.0.0.1:") {
		t.Errorf("it is at %s", url)
	}
	resp, body := get(http.MethodGet, url)
	if resp.StatusCode != http.StatusOK || body != "the file" || resp.Header.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("%s %q %v", resp.Status, body, resp.Header)
	}
	if resp, _ := get(http.MethodHead, url); resp.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("HEAD: %s", resp.Status)
	}
	for _, changed := range []string{
		strings.Replace(url, "media%2F1", "media%2F2", 1),
		strings.Replace(url, "a.txt", "b.txt", 1),
		strings.Replace(url, "until=", "until=9", 1),
		strings.Replace(url, "name=a.txt", "name=", 1),
		url[:len(url)-1],
		strings.Split(url, "?")[0],
	} {
		if resp, body := get(http.MethodGet, changed); changed == url || strings.Contains(body, "the file") || resp.StatusCode == http.StatusOK && body != "the file" {
			t.Errorf("%s: %s %q", changed, resp.Status, body)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "objects", "media", "1"), []byte("the lies"), 0o600); err != nil {
		t.Fatal(err)
	}
	if resp, body := get(http.MethodGet, url); resp.StatusCode != http.StatusGone || strings.Contains(body, "the lies") {
		t.Errorf("damaged: %s %q", resp.Status, body)
	}
}

// TestEscapedNames: names go forth and back, none has a character that a file
// system could take for another, and no two are one in another case.
func TestEscapedNames(t *testing.T) {
	seen := map[string]string{}
	for _, part := range []string{
		"a", "A", "aB", "AB", "con", "CON", "con.txt", "com1", "a:b", "a.", "a ", "a. ", "...", "%41", "é", "e\u0301", "会话", "x|y", "dt=2026-11-23", "%", "%4",
	} {
		name, back, ok := localstore.EscapePart(part)
		if !ok || back != part {
			t.Errorf("%q is named %q, which is %q, %v", part, name, back, ok)
		}
		if other, taken := seen[strings.ToLower(name)]; taken {
			t.Errorf("%q and %q are one name", part, other)
		}
		seen[strings.ToLower(name)] = part
		if strings.ContainsAny(name, `<>:"|?*\`) || strings.HasSuffix(name, ".") || strings.HasSuffix(name, " ") || store.IsDevice(name) {
			t.Errorf("%q is named %q", part, name)
		}
	}
	if name, _, _ := localstore.EscapePart("dt=2026-11-23"); name != "dt=2026-11-23" {
		t.Errorf("our own names are %q", name)
	}
}
