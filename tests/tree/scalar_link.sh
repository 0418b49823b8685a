#!/bin/sh
# A program with sources of the float and of the double build must not link, and the linker must name
# the symbol that says why. Each build alone links and runs.
#   scalar_link.sh COMPILER INCLUDE_DIR FLOAT_LIBRARY DOUBLE_LIBRARY [FLAG...]
set -eu

compiler=$1 include=$2 float=$3 double=$4
shift 4
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

cat >part.cpp <<'END'
#include <handrail/core/tensor.h>
handrail::Index PART() { return handrail::Tensor::ones({3}).size(); }
END
cat >one.cpp <<'END'
#include <cstddef>
std::ptrdiff_t PART();
int main() { return PART() == 3 ? 0 : 1; }
END
cat >both.cpp <<'END'
#include <cstddef>
std::ptrdiff_t in_float();
std::ptrdiff_t in_double();
int main() { return in_float() + in_double() == 6 ? 0 : 1; }
END

build() { "$compiler" -std=c++20 "$@"; }
build "$@" -I"$include" -DPART=in_float -c part.cpp -o float.o
build "$@" -I"$include" -DPART=in_double -DHANDRAIL_F64 -c part.cpp -o double.o

build "$@" -DPART=in_float one.cpp float.o "$float" -o float && ./float
build "$@" -DPART=in_double one.cpp double.o "$double" -o double && ./double

if build "$@" both.cpp float.o double.o "$float" "$double" -o both >log 2>&1; then
  echo "float and double link in one program"
  exit 1
fi
if ! grep -q handrail_one_scalar_type_per_program log; then
  echo "the linker does not say why:"
  cat log
  exit 1
fi
