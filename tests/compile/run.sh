#!/bin/sh
# Compiles refused.cpp, once: the compiler must refuse each line that is marked and no other one, and say why.
#   run.sh COMPILER INCLUDE_DIR
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
log=$(mktemp)
trap 'rm -f "$log"' EXIT
limit=-fmax-errors=0
case $("$1" --version) in *clang*) limit=-ferror-limit=0 ;; esac

if LC_ALL=C "$1" -std=c++20 -fsyntax-only "$limit" -I"$2" "$here/refused.cpp" >"$log" 2>&1; then
  echo "refused.cpp compiles"
  exit 1
fi
# An error reaches from its own line to the next error; what it says must be in the first ten lines.
awk '
  FNR == NR {
    if (/^ *\/\/ says: /) { sub(/^ *\/\/ says: /, ""); wanted = wanted $0 "\n" }
    else if (wanted != "") { want[FNR] = wanted; wanted = "" }
    next
  }
  / error: / {
    split($0, place, ":")
    line = place[1] ~ /refused\.cpp$/ ? place[2] : 0
    if (!(line in want)) { print "not expected:"; print; status = 1 }
    lines = 0
  }
  line && ++lines <= 10 { text[line] = text[line] $0 "\n" }
  END {
    for (line in want)
      for (i = split(want[line], regex, "\n") - 1; i > 0; --i)
        if (text[line] !~ regex[i]) {
          printf "refused.cpp:%d: want %s; got\n%s", line, regex[i], text[line]
          status = 1
        }
    exit status
  }
' "$here/refused.cpp" "$log"
