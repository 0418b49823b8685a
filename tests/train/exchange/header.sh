#!/bin/sh
# Headers of export_header, compiled as C++17: their outputs have the bits of the library. Exits with 77 when the kernels
# of this processor do not fuse products and sums.
#   header.sh EXPORTED_FILES CXX
set -eu
files=$1 cxx=$2
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"$files" fuses || exit 77
names=$("$files" "$work")
# check COMPILER FLAG...
check() {
  echo "$@"
  for name in $names; do
    "$@" -std=c++17 -Wall -Wextra -Werror "-DHEADER=\"$work/$name.h\"" "$here/header_check.cpp" -o "$work/check"
    "$work/check" "$work/$name.inputs" "$work/$name.outputs"
  done
}
check "$cxx" -O0
check "$cxx" -O3 -march=native
case $(basename "$cxx") in
clang*) other=g++ ;;
*) other=clang++ ;;
esac
if command -v "$other" >/dev/null; then check "$other" -O3 -march=native; fi
