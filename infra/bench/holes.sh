#!/usr/bin/env bash
# Archives that are damaged at random, and what becomes of them: nothing that WeCom still had
# may be missing, nothing may stand twice, and what is lost must be listed as lost.
#
#   bash infra/bench/holes.sh [archives [first seed]]     default 3000 1 (about an hour on two cores)
set -euo pipefail
cd "$(dirname "$0")/../.."
exec go run ./infra/bench/holes -n "${1:-3000}" -seed "${2:-1}"
