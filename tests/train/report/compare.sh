#!/bin/sh
# Compares two runs of an example with handrail-report. usage: compare.sh HANDRAIL_REPORT EXAMPLE
set -eu
report=$1 example=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
"$example" --epochs 30 --lr 0.01 --runs "$work/runs" > /dev/null
"$example" --epochs 30 --lr 0.001 --runs "$work/<script>&" > /dev/null
one=$(ls -d runs/*/1) two=$(ls -d "<script>&"/*/1)
sh -c 'cd "$1"; echo "not,a,row" >> metrics.csv' sh "$one"

"$report" "$one" "$two" --output both.html
for want in '<table' 'val_loss' 'val_accuracy' 'could not be read' 'class="line s0' 'Content-Security-Policy'; do
  grep -q -e "$want" both.html || { echo "want $want in the page"; exit 1; }
done
if grep -q -e '<script' -e 'http://' -e 'https://' both.html; then echo "the page runs or loads something"; exit 1; fi

status=0
"$report" "$one" missing 2> error || status=$?
[ "$status" = 1 ] && grep -q "missing" error || { echo "want status 1 and the name; got $status:"; cat error; exit 1; }
status=0
"$report" > /dev/null 2>&1 || status=$?
[ "$status" = 2 ] || { echo "want status 2 without directories; got $status"; exit 1; }
"$report" --help | grep -q output
"$report" --version | grep -q "^handrail-report [0-9]"
