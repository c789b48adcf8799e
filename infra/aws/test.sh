#!/usr/bin/env bash
# Tests the AWS adapters, and the pipeline on them, against stand-ins for AWS on
# this machine: moto (DynamoDB, KMS, Parameter Store, SQS, S3) and dynalite (DynamoDB).
# Installs what is missing below .tools/, starts both on free ports of 127.0.0.1,
# and stops them at the end. A stand-in that cannot be had is a failure.
#
#   bash infra/aws/test.sh [go test arguments]    default: all packages with the tag
#
# What no stand-in can show is listed in docs/verification.md.
set -euo pipefail
cd "$(dirname "$0")/../.."
tools=$PWD/.tools/aws
work=$(mktemp -d)
pids=() names=()
stop() {
	for i in "${!pids[@]}"; do # one that is gone explains what failed
		kill -0 "${pids[$i]}" 2>/dev/null || { echo "test-aws: ${names[$i]} ended by itself:" && tail -20 "$work/${names[$i]}.log"; } >&2
	done
	for pid in ${pids[@]+"${pids[@]}"}; do
		kill "$pid" 2>/dev/null && wait "$pid" 2>/dev/null || true
	done
	rm -rf "$work"
}
trap stop EXIT

missing() {
	echo "test-aws: $1" >&2
	exit 1
}

for command in node npm python3 curl cc; do
	command -v "$command" >/dev/null || missing "$command is not installed (Debian: apt-get install nodejs npm python3-venv curl gcc libc6-dev)"
done

moto=$(command -v moto_server || true)
if [ -z "$moto" ]; then
	moto=$tools/moto/bin/moto_server
	if [ ! -x "$moto" ]; then
		python3 -m venv "$tools/moto" && "$tools/moto/bin/pip" install -q 'moto[server]==5.2.1' ||
			missing 'moto_server is not installed, and pip cannot install moto[server]==5.2.1'
	fi
fi

modules=$tools/npm/node_modules
if ! cmp -s infra/aws/package-lock.json "$tools/npm/package-lock.json" || [ ! -d "$modules/dynalite" ]; then
	mkdir -p "$tools/npm"
	cp infra/aws/package.json infra/aws/package-lock.json "$tools/npm/"
	npm ci --silent --ignore-scripts --no-audit --no-fund --prefix "$tools/npm" || missing 'npm cannot install dynalite'
fi

free_port() {
	python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# start NAME PORT COMMAND... starts a stand-in and waits until it answers.
start() {
	local name=$1 port=$2
	shift 2
	"$@" >"$work/$name.log" 2>&1 &
	local pid=$!
	pids+=("$pid") names+=("$name")
	for _ in $(seq 300); do
		kill -0 "$pid" 2>/dev/null || break
		if curl -s -o "$work/answer" "http://127.0.0.1:$port/"; then
			return
		fi
		sleep 0.2
	done
	cat "$work/$name.log" >&2
	missing "$name did not start"
}

port=$(free_port)
start moto "$port" "$moto" -H 127.0.0.1 -p "$port"
export WECOM_ARCHIVE_TEST_MOTO=http://127.0.0.1:$port
port=$(free_port)
start dynalite "$port" node infra/aws/dynalite.js "$modules" "$port"
export WECOM_ARCHIVE_TEST_DYNALITE=http://127.0.0.1:$port

# Nothing of the account that this shell may be signed in to.
for name in $(compgen -e | grep '^AWS_' || true); do
	unset "$name"
done
export AWS_EC2_METADATA_DISABLED=true

[ $# -gt 0 ] || set -- ./shared/awsstore/... ./functions/... ./infra/aws/...
go vet -tags aws ./shared/awsstore/... ./functions/... ./infra/aws/...
CGO_ENABLED=0 go test -count=1 -tags aws "$@"
