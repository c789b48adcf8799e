package pages

import (
	"fmt"
	"io"
	"net/http"
	"strconv"

	"wecom-archive/shared/catalog"
	"wecom-archive/shared/mediatype"
	"wecom-archive/shared/show"
)

// maxInline is the largest file that the pages' server hands out itself, in bytes:
// Lambda returns at most 6 MB, as base64. Larger ones come by a link to the bucket.
const maxInline = 4 << 20

// mediaPolicy is for a file that is opened for itself: it loads and runs nothing.
const mediaPolicy = "default-src 'none'; style-src 'unsafe-inline'; media-src 'self'; img-src 'self'; sandbox; frame-ancestors 'none'"

// mediaPath leads to a file of a message.
func mediaPath(seq int64, fileIDSHA256 string) string {
	return fmt.Sprintf("/media/%d/%s", seq, fileIDSHA256)
}

// showAs says how a page shows a stored file: by what its bytes are, whatever the
// message calls it.
func showAs(f catalog.MediaFile) string {
	if f.Size > maxInline {
		return ""
	}
	switch mediatype.Safe(f.Type) {
	case "image/png", "image/jpeg", "image/gif", "image/webp", "image/bmp":
		return "image"
	case "video/mp4":
		return "video"
	case mediatype.AMR, mediatype.AMRWideband: // the player says that it cannot play wide-band
		return "amr"
	}
	return ""
}

// mediaPage hands out a file of a message: a small one of a harmless type as it is,
// every other by a link that makes it a file to save.
func (s *server) mediaPage(w http.ResponseWriter, r *http.Request) (page, error) {
	seq, err := seqOf(r)
	if err != nil {
		return page{}, err
	}
	f, err := s.show.Content.File(r.Context(), seq, r.PathValue("file"))
	if err != nil {
		return page{}, err
	}
	return page{}, s.handOut(w, r, f)
}

// handOut answers with the file, or with a link to it.
func (s *server) handOut(w http.ResponseWriter, r *http.Request, f *show.HandedFile) error {
	if showAs(f.Known) == "" || r.URL.Query().Has("save") {
		url, err := f.Link(r.Context())
		if err != nil {
			return err
		}
		http.Redirect(w, r, url, http.StatusSeeOther)
		return errElsewhere
	}
	body, err := f.Open(r.Context())
	if err != nil {
		return err
	}
	defer body.Close()
	bytes, err := io.ReadAll(io.LimitReader(body, maxInline+1))
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", f.Inline)
	w.Header().Set("Content-Security-Policy", mediaPolicy)
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Content-Length", strconv.Itoa(len(bytes)))
	// The client is gone if this fails; there is nobody to tell.
	_, _ = w.Write(bytes)
	return errElsewhere
}
