#!/bin/sh
# The example mnist trains on the embedded digits, and predict reads its checkpoint: of an image it says the same in an
# IDX file and as a picture.
#   predict.sh MNIST PREDICT DATA
set -eu
mnist=$1 predict=$2 data=$3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

"$mnist" --epochs 3 >log
model=$(ls runs/*/*.hrc runs/*/*/*.hrc 2>/dev/null | tail -n 1)
"$predict" --model "$model" --idx "$data/digits-images-idx3-ubyte" >all
[ "$(wc -l <all)" = 1797 ] || { echo "want 1797 lines; got:"; head all; exit 1; }
# The labels begin with 0 to 9. Of these ten, at least eight are right after three epochs.
right=$(head -n 10 all | awk -F '[:,] *' '$1 == $2 { n += 1 } END { print n + 0 }')
[ "$right" -ge 8 ] || { echo "want 8 of the first ten right; got:"; head all; exit 1; }

# The first image as a picture: behind the 16 bytes of the header, 8 x 8 bytes.
{ printf 'P5 8 8 255\n'; dd if="$data/digits-images-idx3-ubyte" bs=1 skip=16 count=64 2>/dev/null; } >picture.pgm
"$predict" --model "$model" --pgm picture.pgm >one
head -n 1 all | cmp - one

if "$predict" --model "$model" 2>error; then exit 1; fi
grep -q "one of --idx, --pgm and --csv" error
if "$predict" --model "$model" --pgm log 2>error; then exit 1; fi
grep -q "want a PGM picture" error
