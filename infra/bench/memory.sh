#!/usr/bin/env bash
# Peak memory of `wecom-archive local --once` for a small and a large archive,
# side by side. Fails if either is over 512 MB, or if they differ by more than
# 20 %: memory must not grow with the archive. A short run may end before the
# collector has seen its worst, so the small archive is made three times and its
# greatest peak counts.
#
#   bash infra/bench/memory.sh [small] [large]     default 20000 200000 messages
set -euo pipefail
cd "$(dirname "$0")/../.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
CGO_ENABLED=0 go build -o "$work/wecom-archive" ./cmd/wecom-archive

# peak MESSAGES prints the peak resident memory in KiB, the summary on stderr.
peak() {
	rm -rf "${work:?}/$1"
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

small=0
for _ in 1 2 3; do
	once=$(peak "${1:-20000}")
	[ "$once" -le "$small" ] || small=$once
done
large=$(peak "${2:-200000}")
echo "peak memory: $((small / 1024)) MB for ${1:-20000} messages, $((large / 1024)) MB for ${2:-200000}: ratio $((large * 100 / small)) %"
[ "$small" -lt $((512 * 1024)) ] && [ "$large" -lt $((512 * 1024)) ]
[ $((large * 100)) -le $((small * 120)) ] && [ $((large * 100)) -ge $((small * 80)) ]
