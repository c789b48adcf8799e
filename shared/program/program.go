// Package program says which build of wecom-archive is running. Pages, segments and
// key records name it, so that years later it is known what wrote them.
package program

import "runtime/debug"

// Version is the commit that was built; else the module's version.
func Version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return s.Value
		}
	}
	return info.Main.Version
}
