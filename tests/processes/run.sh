#!/bin/sh
# A model is trained in one process and used in another: the predictions are the same to the bit. Then the programs of
# README and docs/cross_validation.md, as they stand there: the one that trains and the one that loads.
#   run.sh MODEL README INCLUDE LIBRARY CXX [FLAG...]
set -eu
model=$1 readme=$2 include=$3 library=$4 cxx=$5
shift 5
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"$model" data "$work"
for kind in bytes floats table; do
  trained=$("$model" train $kind "$work")
  loaded=$("$model" load $kind "$work")
  echo "$loaded"
  cmp "$work/$kind.train" "$work/$kind.load"
  [ "$trained" = "$loaded" ] || { echo "want '$trained'; got '$loaded'"; exit 1; }
done

# Each fenced block with a main is a program. A page has two: the second one loads what the first one saved.
cp "$(dirname "$readme")/examples/data/iris.csv" "$work"
for page in "$readme" "$(dirname "$readme")/docs/cross_validation.md"; do
  name=$(basename "$page" .md)
  awk -v prefix="$work/$name" '
    /^```cpp$/ { block = ""; inside = 1; next }
    /^```$/ && inside { inside = 0; if (block ~ /int main/) { count += 1; printf "%s", block > (prefix count ".cpp") } next }
    inside { block = block $0 "\n" }' "$page"
  (
    cd "$work"
    for program in 1 2; do
      "$cxx" -std=c++20 -O1 -I"$include" "$name$program.cpp" "$library" -lz -fopenmp "$@" -o "$name$program"
      "./$name$program" >"$name.output$program"
      grep '^test accuracy [01]\.[0-9]*$' "$name.output$program" >"$name.accuracy$program" ||
        { echo "want a line 'test accuracy'; got:"; cat "$name.output$program"; exit 1; }
    done
    cmp "$name.accuracy1" "$name.accuracy2"
    [ ! -e "${name}3.cpp" ] || { echo "$page has a third program: run it here too"; exit 1; }
  )
done
