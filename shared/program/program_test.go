package program_test

import (
	"runtime/debug"
	"testing"

	"wecom-archive/shared/program"
)

func TestOf(t *testing.T) {
	const revision = "1d4a10f0c0ffee00c0ffee00c0ffee00c0ffee00"
	for _, test := range []struct {
		name, module, revision, modified string
		want                             string
		traceable                        bool
	}{
		{"a release", "v1.2.3", revision, "false", "v1.2.3", true},
		{"a release, changed", "v1.2.3+dirty", revision, "true", "v1.2.3+dirty", false},
		{"a release with metadata, changed", "v1.2.3+cn.dirty", revision, "true", "v1.2.3+cn.dirty", false},
		{"a commit", "v0.0.0-20261124073000-1d4a10f0c0ff", revision, "false", "v0.0.0-20261124073000-1d4a10f0c0ff", true},
		{"a commit, changed", "v0.0.0-20261124073000-1d4a10f0c0ff+dirty", revision, "true", "v0.0.0-20261124073000-1d4a10f0c0ff+dirty", false},
		{"a commit without version", "(devel)", revision, "false", revision, true},
		{"a changed commit without version", "(devel)", revision, "true", revision + "+dirty", false},
		{"a changed commit of no module", "", revision, "true", revision + "+dirty", false},
		{"built without git", "(devel)", "", "", "(devel)", false},
		{"nothing", "", "", "", "(devel)", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			info := &debug.BuildInfo{Main: debug.Module{Path: "wecom-archive", Version: test.module}}
			if test.revision != "" {
				info.Settings = []debug.BuildSetting{{Key: "vcs", Value: "git"}, {Key: "vcs.revision", Value: test.revision}, {Key: "vcs.modified", Value: test.modified}}
			}
			got := program.Of(info)
			if got != test.want || program.Traceable(got) != test.traceable {
				t.Errorf("%q, traceable %v; want %q, %v", got, program.Traceable(got), test.want, test.traceable)
			}
		})
	}
	for _, none := range []string{"", "unknown"} {
		if program.Traceable(none) {
			t.Errorf("%q is traceable", none)
		}
	}
}
