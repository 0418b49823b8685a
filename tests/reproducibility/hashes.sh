#!/usr/bin/env bash
# Trains the examples and compares the SHA-256 of their weights with the table in docs/reproducibility.md: with the
# kernels of every instruction set that this processor has, and on 1, 2, 3 and 8 threads.
#   hashes.sh WEIGHTS EXAMPLES PAGE [print]     "print" prints the rows of the table instead
set -euo pipefail

weights=$1 examples=$2 page=$3 print=${4:-}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# hash NAME SET THREADS
hash() {
  rm -rf "$work/runs"
  HANDRAIL_ISA=$2 "$examples/$1" --runs "$work/runs" --threads "$3" >"$work/output" 2>&1 ||
    { cat "$work/output" >&2; return 1; }
  "$weights" "$work/runs" >"$work/weights"
  [ -s "$work/weights" ] || { echo "want weights of $1; got none" >&2; return 1; }
  sha256sum "$work/weights" | cut -d ' ' -f 1
}

sets=(portable)
flags=" $(sed -n '/^flags/{s/.*: //p;q}' /proc/cpuinfo) "
[[ $flags != *" avx2 "* || $flags != *" fma "* ]] || sets+=(avx2)
[[ $flags != *" avx512bw "* || $flags != *" avx512vl "* || $flags != *" avx512dq "* ]] || sets+=(avx512)

wrong=0
for name in digits spiral regression custom_trainer eigen; do
  if [ "$print" = print ]; then
    fused=$(hash $name avx2 1) separate=$(hash $name portable 1)
    echo "| $name | \`$fused\` | \`$separate\` |"
    continue
  fi
  row=$(grep "^| $name | " "$page")
  for set in "${sets[@]}"; do
    column=3
    [ "$set" != portable ] || column=4
    want=$(cut -d '|' -f $column <<<"$row" | tr -d ' \`')
    for threads in 1 2 3 8; do
      got=$(hash "$name" "$set" $threads)
      [ "$got" = "$want" ] || { echo "$name, $set, $threads threads: want $want; got $got"; wrong=1; }
    done
  done
done
exit $wrong
