#!/usr/bin/env bash
# Runs every libFuzzer target of a build on its seeds and regressions and on what libFuzzer makes of
# them, two targets at a time, and prints a line for each. What it finds is kept as BUILD/TARGET-*:
# BUILD/tests/fuzz/fuzz_TARGET FILE runs it again. Fails on a finding. The caps of memory are in the targets.
#   campaign.sh BUILD SECONDS
set -euo pipefail

build=$1 seconds=$2
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

statistic() { sed -n "s/^stat::$1: *//p" "$2"; }

# run TARGET: status 1 on a finding.
run() {
  local target=$1 log=$work/$1.log result="no finding" status=0
  mkdir "$work/$target"  # new inputs go here, not into the tree
  "$build/tests/fuzz/fuzz_$target" -max_total_time="$seconds" -timeout=1 -rss_limit_mb=2048 \
    -dict="$here/dictionaries/$target.dict" -artifact_prefix="$build/$target-" -print_final_stats=1 \
    "$work/$target" "$here/seeds/$target" "$here/regressions/$target" >"$log" 2>&1 || status=1
  if [ "$status" != 0 ]; then
    cp "$log" "$build/$target-log"
    result="FOUND: $(sed -n 's/.*Test unit written to //p' "$log" | tail -n 1), see $build/$target-log"
  fi
  printf '%-10s %9s executions %6s a second %5s new units  %s\n' "$target" \
    "$(statistic number_of_executed_units "$log")" "$(statistic average_exec_per_sec "$log")" \
    "$(statistic new_units_added "$log")" "$result"
  return "$status"
}

failed=0
await() { wait "$1" || failed=1; }

running=()
for program in "$build"/tests/fuzz/fuzz_*; do
  if [ "${#running[@]}" = 2 ]; then
    await "${running[0]}"
    running=("${running[@]:1}")
  fi
  run "${program##*/fuzz_}" &
  running+=("$!")
done
for process in "${running[@]}"; do await "$process"; done
exit "$failed"
