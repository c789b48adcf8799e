#!/usr/bin/env bash
# Peak memory of a reindex over many messages, without cryptography, the embedded
# S3 and SQLite of the same process included. Fails if it is over 512 MB.
#
#   bash infra/bench/memory_reindex.sh [messages]     default 2000000
set -euo pipefail
cd "$(dirname "$0")/../.."
messages=${1:-2000000}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
CGO_ENABLED=0 go build -o "$work/compactload" ./infra/bench/compactload
"$work/compactload" -dir "$work/data" -messages "$messages" generate-objects

"$work/compactload" -dir "$work/data" -messages "$messages" reindex &
pid=$! high=0
while kill -0 "$pid" 2>/dev/null; do
	now=$(sed -n 's/^VmHWM:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$pid/status" 2>/dev/null || true)
	[ -n "$now" ] && high=$now
	sleep 0.2
done
wait "$pid"
echo "peak memory of reindex: $((high / 1024)) MB for $messages messages"
[ "$high" -lt $((512 * 1024)) ]
