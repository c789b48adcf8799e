package awsstore_test

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"wecom-archive/shared/store"
)

// versions is a listing of versions: "key version" or, a delete marker, "!key
// version"; next is where it goes on, "key version", empty at the end.
func versions(next string, entries ...string) reply {
	var b strings.Builder
	b.WriteString("<ListVersionsResult>")
	for _, e := range entries {
		marked, isMarker := strings.CutPrefix(e, "!")
		at := strings.LastIndexByte(marked, ' ')
		key, id := marked[:at], marked[at+1:]
		element := "Version"
		if isMarker {
			element = "DeleteMarker"
		}
		fmt.Fprintf(&b, "<%s><Key>%s</Key><VersionId>%s</VersionId><Size>1</Size></%[1]s>", element, key, id)
	}
	fmt.Fprintf(&b, "<IsTruncated>%v</IsTruncated>", next != "")
	if key, id, ok := strings.Cut(next, " "); ok {
		fmt.Fprintf(&b, "<NextKeyMarker>%s</NextKeyMarker><NextVersionIdMarker>%s</NextVersionIdMarker>", key, id)
	}
	return reply{method: http.MethodGet, status: 200, body: b.String() + "</ListVersionsResult>"}
}

func TestListReplies(t *testing.T) {
	s := &script{replies: []reply{
		// Cut inside a key: p/1 is the truth only of what the second page says.
		versions("p/1 b", "!p/1 m", "p/1 b"), versions("p/1 a", "p/1 a"), versions("", "!p/2 m", "p/3 d", "p/3 c"),
		versions("p/1 a", "p/1 a"), {method: http.MethodGet, status: 403, code: "AccessDenied"},
	}}
	objects := s.objects()
	list := func() (found []string, err error) {
		for info, err := range objects.List(t.Context(), "p/", "p/0") {
			if err != nil {
				return found, err
			}
			found = append(found, info.Key+" "+info.Version)
		}
		return found, nil
	}
	if found, err := list(); err != nil || fmt.Sprint(found) != "[p/1 a p/3 c]" {
		t.Errorf("List = %q, %v", found, err)
	}
	first, second := s.requests[0].URL.Query(), s.requests[1].URL.Query()
	if first.Get("key-marker") != "p/0" || first.Get("prefix") != "p/" || second.Get("key-marker") != "p/1" || second.Get("version-id-marker") != "b" {
		t.Errorf("requests %v, %v", first, second)
	}
	// What is not known to be the earliest is not given out.
	if found, err := list(); err == nil || len(found) != 0 {
		t.Errorf("List with a refusal on its second page = %q, %v", found, err)
	}
}

// TestListVersionsReplies: some stores begin a page with what ended the last one,
// or with the key that after names.
func TestListVersionsReplies(t *testing.T) {
	s := &script{replies: []reply{
		versions("p/1 b", "p/0 x", "!p/0 m", "p/1 c", "p/1 b"), versions("", "p/1 b", "p/1 a", "!p/1 m", "p/2 d", "!p/3 n"),
	}}
	var found []string
	for v, err := range s.objects().ListVersions(t.Context(), "p/", "p/0") {
		if err != nil {
			t.Fatal(err)
		}
		text := v.Key + " " + v.Version
		switch {
		case v.DeleteMarker:
			text = "!" + text
		case v.Earliest:
			text = "*" + text
		}
		found = append(found, text)
	}
	slices.Sort(found)
	if want := []string{"!p/1 m", "!p/3 n", "*p/1 a", "*p/2 d", "p/1 b", "p/1 c"}; !slices.Equal(found, want) {
		t.Errorf("versions %q, want %q", found, want)
	}
}

// TestRemembers: the earliest version of a key is asked for once, and again if it
// is gone.
func TestRemembers(t *testing.T) {
	body := reply{method: http.MethodGet, status: 200, body: "body"}
	gone := reply{method: http.MethodGet, status: 404, code: "NoSuchVersion"}
	s := &script{replies: []reply{
		versions("", "a v1"), body, body, body,
		gone, versions("", "a v2"), body,
		gone, versions(""),
		versions("", "a v3"), gone,
	}}
	objects := s.objects()
	read := func() error {
		_, err := store.ReadObject(t.Context(), objects, "a")
		return err
	}
	for i := range 4 {
		if err := read(); err != nil {
			t.Fatalf("read %d: %v", i, err)
		}
	}
	for i := range 2 {
		if err := read(); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("read %d of what is gone = %v, want ErrNotFound", i, err)
		}
	}
	var asked []string
	for _, r := range s.requests {
		asked = append(asked, r.URL.Query().Get("versionId"))
	}
	if want := []string{"", "v1", "v1", "v1", "v1", "", "v2", "v2", "", "", "v3"}; !slices.Equal(asked, want) {
		t.Errorf("requests for versions %q, want %q", asked, want)
	}
}
