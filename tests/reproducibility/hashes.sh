#!/usr/bin/env bash
# Trains the examples and compares the SHA-256 of their weights with the table in docs/reproducibility.md: with the
# kernels of every instruction set that this processor has, and on 1, 2, 3 and 8 threads.
#   hashes.sh WEIGHTS EXAMPLES PAGE [MODE]
# MODE: print      prints the rows of the table instead
#       emulated   the quickest examples on processors that qemu emulates: one with AVX2, one with neither AVX2 nor FMA.
#                  Exits with 77 when qemu-x86_64 is not there or too old
#       arm64      all examples, built for 64-bit ARM, on a processor that qemu-aarch64 emulates
set -euo pipefail

weights=$1 examples=$2 page=$3 mode=${4:-native}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
emulator=()

# hash NAME SET THREADS     an empty SET: the best that the processor has
hash() {
  rm -rf "$work/runs"
  HANDRAIL_ISA=$2 "${emulator[@]}" "$examples/$1" --runs "$work/runs" --threads "$3" >"$work/output" 2>&1 ||
    { cat "$work/output" >&2; return 1; }
  "$weights" "$work/runs" >"$work/weights"
  [ -s "$work/weights" ] || { echo "want weights of $1; got none" >&2; return 1; }
  sha256sum "$work/weights" | cut -d ' ' -f 1
}

wrong=0
# compare NAME SET THREADS COLUMN [PROCESSOR]     with that column of the table: fused or separate
compare() {
  local column=3 want got
  [ "$4" = fused ] || column=4
  want=$(grep "^| $1 | " "$page" | cut -d '|' -f $column | tr -d ' \`')
  got=$(hash "$1" "$2" "$3")
  [ "$got" = "$want" ] || { echo "$1, ${5:-$2}, $3 threads: want $want; got $got"; wrong=1; }
}

all="digits spiral regression custom_trainer eigen"
case $mode in
  native)
    sets=(portable:separate)
    flags=" $(sed -n '/^flags/{s/.*: //p;q}' /proc/cpuinfo) "
    [[ $flags != *" avx2 "* || $flags != *" fma "* ]] || sets+=(avx2:fused)
    [[ $flags != *" avx512bw "* || $flags != *" avx512vl "* || $flags != *" avx512dq "* ]] || sets+=(avx512:fused)
    for name in $all; do
      for set in "${sets[@]}"; do
        for threads in 1 2 3 8; do compare "$name" "${set%:*}" $threads "${set#*:}"; done
      done
    done
    ;;
  print)
    for name in $all; do echo "| $name | \`$(hash $name avx2 1)\` | \`$(hash $name portable 1)\` |"; done
    ;;
  emulated)
    version=$(qemu-x86_64 --version 2>/dev/null | sed -n 's/^qemu-x86_64 version \([0-9.]*\).*/\1/p') || true
    if [ -z "$version" ] || [ "$(printf '7.2\n%s\n' "$version" | sort -V | head -n 1)" != 7.2 ]; then
      echo "skipped: want qemu-x86_64 7.2 or later, which emulates AVX2 (package qemu-user); got ${version:-none}"
      exit 77
    fi
    for processor in max:fused Nehalem:separate; do
      emulator=(qemu-x86_64 -cpu "${processor%:*}")
      for name in regression eigen; do compare $name "" 2 "${processor#*:}" "the processor '${processor%:*}' of qemu"; done
    done
    ;;
  arm64)
    emulator=(qemu-aarch64 -L /usr/aarch64-linux-gnu)
    for name in $all; do
      for threads in 1 3; do compare "$name" "" $threads fused "64-bit ARM"; done
    done
    ;;
esac
exit $wrong
