#!/usr/bin/env bash
# Index and object requests of each screen of the viewer, by a process that has just
# started, and its time in a large archive against a small one, in turn, in one run.
# Fails above 15 requests or 1.5 times. Before that, 50 people read for a minute while
# messages are pulled: fails if anything fails, or a look is not recorded.
#
#   bash infra/bench/viewerload.sh [messages [small [screens]]]     default 1000000 10000 40
set -euo pipefail
cd "$(dirname "$0")/../.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
CGO_ENABLED=0 go build -o "$work/viewerload" ./infra/bench/viewerload
mkdir "$work/data"
args=(--dir "$work/data" --messages "${1:-1000000}" --small "${2:-10000}")
"$work/viewerload" --dir "$work/data" readers
"$work/viewerload" "${args[@]}" generate
"$work/viewerload" "${args[@]}" --screens "${3:-40}" measure
