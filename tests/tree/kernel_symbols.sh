#!/bin/sh
# Fails, naming it, on a symbol other than its table that an object with kernels of one instruction set offers to
# the linker: code for AVX-512 could then be taken for everybody. Fails also on a symbol of the library with a name of
# Eigen's, which a program that is compiled with other flags would share.
#   kernel_symbols.sh NM LIBRARY
set -eu

nm=$1 library=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$nm" -A -g --defined-only "$library" >"$work/all"
grep -E '(avx512|avx2|portable)\.cpp\.o:' "$work/all" >"$work/kernels" || true
if ! grep -q portable "$work/kernels"; then
  echo "no kernels were found in $library: have their names changed?"
  exit 1
fi
# The only symbols are the tables, called handrail::f32::kernels::avx512 and so on.
if grep -vE '7kernels(6avx512|4avx2|8portable)E$' "$work/kernels"; then
  echo "kernels offer more than their table"
  exit 1
fi
if grep '5Eigen' "$work/all"; then
  echo "the library and a program that uses Eigen share code: want its namespace to be handrail_eigen in the library"
  exit 1
fi
