#!/usr/bin/env bash
# Peak memory of `wecom-archive local --once` for a small and a large archive,
# side by side. Fails if either is over 512 MB, or if they differ by more than a
# third: memory must not grow with the archive, ten times as large. (A short run may
# end before the collector has seen its worst: 123 to 144 MB were seen for the small
# one, 150 for the large one.)
#
#   bash infra/memory.sh [small] [large]     default 20000 200000 messages
set -euo pipefail
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
CGO_ENABLED=0 go build -o "$work/wecom-archive" ./cmd/wecom-archive

# peak MESSAGES prints the peak resident memory in KiB, the summary on stderr.
peak() {
	"$work/wecom-archive" local --once --json --no-media --messages "$1" --dir "$work/$1" --listen 127.0.0.1:0 >"$work/$1.json" 2>"$work/$1.err" &
	local pid=$! high=0 now
	while kill -0 "$pid" 2>/dev/null; do
		now=$(sed -n 's/^VmHWM:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$pid/status" 2>/dev/null || true)
		[ -n "$now" ] && high=$now
		sleep 0.2
	done
	wait "$pid" || { cat "$work/$1.err" >&2; return 1; }
	cat "$work/$1.json" >&2
	echo "$high"
}

small=$(peak "${1:-20000}")
large=$(peak "${2:-200000}")
echo "peak memory: $((small / 1024)) MB for ${1:-20000} messages, $((large / 1024)) MB for ${2:-200000}: ratio $((large * 100 / small)) %"
[ "$small" -lt $((512 * 1024)) ] && [ "$large" -lt $((512 * 1024)) ]
[ $((large * 3)) -le $((small * 4)) ] && [ $((small * 3)) -le $((large * 4)) ]
