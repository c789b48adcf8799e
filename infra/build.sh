#!/usr/bin/env bash
# Builds the command and every function for both of Lambda's architectures, in
# plain Go, into bin/<architecture>/. What the tag lambda.norpc is for: CONTRIBUTING.md,
# "Sizes".
set -euo pipefail
cd "$(dirname "$0")/.."
for arch in amd64 arm64; do
	for main in cmd/wecom-archive functions/*/; do
		main=${main%/}
		[ -f "$main/main.go" ] || continue
		name=$(basename "$main")
		out=bin/$arch/$name
		case $main in functions/*) out=bin/$arch/$name/bootstrap ;; esac
		echo "build $out"
		CGO_ENABLED=0 GOOS=linux GOARCH=$arch go build -tags lambda.norpc -trimpath -ldflags "-s -w" -o "$out" "./$main"
	done
done
