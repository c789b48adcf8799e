#!/usr/bin/env bash
# Acceptance of the media stage: every file of 1 byte to 200 MB is stored as it is,
# or lost or failed for the right reason; in less than 256 MB of memory; also when
# the process is killed again and again; and much faster than a plain loop.
#
#   bash infra/bench/media.sh [messages] [files] [bytes] [kills] [longest time before a kill]
#
# default 20000 3000 3221225472 20 4s
set -euo pipefail
cd "$(dirname "$0")/../.."
messages=${1:-20000} media=${2:-3000} bytes=${3:-3221225472} kills=${4:-20} pause=${5:-4s}
work=$(mktemp -d)
trap 'chmod -R u+w "$work" && rm -rf "$work"' EXIT
CGO_ENABLED=0 go build -o "$work/mediaload" ./infra/bench/mediaload
load() { "$work/mediaload" -messages "$messages" -media "$media" -bytes "$bytes" -kills "$kills" -pause "$pause" "$@"; }

if [ "$bytes" -ge 3000000000 ]; then # a smaller run, as CI's, measures no speed: machines are noisy
	echo 'throughput, 20 ms a slice'
	load -dir "$work" bench
	echo 'more than 2 GiB'
	load -dir "$work" large
fi

echo 'in one go'
load -dir "$work/all" generate
load -dir "$work/all" run
load -dir "$work/all" check

echo "killed $kills times"
rm -rf "$work/all/archive" "$work/all/tries"/*
load -dir "$work/all" kill
load -dir "$work/all" check
