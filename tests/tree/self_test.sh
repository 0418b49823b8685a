#!/bin/sh
# Shows that the checks of this folder pass on the tree and fail on each planted error.
#   self_test.sh SOURCE_DIR
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
root=$1
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
failures=0

fresh() {
  rm -rf "$copy/tree"
  mkdir -p "$copy/tree/tests"
  for folder in core nn optim train tests/gradients; do cp -R "$root/$folder" "$copy/tree/$folder"; done
}

# plant FILE LINE: appends the line to a fresh copy.
plant() {
  fresh
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
accepted includes.sh
accepted op_rows.sh

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
wrong_include nn/module.cpp '#include <Eigen/Dense>'
wrong_include train/data/loader.cpp '#include <unsupported/Eigen/FFT>'
wrong_include train/data/loader.cpp '#include <cereal/archives/binary.hpp>'
wrong_include core/tape.cpp '#include <cereal/cereal.hpp>'

plant core/ops/new.cpp '#include <Eigen/Core>'
accepted includes.sh
plant train/checkpoint_new.cpp '#include <cereal/cereal.hpp>'
accepted includes.sh
plant train/data/loader.h '#include <handrail/optim/adam.h>  // and <handrail/nn/module.h>'
accepted includes.sh

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
