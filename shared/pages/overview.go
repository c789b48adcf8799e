package pages

import (
	"fmt"
	"net/url"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/show"
)

// shareOf is the part of all messages in percent, as people read it.
func shareOf(c show.TypeCount) string {
	if c.Permille == 0 {
		return "< 0.1 %"
	}
	return fmt.Sprintf("%d.%d %%", c.Permille/10, c.Permille%10)
}

// typeSearch is the address that finds the messages of a type; empty: no search asks for
// them.
func typeSearch(c show.TypeCount) string {
	if c.Type == archive.OtherTypes || c.Type == "switch" { // an action
		return ""
	}
	return "/search?" + url.Values{"type": {c.Type}}.Encode()
}
