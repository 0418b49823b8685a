#!/bin/sh
# Checks a handrail-report that was installed: that it runs, and compares a run. usage: report.sh DIR_OF_PROGRAM
set -eu
report=$1/handrail-report
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
printf 'step,epoch,name,value\n1,1,val_loss,0.5\n2,2,val_loss,0.25\n' > "$work/metrics.csv"
"$report" --version
"$report" "$work" --output "$work/page.html"
grep -q 'val_loss of each run' "$work/page.html" || { echo "want a chart of val_loss in the page"; exit 1; }
