#!/usr/bin/env bash
# Runs README's first command as it stands, in a fresh clone in an empty folder:
# everything must be archived and the API must answer. (Its second one is what
# CI runs anyway.)
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
pid=
trap 'kill "$pid" 2>/dev/null || true; rm -rf "$work"' EXIT
git clone -q "$root" "$work/clone"
cd "$work/clone"
grep -qx 'go run ./cmd/wecom-archive local' README.md
grep -qx 'go test ./...' README.md

# A group of its own: Ctrl-C must reach the program that `go run` started.
set -m
go run ./cmd/wecom-archive local >out 2>err &
pid=$!
set +m
for _ in $(seq 600); do
	kill -0 "$pid" 2>/dev/null || { cat err; echo 'it stopped by itself' >&2; exit 1; }
	token=$(sed -n 's/^Token: //p' err)
	if [ -n "$token" ]; then
		status=$(curl -fs -H "Authorization: Bearer $token" http://127.0.0.1:8080/v1/status || true)
		case $status in *'"envelopes":20000'*'"pending":{"pages":0'*) break ;; esac
	fi
	sleep 0.5
done
echo "$status" | grep -q '"pending":{"pages":0' || { echo "status: $status" >&2; cat err >&2; exit 1; }
kill -INT -- "-$pid"
wait "$pid" || true
tail -n 1 err
