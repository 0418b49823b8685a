#!/bin/sh
# Shows that the checks of this folder pass on the tree and fail on each planted error.
#   self_test.sh SOURCE_DIR
# shellcheck disable=SC2016  # the backticks are Markdown
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
root=$1
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
failures=0

mkdir "$copy/tree"
cp -R "$root/core" "$root/nn" "$root/optim" "$root/train" "$root/cmake" "$root/docs" "$root/examples" "$root/tests" \
  "$copy/tree"
for page in README.md CONTRIBUTING.md CHANGELOG.md; do
  if [ -e "$root/$page" ]; then cp "$root/$page" "$copy/tree/$page"; fi
done

# fresh: the copy is as the tree again. change FILE...: what is done to these files next is undone by fresh.
changed=
fresh() {
  for file in $changed; do
    rm "$copy/tree/$file"
    if [ -e "$root/$file" ]; then cp "$root/$file" "$copy/tree/$file"; fi
    rmdir "$(dirname "$copy/tree/$file")" 2>/dev/null || true
  done
  changed=
}
change() {
  for file; do mkdir -p "$(dirname "$copy/tree/$file")"; done
  changed="$changed $*"
}

# plant FILE LINE: appends the line to a file of a fresh copy.
plant() {
  fresh
  change "$1"
  printf '%s\n' "$2" >>"$copy/tree/$1"
}

accepted() {
  if ! output=$(sh "$here/$1" "$copy/tree"); then
    echo "$1 refuses what is right: $output"
    failures=1
  fi
}

# refused CHECK TEXT: the check fails and says the text.
refused() {
  if output=$(sh "$here/$1" "$copy/tree"); then
    echo "$1 does not see: $2"
    failures=1
  else
    case $output in
      *"$2"*) ;;
      *) echo "$1: want '$2' in: $output"; failures=1 ;;
    esac
  fi
}

wrong_include() {
  plant "$1" "$2"
  refused includes.sh "$1:"
}

fresh
for check in includes op_rows folders class_sizes pages; do accepted $check.sh; done

wrong_include core/shape.h '#include <handrail/nn/module.h>'
wrong_include core/tape.cpp '  #  include "../optim/adam.h"'
wrong_include core/new.cpp '#include "train/data/loader.h"'
wrong_include nn/linear.cpp '#include <handrail/optim/adam.h>'
wrong_include nn/linear.h '#include <handrail/train/data/loader.h>'
wrong_include optim/sgd.h '#include <handrail/nn/module.h>'
wrong_include optim/sgd.cpp '#include <handrail/train/data/loader.h>'
wrong_include train/data/loader.cpp '#include "tests/support/tensors.h"'
wrong_include train/data/loader.h '#include "../examples/data.h"'
wrong_include core/tensor.h '#include <Eigen/Core>'
wrong_include nn/module.h '#include <Eigen/Dense>'
wrong_include train/data/loader.h '#include <unsupported/Eigen/FFT>'
wrong_include train/data/loader.cpp '#include <cereal/archives/binary.hpp>'
wrong_include core/tape.cpp '#include <cereal/cereal.hpp>'

plant nn/new.cpp '#include <Eigen/QR>'
accepted includes.sh
plant train/checkpoints/new.cpp '#include <cereal/cereal.hpp>'
accepted includes.sh
plant train/data/loader.h '#include <handrail/optim/adam.h>  // and <handrail/nn/module.h>'
accepted includes.sh

# Two rooms of train in the wrong direction, a room that nobody knows, and the door.
wrong_include train/data/loader.h '#include <handrail/train/checks/options.h>'
wrong_include train/math/robust.cpp '#include <handrail/train/run/options.h>'
wrong_include train/files/text.cpp '#include <handrail/train/math/robust.h>'
wrong_include train/checks/options.h '#include <handrail/train/trainer.h>'
wrong_include train/run/options.h '#include <handrail/handrail.h>'
wrong_include train/attic/new.h '#include <handrail/core/tensor.h>'
# A header that includes itself through another one, a private header, quotes.
plant core/shape.h '#include <handrail/core/tensor.h>'
refused includes.sh 'a circle of includes goes through core/shape.h'
refused includes.sh 'a circle of includes goes through core/tensor.h'
wrong_include train/data/dataset.h '#include <handrail/train/data/internal/preview.h>'
wrong_include train/data/csv.h '#include <handrail/train/files/text.h>'
wrong_include core/tensor.h '#include <handrail/core/system/internal/kernels.h>'
wrong_include train/data/loader.cpp '#include "rows.h"'

# fill FOLDER: 20 files more in a folder of a fresh copy.
fill() {
  fresh
  for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
    change "$1/new_$i"
    : >"$copy/tree/$1/new_$i"
  done
}
fill examples/data
refused folders.sh 'examples/data:1: want at most 20 files in a folder; got 2'
fill .
refused folders.sh '.:1: want at most 20 files in a folder; got 2'
fill train/attic  # exactly as many as may be
accepted folders.sh

