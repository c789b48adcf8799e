// Command traceable looks into a binary for the version that it will say it has, and
// fails if nobody could find its source again. The Makefile has it look at each
// function that is built for production: what archives for years must say what it was.
package main

import (
	"debug/buildinfo"
	"fmt"
	"os"

	"wecom-archive/shared/program"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: traceable BINARY")
		os.Exit(2)
	}
	if err := check(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "traceable:", err)
		os.Exit(1)
	}
}

func check(binary string) error {
	info, err := buildinfo.ReadFile(binary)
	if err != nil {
		return fmt.Errorf("%s: what it was built from cannot be told: %w", binary, err)
	}
	if version := program.Of(info); !program.Traceable(version) {
		return fmt.Errorf("%s has version %s: it was built from changed or unknown source. "+
			"Commit what `git status` shows and build in a clone, without -buildvcs=false; or, to try it out: ENV=staging or DIRTY=1", binary, version)
	}
	return nil
}
