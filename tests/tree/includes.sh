#!/bin/sh
# Fails, naming file and line, on an include that points against the arrows
#   core <- {nn, optim} <- train <- {examples, tests}
# or that brings in a third-party header outside of its place.
#   includes.sh SOURCE_DIR
set -eu
cd "$1"

files=$(find core nn optim train -name '*.h' -o -name '*.cpp')
# shellcheck disable=SC2086  # one word a file
awk '
  BEGIN {
    refused["core"] = " nn optim train tests examples "
    refused["nn"] = " optim train tests examples "
    refused["optim"] = " nn train tests examples "
    refused["train"] = " tests examples "
  }
  /^[ \t]*#[ \t]*include/ {
    from = FILENAME
    sub(/\/.*/, "", from)
    header = $0
    sub(/^[^<"]*[<"]/, "", header)
    sub(/[>"].*/, "", header)
    to = header
    while (sub(/^\.\.?\//, "", to)) {}
    sub(/^handrail\//, "", to)
    sub(/\/.*/, "", to)
    wrong = ""
    if (index(refused[from], " " to " "))
      wrong = from " must not include " to
    if (header ~ /(^|\/)Eigen\// && FILENAME != "core/eigen.h" && FILENAME !~ /^core\/.*\.cpp$/)
      wrong = "Eigen belongs to core/eigen.h and sources of core"
    if (header ~ /^cereal\// && FILENAME !~ /^train\/checkpoint[^\/]*\.cpp$/)
      wrong = "cereal belongs to train/checkpoint*.cpp"
    if (wrong != "") {
      printf "%s:%d: %s: %s\n", FILENAME, FNR, wrong, $0
      status = 1
    }
  }
  END { exit status }
' $files
