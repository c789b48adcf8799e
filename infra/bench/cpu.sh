#!/usr/bin/env bash
# CPU a message of `wecom-archive local --once`, files included, against the program
# of commit 1d4a10f, whose folders went through an embedded S3: both built here, and
# run in turn, so that what else the machine does touches both alike. CPU is user
# and system time of the process, not time on the clock. Fails if, of the program of
# today, a message of the greatest archive costs not within 1.15 of one of the
# smallest, either way, or a message of the middle one more than 0.60 of what it cost
# before. The least of several rounds counts, since others can only add to it.
#
#   bash infra/bench/cpu.sh [rounds] [small] [middle] [large]
#
# default 2 5000 20000 40000. OLD_AT names the archives which the old program makes,
# too, if not all: OLD_AT=20000 is enough for what is judged. OLD=FILE is the old
# program, if it was built before.
set -euo pipefail
cd "$(dirname "$0")/../.."
rounds=${1:-2} small=${2:-5000} middle=${3:-20000} large=${4:-40000}
old_at=${OLD_AT:-0 $small $middle $large}
before=1d4a10f
work=$(mktemp -d)
cleanup() {
	git worktree remove --force "$work/tree" 2>/dev/null || true
	chmod -R u+w "$work" && rm -rf "$work"
	git worktree prune
}
trap cleanup EXIT
trap 'exit 130' INT TERM

# Of a shallow clone: git fetch --unshallow
if [ -z "${OLD:-}" ]; then
	git worktree add -q --detach "$work/tree" "$before"
	(cd "$work/tree" && CGO_ENABLED=0 go build -o "$work/old" ./cmd/wecom-archive)
else
	cp "$OLD" "$work/old"
fi
CGO_ENABLED=0 go build -o "$work/new" ./cmd/wecom-archive

# cpu PROGRAM MESSAGES prints the CPU in ms of making an archive of so many.
cpu() {
	local TIMEFORMAT='%U %S' dir=$work/data
	{ time "$work/$1" local --once --json --messages "$2" --dir "$dir" --listen 127.0.0.1:0 >"$work/out" 2>"$work/err"; } 2>"$work/time" ||
		{ cat "$work/err" >&2; return 1; }
	chmod -R u+w "$dir" && rm -rf "$dir"
	awk '{ printf "%d\n", ($1 + $2) * 1000 }' "$work/time"
}

declare -A least
for ((round = 1; round <= rounds; round++)); do
	for n in 0 "$small" "$middle" "$large"; do
		for program in old new; do
			[[ $program = new || " $old_at " == *" $n "* ]] || continue
			ms=$(cpu "$program" "$n")
			echo "round $round: $program, $n messages: $ms ms of CPU" >&2
			[ "${least[$program,$n]:-$ms}" -lt "$ms" ] || least[$program,$n]=$ms
		done
	done
done

for key in "${!least[@]}"; do echo "${key/,/ } ${least[$key]}"; done |
	awk -v small="$small" -v middle="$middle" -v large="$large" -v before="$before" '
	{ ms[$1, $2] = $3 }
	function each(p, n) { return ms[p, n] / n }
	function beyond(p, n) { return (ms[p, n] - ms[p, 0]) / n }
	function cell(p, n) { return (p, n) in ms ? sprintf("%.3f", each(p, n)) : "-" }
	function judge(what, got, ok, goal) {
		printf "%-58s %.2f  goal %s: %s\n", what, got, goal, ok ? "met" : "MISSED"
		if (!ok) bad = 1
	}
	END {
		printf "\nms of CPU a message\n%10s %10s %10s %14s\n", "messages", before, "today", "without start"
		split(small " " middle " " large, ns, " ")
		for (i = 1; i <= 3; i++) printf "%10d %10s %10s %14.3f\n", ns[i], cell("old", ns[i]), cell("new", ns[i]), beyond("new", ns[i])
		printf "start, no messages: %d ms today: %.1f %% of the CPU of %d messages\n\n", ms["new", 0], 100 * ms["new", 0] / ms["new", small], small
		growth = each("new", large) / each("new", small)
		judge("today, " large " to " small, growth, growth <= 1.15 && growth >= 1 / 1.15, "0.87 to 1.15")
		printf "%-58s %.2f\n", "the same without the start", beyond("new", large) / beyond("new", small)
		if (("old", large) in ms && ("old", small) in ms) printf "%-58s %.2f\n", before ", " large " to " small, each("old", large) / each("old", small)
		if (("old", middle) in ms) {
			gain = each("new", middle) / each("old", middle)
			judge("today to " before ", " middle, gain, gain <= 0.60, "at most 0.60")
		}
		exit bad
	}'
