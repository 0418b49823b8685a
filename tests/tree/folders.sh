#!/bin/sh
# Fails, naming it, on a folder that holds more than 20 files. Inputs of the fuzz targets are not counted: a campaign
# adds one for each finding, and nobody looks for code there.
#   folders.sh SOURCE_DIR
set -eu
cd "$1"

# Folders that still hold too many. One that is within the limit must go from this list.
pending=""

find . \( -name .git -o -name 'build*' -o -name runs -o -path ./tests/fuzz/seeds -o -path ./tests/fuzz/regressions \) \
  -prune -o -type f -print | awk -v pending="$pending" '
  BEGIN {
    limit = 20
    count = split(pending, names, " ")
    for (i = 1; i <= count; ++i) large[names[i]] = 1
  }
  {
    sub(/^\.\//, "")
    folder = $0
    if (!sub(/\/[^\/]*$/, "", folder)) folder = "."
    ++files[folder]
  }
  END {
    for (folder in large)
      if (files[folder] <= limit) {
        printf "tests/tree/folders.sh: %s is within the limit, or gone: take it from `pending`\n", folder
        status = 1
      }
    for (folder in files)
      if (files[folder] > limit && !(folder in large)) {
        printf "%s:1: want at most %d files in a folder; got %d: move some into a folder of their own\n", folder, limit,
               files[folder]
        status = 1
      }
    exit status
  }
'
