#!/usr/bin/env bash
# Runs every fuzz target of the module for FUZZTIME (default 30s), two at a time with one
# worker each. Fails if one finds something, or if targets went missing.
set -euo pipefail
cd "$(dirname "$0")/.."
export work FUZZTIME=${FUZZTIME:-30s}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# compile makes one test binary for all targets of a package, which go test -fuzz would
# link anew for each.
compile() {
	go test -c -fuzz=. -o "$work/$(tr / + <<<"$1").test" "./$1"
}

# fuzz runs one target and then shows its whole log, while no other shows its own.
fuzz() {
	local folder=${1%%:*} name=${1##*:} failed=0
	local log="$work/$name.$$.log" binary
	binary="$work/$(tr / + <<<"$folder").test"
	(cd "$folder" && "$binary" -test.run='^$' -test.fuzz="^$name\$" -test.fuzztime="$FUZZTIME" -test.fuzzminimizetime=200x \
		-test.parallel=1 -test.fuzzcachedir="$cache/$folder") >"$log" 2>&1 || failed=1
	# Under load Go reports the end of its own time as a failure, without an input that
	# failed (go.dev/issue/48591). That is no finding.
	if [ "$failed" = 1 ] && grep -q 'context deadline exceeded' "$log" && ! grep -qE 'Failing input written|panic:|hung or terminated' "$log"; then
		echo "fuzz $name: Go's own time ran out; nothing was found" >>"$log"
		failed=0
	fi
	until mkdir "$work/showing" 2>/dev/null; do sleep 0.1; done
	echo "fuzz $name in $folder"
	cat "$log"
	rmdir "$work/showing"
	return "$failed"
}
export -f compile fuzz
cache=$(go env GOCACHE)/fuzz/$(go list -m)
export cache

targets=$(grep -rnoE --include='*_test.go' '^func Fuzz[A-Za-z0-9_]+' shared cmd infra functions | sed -E 's|/[^/]+:[0-9]+:func |:|' | sort)
count=$(wc -l <<<"$targets")
if [ "$count" -lt 42 ]; then # so many there were when this was written
	echo "only $count fuzz targets found" >&2
	exit 1
fi
cut -d: -f1 <<<"$targets" | sort -u | xargs -P 2 -I{} bash -euo pipefail -c 'compile {}'
if ! xargs -P 2 -I{} bash -uo pipefail -c 'fuzz {}' <<<"$targets"; then
	echo "of $count fuzz targets, some failed: see above" >&2
	exit 1
fi
echo "$count fuzz targets, no finding"
