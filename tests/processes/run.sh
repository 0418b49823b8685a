#!/bin/sh
# A model is trained in one process and used in another: the predictions are the same to the bit. Then the programs of
# README, as they stand there: the one that trains and the one that loads.
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

# Each fenced block with a main is a program.
awk -v prefix="$work/program" '
  /^```cpp$/ { block = ""; inside = 1; next }
  /^```$/ && inside { inside = 0; if (block ~ /int main/) { count += 1; printf "%s", block > (prefix count ".cpp") } next }
  inside { block = block $0 "\n" }' "$readme"
cd "$work"
for program in 1 2; do
  "$cxx" -std=c++20 -O1 "$@" -I"$include" program$program.cpp "$library" -lz -fopenmp -o program$program
  ./program$program > output$program
  grep '^test accuracy [01]\.[0-9]*$' output$program > accuracy$program ||
    { echo "want a line 'test accuracy'; got:"; cat output$program; exit 1; }
done
cmp accuracy1 accuracy2
[ ! -e program3.cpp ] || { echo "README has a third program: run it here too"; exit 1; }
