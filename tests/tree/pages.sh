#!/bin/sh
# Fails, naming file and line, on a path in README.md, CONTRIBUTING.md, CHANGELOG.md or docs/*.md that does not exist: a
# word that begins with a folder of this repository, or that ends like a file of it. A program of a build folder stands
# for its source, <handrail/FILE> for FILE. Fails, too, when docs/architecture.md leaves out a room of train/ or a folder
# of core/, or when a page for contributors has 150 lines or more.
#   pages.sh SOURCE_DIR
set -eu
cd "$1"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
status=0

find . \( -name .git -o -name 'build*' -o -name runs \) -prune -o -print | sed 's/^\.//' >"$work/tree"
pages=
for page in README.md CONTRIBUTING.md CHANGELOG.md docs/*.md; do
  if [ -f "$page" ]; then pages="$pages $page"; fi
done

# shellcheck disable=SC2086  # one word a page
LC_ALL=C awk -v folders="$(find . -mindepth 1 -maxdepth 1 -type d ! -name '.*' ! -name 'build*' ! -name runs | tr '\n/' '  ')" '
  BEGIN {
    count = split(folders, names, " ")
    for (i = 1; i <= count; ++i) if (names[i] != ".") top[names[i]] = 1
  }
  FNR == NR {  # the tree: every path, and every end of one, with a slash before it
    path[$0] = 1
    for (end = $0; match(substr(end, 2), /\//); end = substr(end, RSTART + 1)) tail[end] = 1
    tail[end] = 1
    next
  }
  # Of this text from its root: as a file or folder, or as the name of a program.
  function exists(text) {
    return ("/" text) in path || ("/" text ".cpp") in path || ("/" text ".sh") in path
  }
  # The program of a source in a folder below, or core_tests, which has the tests of the folder core.
  function is_program(text) {
    sub(/.*\//, "", text)
    if (("/" text ".cpp") in tail) return 1
    return sub(/_tests$/, "", text) && ("/tests/" text) in path
  }
  {
    text = $0
    gsub(/https?:[^ )>]*/, " ", text)
    gsub(/(^|[^A-Za-z0-9_])runs\/[^ `]*/, " ", text)  # what a program writes
    while (match(text, /[A-Za-z0-9_.\/-]+/)) {
      word = substr(text, RSTART, RLENGTH)
      before = substr(text, RSTART - 1, 1)
      after = substr(text, RSTART + RLENGTH, 1)
      text = substr(text, RSTART + RLENGTH)
      if (word ~ /^\// || before == "~" || before == "*" || after == "*") continue  # elsewhere on the disk, or a pattern
      while (sub(/^\.\.?\//, "", word)) {}
      sub(/^handrail\//, "", word)
      built = sub(/^build\/[a-z0-9]+\//, "", word)
      sub(/[.\/-]+$/, "", word)
      first = word
      sub(/\/.*/, "", first)
      if (word ~ /\// && first in top) {
        if (exists(word) || (built && is_program(word))) continue
      } else if (word ~ /[A-Za-z0-9_]\.(h|cpp|sh|cmake|md|py)$/) {
        if (("/" word) in tail) continue
      } else {
        continue
      }
      printf "%s:%d: there is no %s in this repository\n", FILENAME, FNR, word
      status = 1
    }
  }
  END { exit status }
' "$work/tree" $pages || status=1

if [ -f docs/architecture.md ]; then
  for room in $(find train core -mindepth 1 -maxdepth 1 -type d | sort); do
    if ! grep -qE "(^|[^A-Za-z0-9_])($room|${room##*/}/)" docs/architecture.md; then
      echo "docs/architecture.md:1: $room is not named"
      status=1
    fi
  done
fi
for page in CONTRIBUTING.md CHANGELOG.md docs/architecture.md; do
  [ -f "$page" ] || continue
  lines=$(wc -l <"$page")
  if [ "$lines" -ge 150 ]; then
    echo "$page:$lines: want fewer than 150 lines; got $lines"
    status=1
  fi
done
exit $status
