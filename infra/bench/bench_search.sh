#!/usr/bin/env bash
# Searches over a made-up archive of a year, compacted, on the embedded S3 and SQLite:
# each question is put to us, to DuckDB over the same objects and, where it is only a
# word, to zstdcat | grep over the texts. Prints a table and the peak memory of ours.
# Needs a C compiler (DuckDB), zstd and python3.
#
#   bash infra/bench/bench_search.sh [messages]     default 1000000 (about 2 GB below TMPDIR)
set -euo pipefail
cd "$(dirname "$0")/../.."
messages=${1:-1000000}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
CGO_ENABLED=0 go build -o "$work/compactload" ./infra/bench/compactload
(cd infra/duckdb && CGO_ENABLED=1 go build -o "$work/searchbench" ./searchbench)
mkdir "$work/data"
load() { "$work/compactload" --dir "$work/data" --messages "$messages" --months 12 "$1"; }
load generate
load compact >"$work/compact.log" 2>&1 || { cat "$work/compact.log"; exit 1; }

GOMAXPROCS=2 load search >"$work/ours.jsonl" &
pid=$! high=0
while kill -0 "$pid" 2>/dev/null; do # the child of the function's shell does the work
	for p in "$pid" $(pgrep -P "$pid" || true); do
		now=$(sed -n 's/^VmHWM:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$p/status" 2>/dev/null || true)
		[ -n "$now" ] && [ "$now" -gt "$high" ] && high=$now
	done
	sleep 0.05
done
wait "$pid"
"$work/searchbench" "$work/data/derived/compactions/**/*.parquet" "$work/texts.csv" <"$work/ours.jsonl" >"$work/duckdb.jsonl"
zstd -q --rm "$work/texts.csv"
python3 - "$work" "$messages" "$high" <<'PY'
import json, subprocess, sys, time
work, messages, high = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
duck = {l["question"]: l for l in map(json.loads, open(f"{work}/duckdb.jsonl"))}
print(f"{messages:,} messages; peak memory of the searches: {high // 1024} MB\n")
print("| question | hits | ours, ms | DuckDB, ms | zstdcat \\| grep, ms | read, MB | requests | messages looked at |")
print("|---|---|---|---|---|---|---|---|")
for o in map(json.loads, open(f"{work}/ours.jsonl")):
    d = duck[o["question"]]
    if d["hits"] != o["hits"]:
        sys.exit(f"{o['question']}: {o['hits']} hits, DuckDB has {d['hits']}")
    grep = "–"
    if not o.get("person"):
        began = time.time()
        subprocess.run(f"zstdcat {work}/texts.csv.zst | grep -cF {o['words']}", shell=True, stdout=subprocess.DEVNULL)
        grep = f"{(time.time() - began) * 1000:.0f}"
    print(f"| {o['question']} | {o['hits']} | {o['ms']:.0f} | {d['ms']:.0f} | {grep} | {o['mb']:.1f} | {o['requests']} | {o['messages']:,} |")
PY
[ "$high" -lt $((256 * 1024)) ]
