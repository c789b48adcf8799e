#!/usr/bin/env bash
# Sizes of what bin/ holds (infra/build.sh), in 10^6 bytes, with their limits: a
# function starts the slower the larger it is, and what grows of a sudden imports
# what it does not need. Also, none of it may carry the embedded S3, which tests
# alone need. Fails when one is over its limit, is missing, or carries it.
set -euo pipefail
cd "$(dirname "$0")/.."

# In 10^5 bytes. Who has no limit may read messages, and needs Parquet for it.
declare -A limits=([callback]=250 [media]=250 [directory]=250 [signin]=250 [puller]=265 [wecom-archive]=470)
failed=0

megabytes() { printf '%d.%02d' $(($1 / 1000000)) $(($1 % 1000000 / 10000)); }
measure() { # NAME FILE
	local size limit=${limits[$1]:-} says=''
	[ -s "$2" ] || { printf '%-14s  %s is missing: make build\n' "$1" "$2"; failed=1; return; }
	size=$(wc -c <"$2")
	if LC_ALL=C grep -qaF 'net/rpc.(*Server)' "$2"; then
		says='carries net/rpc: built without -tags lambda.norpc? ' failed=1
	fi
	if [ -n "$limit" ] && [ "$size" -ge $((limit * 100000)) ]; then
		says+="over by $(megabytes $((size - limit * 100000)))" failed=1
	fi
	printf '%-14s %6s  %5s  %s\n' "$1" "$(megabytes "$size")" "${limit:+$((limit / 10)).$((limit % 10))}" "$says"
}

printf '%-14s %6s  %5s\n' '' '10^6 B' 'below'
for main in functions/*/main.go; do
	name=$(basename "$(dirname "$main")")
	measure "$name" "bin/arm64/$name/bootstrap"
done
measure wecom-archive bin/amd64/wecom-archive

deps=$(CGO_ENABLED=0 GOOS=linux go list -deps ./cmd/... ./functions/...)
if embedded=$(grep '^github.com/versity' <<<"$deps"); then
	printf 'the command or a function imports the embedded S3:\n%s\n' "$embedded"
	failed=1
else
	echo 'no embedded S3 (github.com/versity) in the command and the functions'
fi
exit "$failed"
