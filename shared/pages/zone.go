package pages

import (
	"html/template"
	"net/http"
	"sync"
	"time"
	_ "time/tzdata" // where a function runs there is no other
)

// Days and times of pages are those of the reader's zone. The script puts the browser's
// zone into a cookie; until it has, they are those of Config.Zone.

// zoneCookie holds an IANA name: "Asia/Shanghai".
const zoneCookie = "zone"

// cookieZone is the zone that the browser says, or nil.
func cookieZone(r *http.Request) *time.Location {
	c, err := r.Cookie(zoneCookie)
	if err != nil || c.Value == "" || c.Value == "Local" || len(c.Value) > 64 {
		return nil
	}
	zone, err := time.LoadLocation(c.Value)
	if err != nil {
		return nil
	}
	return zone
}

// maxSheets is for how many zones and languages the templates are kept: a company has
// few, and nobody may fill the memory with others.
const maxSheets = 32

// sheets are the templates of the pages, made once for a language and a zone.
type sheets struct {
	mu   sync.Mutex
	made map[sheet]*template.Template
}

type sheet struct {
	lang language
	zone string
}

func (k *sheets) in(lang language, zone *time.Location) (*template.Template, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	key := sheet{lang, zone.String()}
	if t := k.made[key]; t != nil {
		return t, nil
	}
	t, err := template.New("").Funcs(templateFuncs(lang, zone)).ParseFS(pageFiles, "assets/*.html")
	if err != nil {
		return nil, err
	}
	if k.made == nil || len(k.made) >= maxSheets {
		k.made = map[sheet]*template.Template{}
	}
	k.made[key] = t
	return t, nil
}