# plant_class KIND MEMBERS FUNCTIONS: a class of that size, and what must not be counted.
plant_class() {
  fresh
  change train/data/loader.h
  awk -v kind="$1" -v members="$2" -v functions="$3" '
    BEGIN {
      print "namespace handrail { template <class T> " kind " Planted final : public Base<T, int> {\n public:"
      print "  using Call = int (*)(int); friend void f(int); static constexpr int one = 1; enum class E { a, b };"
      print "  struct Inner { int a, b; int g() { return a; } };  // int c;"
      print "  Planted(const Planted&) = delete; ~Planted() = default;"
      print "  int a = 0, b = 0; std::function<bool(double, int)> c; std::array<int, 3> d{1, 2, 3};"
      for (i = 5; i <= members; ++i) print "  int member_" i " = std::max({1, 2}) /* ; int x */;"
      if (functions > 0) print "  explicit Planted(int x) : a(x), b{x} { if (x) { a = 1; } }"
      if (functions > 1) print "  template <class U> bool operator<(const U& other) const { return a < other.a; }"
      for (i = 3; i <= functions; ++i) print "  virtual std::vector<int> f" i "(int x, std::function<void(int)> y = {}) const = 0;"
      print "}; }"
    }' >>"$copy/tree/train/data/loader.h"
}
plant_class class 15 25
accepted class_sizes.sh
plant_class class 16 25
refused class_sizes.sh 'functions in a class; got 16 and 25 in Planted'
plant_class class 15 26
refused class_sizes.sh 'functions in a class; got 15 and 26 in Planted'
plant_class struct 16 1
refused class_sizes.sh 'functions in a class; got 16 and 1 in Planted'
plant_class class 16 0
refused class_sizes.sh 'functions in a class; got 16 and 0 in Planted'
plant_class struct 40 0
accepted class_sizes.sh
# stale CHECK NAME: a check whose list of what is still to be done has only that name refuses it.
stale() {
  fresh
  sed "s#^pending=.*#pending=\"$2\"#" "$here/$1" >"$copy/stale_$1"
  if output=$(sh "$copy/stale_$1" "$copy/tree"); then output=; fi
  case $output in
    *"$2 is "*"take it from"*) ;;
    *) echo "$1: want a complaint that $2 is listed, but done; got: $output"; failures=1 ;;
  esac
}
stale includes.sh train/data/loader.h:train/trainer.h
stale folders.sh train/data
stale class_sizes.sh Loader

# missing FILE LINE PATH: the page is refused because of that path.
missing() {
  plant "$1" "$2"
  refused pages.sh "$1:"
  refused pages.sh "there is no $3 in this repository"
}
missing README.md 'See [the loop](train/run/lap.cpp).' train/run/lap.cpp
missing README.md '`train/attic/` is a room.' train/attic
missing docs/speed.md 'Measured by `build/release/tests/bench/stopwatch 3`.' tests/bench/stopwatch
missing docs/guards.md 'As [there](guard.md) and in `../README.md`.' guard.md
missing docs/guards.md '#include <handrail/train/guards/spikes.h>' train/guards/spikes.h
plant README.md '`train/run/options.h`, run/options.h, options.h, `tests/bench/guard_table`, https://a.b/train/x.h, runs/x.md, w/o.'
accepted pages.sh
fresh
change docs/architecture.md
for room in "$root"/train/*/ "$root"/core/*/; do basename "$room"; done | sed 's/$/\//' >"$copy/tree/docs/architecture.md"
accepted pages.sh
sed '/^guards/d' "$copy/tree/docs/architecture.md" >"$copy/short" && cp "$copy/short" "$copy/tree/docs/architecture.md"
refused pages.sh 'train/guards is not named'
fresh
change CONTRIBUTING.md
awk 'BEGIN { for (i = 0; i < 150; ++i) print "" }' >"$copy/tree/CONTRIBUTING.md"
refused pages.sh 'CONTRIBUTING.md:150: want fewer than 150 lines; got 150'

plant core/ops/ops.h 'Tensor planted(const Tensor& x);'
refused op_rows.sh "'planted' of core/ops/ops.h has no row"
plant core/ops/ops.h 'inline Tensor planted(const Tensor& x) { return x; }'
refused op_rows.sh "'planted' of core/ops/ops.h has no row"
plant tests/gradients/gradients_test.cpp '    {"imagined", any(), unary(tanh)},'
refused op_rows.sh "'imagined' of tests/gradients/gradients_test.cpp is not declared"
fresh
sed '/{"tanh"/d' "$root/tests/gradients/gradients_test.cpp" >"$copy/tree/tests/gradients/gradients_test.cpp"
refused op_rows.sh "'tanh' of core/ops/ops.h has no row"
: >"$copy/tree/core/ops/ops.h"
refused op_rows.sh 'no ops or no rows were found'

exit $failures
