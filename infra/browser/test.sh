#!/usr/bin/env bash
# Looks at the viewer with Debian's Chromium. Installs what is missing: chromium and
# fonts by apt-get, axe-core by npm below .tools/. What cannot be had is a failure.
#
#   bash infra/browser/test.sh [go test arguments]
#
# SCREENSHOTS=docs/images bash infra/browser/test.sh   also makes README's pictures.
set -euo pipefail
cd "$(dirname "$0")/../.."
tools=$PWD/.tools/browser

missing() {
	echo "test-browser: $1" >&2
	exit 1
}

command -v npm >/dev/null || missing 'npm is not installed (Debian: apt-get install npm)'
if ! command -v chromium >/dev/null || ! command -v pdftotext >/dev/null || ! fc-list :lang=zh 2>/dev/null | grep -q .; then
	apt-get update -q && apt-get install -qy --no-install-recommends chromium poppler-utils fontconfig fonts-noto-cjk fonts-noto-color-emoji ||
		missing 'chromium or pdftotext is not installed (Debian: apt-get install chromium poppler-utils fontconfig fonts-noto-cjk fonts-noto-color-emoji)'
fi
if ! cmp -s infra/browser/package-lock.json "$tools/package-lock.json"; then
	mkdir -p "$tools"
	cp infra/browser/package.json infra/browser/package-lock.json "$tools"
	(cd "$tools" && npm ci --silent --ignore-scripts) || missing 'npm cannot install axe-core'
fi
export WECOM_ARCHIVE_TEST_AXE=$tools/node_modules/axe-core/axe.min.js
if [ -n "${SCREENSHOTS:-}" ]; then
	mkdir -p "$SCREENSHOTS"
	SCREENSHOTS=$(cd "$SCREENSHOTS" && pwd)
	export SCREENSHOTS
fi

program=$(mktemp -d)/wecom-archive
trap 'rm -rf "$(dirname "$program")"' EXIT
CGO_ENABLED=0 go build -o "$program" ./cmd/wecom-archive
export WECOM_ARCHIVE_TEST_PROGRAM=$program
cd infra/browser
go vet ./...
CGO_ENABLED=0 go test -count=1 "$@" ./...
