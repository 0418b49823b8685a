# Sourced by the scripts that compare with libtorch: builds its programs and runs them at their best.
# shellcheck shell=bash

programs=$root/build/release/tests/bench

# torch_build NAME: tests/bench/peers/NAME.cpp, unless it is built. Needs Debian's libtorch-dev.
torch_build() {
  [ "$root/tests/bench/peers/$1.cpp" -nt "$programs/$1" ] || [ "$root/tests/bench/workload.h" -nt "$programs/$1" ] || return 0
  g++ -std=c++17 -O3 -march=native -fopenmp -w -I/usr/include/torch/csrc/api/include \
    "$root/tests/bench/peers/$1.cpp" -o "$programs/$1" -ltorch -ltorch_cpu -lc10
}

# torch NAME THREADS ARGS...: memory is not given back to the system, one pool of threads.
torch() {
  local name=$1 threads=$2
  shift 2
  env OMP_NUM_THREADS="$threads" MALLOC_TRIM_THRESHOLD_=1000000000 MALLOC_MMAP_THRESHOLD_=1000000000 \
    LD_LIBRARY_PATH="/usr/lib/$(uname -m)-linux-gnu/openblas-openmp" "$programs/$name" "$@"
}
