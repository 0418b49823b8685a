#!/bin/sh
# Builds and runs the consumer project. usage: run.sh installed BUILD_DIR CONFIG CXX | fetched CONFIG CXX | fallback CXX
#   installed  against a copy of BUILD_DIR's library installed into a new folder
#   fetched    from the sources by FetchContent, without a network
#   fallback   the same, with every dependency passed by on the system and fetched from a folder
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
source=$(dirname -- "$(dirname -- "$here")")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mode=$1
shift

configure() { # SOURCE BUILD CONFIG CXX OPTION...
  from=$1 to=$2 config=$3 cxx=$4
  shift 4
  generator=
  command -v ninja > /dev/null && generator=-GNinja
  launcher=
  command -v ccache > /dev/null && launcher=-DCMAKE_CXX_COMPILER_LAUNCHER=ccache
  cmake -S "$from" -B "$to" ${generator:+"$generator"} ${launcher:+"$launcher"} \
    -DCMAKE_BUILD_TYPE="$config" -DCMAKE_CXX_COMPILER="$cxx" "$@"
}
from_source() { # CONFIG CXX OPTION...
  config=$1 cxx=$2
  shift 2
  configure "$here" "$work/build" "$config" "$cxx" -DCONSUMER_FETCH=ON -DFETCHCONTENT_FULLY_DISCONNECTED=ON \
    -DFETCHCONTENT_SOURCE_DIR_HANDRAIL="$source" "$@"
}

case $mode in
  installed)
    cmake --install "$1" --prefix "$work/prefix" > /dev/null
    configure "$here" "$work/build" "$2" "$3" -DCMAKE_PREFIX_PATH="$work/prefix"
    ;;
  fetched) from_source "$1" "$2" ;;
  fallback)
    # The headers of the system, laid out as in the archives that would be fetched. No package of the
    # system has the sources of zlib, which stays where it is.
    mkdir -p "$work/cereal/include" "$work/doctest"
    ln -s /usr/include/eigen3 "$work/eigen3"
    ln -s /usr/include/cereal "$work/cereal/include/cereal"
    ln -s /usr/include/doctest "$work/doctest/doctest"
    cxx=$1
    set -- -DCMAKE_DISABLE_FIND_PACKAGE_Eigen3=ON -DFETCHCONTENT_SOURCE_DIR_EIGEN3="$work/eigen3" \
      -DCMAKE_DISABLE_FIND_PACKAGE_cereal=ON -DFETCHCONTENT_SOURCE_DIR_CEREAL="$work/cereal" \
      -DCMAKE_DISABLE_FIND_PACKAGE_doctest=ON -DFETCHCONTENT_SOURCE_DIR_DOCTEST="$work/doctest"
    # As a project of its own too, with everything on: that it can be configured and installed.
    configure "$source" "$work/own" Release "$cxx" "$@"
    from_source Debug "$cxx" -DHANDRAIL_TESTS=ON "$@"
    ;;
esac
targets=consumer
[ "$mode" != fallback ] || targets="consumer optim_tests"
[ "$mode" != installed ] || targets=all
# shellcheck disable=SC2086  # several targets
cmake --build "$work/build" --target $targets
"$work/build/consumer"
[ ! -x "$work/build/check" ] || "$work/build/check"
