// Package program says which build of wecom-archive is running. Pages, segments and
// key records name it, so that years later it is known what wrote them.
package program

import (
	"runtime/debug"
	"strings"
)

// Versions of which nothing is known.
const (
	unknown     = "unknown" // there is no build information
	development = "(devel)" // Go's own word for a build without version
)

// dirty is what Go appends to the version of a tree that had changes.
const dirty = "+dirty"

// Version is the version of the program that runs.
func Version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return unknown
	}
	return Of(info)
}

// Of is the version of a build: that of the module, else the commit; with +dirty if
// the tree was not what was committed.
func Of(info *debug.BuildInfo) string {
	if v := info.Main.Version; v != "" && v != development {
		return v
	}
	settings := map[string]string{}
	for _, s := range info.Settings {
		settings[s.Key] = s.Value
	}
	switch revision := settings["vcs.revision"]; {
	case revision == "":
		return development
	case settings["vcs.modified"] == "true":
		return revision + dirty
	default:
		return revision
	}
}

// Traceable says whether the source of a version can be found again: it was built from
// what was committed.
func Traceable(version string) bool {
	switch version {
	case "", unknown, development:
		return false
	}
	// A version that has a + already gets the word after a dot.
	return !strings.HasSuffix(version, dirty) && !strings.HasSuffix(version, ".dirty")
}
