#!/usr/bin/env bash
# Runs every fuzz target of the module for FUZZTIME (default 30s), one after the
# other. Fails if one finds something, or if targets went missing.
set -euo pipefail
cd "$(dirname "$0")/.."
targets=$(grep -rnoE --include='*_test.go' '^func Fuzz[A-Za-z0-9_]+' shared cmd infra functions | sed -E 's/:[0-9]+:func /:/' | sort)
count=0
for target in $targets; do
	folder=$(dirname "${target%%:*}") name=${target##*:}
	echo "fuzz $name in $folder"
	go test -run '^$' -fuzz "^$name\$" -fuzztime "${FUZZTIME:-30s}" -fuzzminimizetime 200x "./$folder"
	count=$((count + 1))
done
if [ "$count" -lt 4 ]; then # page, envelope, message, segment
	echo "only $count fuzz targets found" >&2
	exit 1
fi
echo "$count fuzz targets, no finding"
