#!/usr/bin/env bash
# Proves what can be proved of the templates without an AWS account: cfn-lint, the
# SAM transform, the rules and permissions of infra/template, and a stack on moto.
# Installs what it needs below .tools/template, at pinned versions.
#
#   bash infra/template/test.sh [go test arguments]
#
# What this cannot show is listed in docs/verification.md.
set -euo pipefail
cd "$(dirname "$0")/../.."
tools=$PWD/.tools/template
work=$(mktemp -d)
moto=
stop() {
	[ -z "$moto" ] || { kill "$moto" && wait "$moto"; } 2>/dev/null || true
	rm -rf "$work"
}
trap stop EXIT

missing() {
	echo "test-template: $1" >&2
	exit 1
}
for command in node npm python3 curl; do
	command -v "$command" >/dev/null || missing "$command is not installed (Debian: apt-get install nodejs npm python3-venv curl)"
done

# satisfied PYTHON: it has these very versions.
satisfied() {
	"$1" - infra/template/requirements.txt <<'PY' 2>/dev/null
import importlib.metadata, re, sys
for line in open(sys.argv[1]):
    if m := re.match(r"([\w-]+)(?:\[.*\])?==(\S+)", line):
        assert importlib.metadata.version(m[1]) == m[2]
PY
}
python=$(command -v python3)
if ! satisfied "$python"; then
	python=$tools/python/bin/python
	if [ ! -x "$python" ] || ! satisfied "$python"; then
		python3 -m venv "$tools/python" && "$python" -m pip install -q -r infra/template/requirements.txt ||
			missing 'pip cannot install infra/template/requirements.txt'
	fi
fi
if ! cmp -s infra/template/package-lock.json "$tools/package-lock.json" || [ ! -d "$tools/node_modules" ]; then
	mkdir -p "$tools"
	cp infra/template/package.json infra/template/package-lock.json "$tools/"
	npm ci --silent --ignore-scripts --no-audit --no-fund --prefix "$tools" || missing 'npm cannot install iam-simulate and dt-sql-parser'
fi

# Nothing of the account that this shell may be signed in to.
for name in $(compgen -e | grep '^AWS_' || true); do
	unset "$name"
done
export AWS_DEFAULT_REGION=us-east-1 AWS_ACCESS_KEY_ID=none AWS_SECRET_ACCESS_KEY=none AWS_EC2_METADATA_DISABLED=true

lint() { "$python" -c 'import sys; from cfnlint.runner import main; sys.exit(main())' "$@"; }

echo 'cfn-lint, for AWS and for AWS China'
templates=(template.yaml infra/stack/*.yaml infra/policies/*.yaml)
lint "${templates[@]}"
for template in "${templates[@]}"; do
	# There is no user pool in China, and the stack makes none there.
	case $template in *userpool.yaml) continue ;; esac
	lint -r cn-north-1 cn-northwest-1 -- "$template"
done

echo "the auditors' queries"
node infra/athena/parse.mjs "$tools" infra/athena/*_*.sql

echo 'SAM transform'
"$python" infra/template/translate.py . >"$work/expanded.json"

echo 'moto'
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
"$python" -m moto.server -H 127.0.0.1 -p "$port" >"$work/moto.log" 2>&1 &
moto=$!
for _ in $(seq 300); do
	kill -0 "$moto" 2>/dev/null || { cat "$work/moto.log" >&2; missing 'moto did not start'; }
	curl -s -o "$work/answer" "http://127.0.0.1:$port/" && break
	sleep 0.2
done
"$python" infra/template/smoke.py "http://127.0.0.1:$port" "$work/expanded.json" || {
	tail -30 "$work/moto.log" >&2
	missing 'the stack cannot be created on moto'
}

export WECOM_ARCHIVE_EXPANDED=$work/expanded.json WECOM_ARCHIVE_TEMPLATE_TOOLS=$tools
go vet -tags template ./infra/template
go test -count=1 -tags template "$@" ./infra/template
