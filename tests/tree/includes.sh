#!/bin/sh
# Fails, naming file and line, on an include of the library that is against the order below, on a circle of includes, on
# a private header in a public one, and on a third-party header outside of its place.
#   core <- {nn, optim} <- train <- {examples, tests}
# In train, a room may include itself and those before it in `rooms`; the door is the files of train/ itself.
#   includes.sh SOURCE_DIR
set -eu
cd "$1"

rooms="option files math data metrics lr report checks guards checkpoints exchange run door"
# Includes against the order that are still there, as FILE:HEADER. One that is gone must go from this list.
pending=""

# Private headers are those that cmake/library.cmake does not install: its pattern is the only one.
private=$(sed -n 's/^set(handrail_private "\(.*\)")$/\1/p' cmake/library.cmake)
if [ -z "$private" ]; then
  echo "cmake/library.cmake: want a line set(handrail_private \"PATTERN\"); got none"
  exit 1
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
status=0

# Writes every include of a file of this library to $work/edges: FROM TO LINE.
: >"$work/edges"
# shellcheck disable=SC2046  # one word a file
awk -v rooms="$rooms" -v pending="$pending" -v private="$private" -v edges="$work/edges" '
  BEGIN {
    refused["core"] = " nn optim train tests examples "
    refused["nn"] = " optim train tests examples "
    refused["optim"] = " nn train tests examples "
    refused["train"] = " tests examples "
    count = split(rooms, names, " ")
    for (i = 1; i <= count; ++i) rank[names[i]] = i
    count = split(pending, excepted, " ")
    for (i = 1; i <= count; ++i) unused[excepted[i]] = 1
  }
  function room(path,  parts) {
    if (path !~ /^train\//) return ""
    return split(path, parts, "/") == 2 ? "door" : parts[2]
  }
  function report(reason) {
    printf "%s:%d: %s: %s\n", FILENAME, FNR, reason, $0
    status = 1
  }
  FNR == 1 && room(FILENAME) != "" && !(room(FILENAME) in rank) {
    printf "%s:1: train/%s is no room: tests/tree/includes.sh lists them in their order\n", FILENAME, room(FILENAME)
    status = 1
  }
  /^[ \t]*#[ \t]*include/ {
    header = $0
    sub(/^[^<"]*[<"]/, "", header)
    sub(/[>"].*/, "", header)
    if (header ~ /(^|\/)Eigen\// && FILENAME != "core/eigen.h" && FILENAME !~ /\.cpp$/)
      report("Eigen belongs to core/eigen.h and sources")
    if (header ~ /^cereal\// && FILENAME !~ /^train\/checkpoints\/.*\.cpp$/)
      report("cereal belongs to sources of train/checkpoints")
    if ($0 ~ /^[^<]*"/) report("headers of the library are included as <handrail/...>")

    to = header
    while (sub(/^\.\.?\//, "", to)) {}
    if (to == "handrail/handrail.h") to = "train/handrail.h"
    sub(/^handrail\//, "", to)
    folder = from = to
    sub(/\/.*/, "", folder)
    from = FILENAME
    sub(/\/.*/, "", from)
    if (index(refused[from], " " folder " ")) report(from " must not include " folder)
    if (folder !~ /^(core|nn|optim|train)$/) next
    print FILENAME, to, FNR >edges
    if (FILENAME ~ /\.h$/ && FILENAME !~ private && to ~ private)
      report("a public header must not include a private one")
    if (room(FILENAME) == "" || !(room(to) in rank) || rank[room(to)] <= rank[room(FILENAME)]) next
    if ((FILENAME ":" to) in unused)
      unused[FILENAME ":" to] = 0
    else
      report("train/" room(FILENAME) " comes before " (room(to) == "door" ? "the door" : "train/" room(to)) \
             " and must not include it")
  }
  END {
    for (pair in unused)
      if (unused[pair]) {
        printf "tests/tree/includes.sh: %s is no longer there: take it from `pending`\n", pair
        status = 1
      }
    exit status
  }
' $(find core nn optim train -name '*.h' -o -name '*.cpp' | sort) || status=1

# tsort names the files of each circle, and orders what has none.
if ! cut -d ' ' -f 1,2 "$work/edges" | tsort >"$work/order" 2>"$work/circles"; then
  sed -n 's/^tsort: \(.*\.[a-z]*\)$/\1/p' "$work/circles" >"$work/members"
  awk '
    FNR == NR { member[$1] = 1; next }
    $1 in member && $2 in member { printf "%s:%d: a circle of includes goes through %s\n", $1, $3, $2 }
  ' "$work/members" "$work/edges"
  status=1
fi
exit $status
