#!/bin/sh
# Fails, naming it, on an op declared in core/ops/ops.h that has no row in the table of gradient checks,
# and on a row whose op is not declared.
#   op_rows.sh SOURCE_DIR
set -eu

ops=$(sed -n 's/^\(inline \)\{0,1\}Tensor \([a-z_0-9]*\)(.*/\2/p' "${1:-.}/core/ops/ops.h" | sort -u)
rows=$(sed -n 's/^ *{"\([a-z_0-9]*\)[":].*/\1/p' "${1:-.}/tests/gradients/gradients_test.cpp" | sort -u)
if [ -z "$ops" ] || [ -z "$rows" ]; then
  echo "no ops or no rows were found: has their form changed?"
  exit 1
fi

status=0
for op in $ops; do
  printf '%s\n' "$rows" | grep -qx "$op" && continue
  echo "'$op' of core/ops/ops.h has no row in tests/gradients/gradients_test.cpp"
  status=1
done
for row in $rows; do
  printf '%s\n' "$ops" | grep -qx "$row" && continue
  echo "'$row' of tests/gradients/gradients_test.cpp is not declared in core/ops/ops.h"
  status=1
done
exit $status
