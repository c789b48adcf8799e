#!/usr/bin/env bash
# Peak memory of a compaction of one month, and the requests of a screen after it.
# The messages are made up, without cryptography. Fails at 512 MB, or if a screen
# takes more than 12 requests.
#
#   bash infra/bench/memory_compact.sh [messages]     default 2000000 (about 4 GB below TMPDIR)
set -euo pipefail
cd "$(dirname "$0")/../.."
messages=${1:-2000000}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
CGO_ENABLED=0 go build -o "$work/compactload" ./infra/bench/compactload
mkdir "$work/data"
"$work/compactload" --dir "$work/data" --messages "$messages" generate

"$work/compactload" --dir "$work/data" --messages "$messages" compact &
pid=$! high=0
while kill -0 "$pid" 2>/dev/null; do
	now=$(sed -n 's/^VmHWM:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$pid/status" 2>/dev/null || true)
	[ -n "$now" ] && high=$now
	sleep 0.2
done
wait "$pid"
echo "peak memory of compaction: $((high / 1024)) MB for $messages messages"
"$work/compactload" --dir "$work/data" read
[ "$high" -lt $((512 * 1024)) ]
