#!/usr/bin/env bash
# Tests the packages that have other files under the race detector or with cgo: their
# tests are shorter there, or they are others. All others say the same with it, and run
# with it only. `go vet` has compiled the tests of all packages without cgo.
set -euo pipefail
cd "$(dirname "$0")/.."
export CGO_ENABLED=0
files='{{.ImportPath}} {{.GoFiles}} {{.CgoFiles}} {{.TestGoFiles}} {{.XTestGoFiles}}'
plain=$(go list -f "$files" ./...)
others=$(diff <(echo "$plain") <(CGO_ENABLED=1 go list -race -f "$files" ./...) | sed -n 's/^< \([^ ]*\) .*/\1/p' || true)
count=$(wc -w <<<"$others")
if [ "$count" -lt 7 ]; then # capture, compact, directory, local, pipeline, search, decrypt
	echo "only $count packages have tests that the race detector shortens" >&2
	exit 1
fi
# shellcheck disable=SC2086 # a list
go test $others
