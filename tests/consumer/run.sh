#!/bin/sh
# Builds and runs the consumer project. usage: run.sh installed BUILD_DIR CONFIG CXX | fetched CONFIG CXX | fallback CXX
#   installed  against an installed copy of BUILD_DIR's library, moved to another root, its sources deleted
#   fetched    from the sources by FetchContent, without a network
#   fallback   the same as a shared library, with every dependency passed by on the system and fetched from a folder;
#              then against the installed copy of that, moved as well
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
  configure "$work/consumer" "$work/build" "$config" "$cxx" -DCONSUMER_FETCH=ON -DFETCHCONTENT_FULLY_DISCONNECTED=ON \
    -DFETCHCONTENT_SOURCE_DIR_HANDRAIL="$work/handrail" "$@"
}
build() { # BUILD TARGET...
  folder=$1
  shift
  cmake --build "$folder" --target "$@"
}

# Everything is done with copies, which can be deleted.
mkdir "$work/handrail"
for part in core nn optim train cmake docs examples tests CMakeLists.txt README.md CHANGELOG.md LICENSE; do cp -R "$source/$part" "$work/handrail/"; done
cp -R "$here" "$work/consumer"

# installed_copy BUILD CONFIG CXX: installs it, moves that to another root, deletes the sources and what was built
# there, and builds the consumer from what is left.
installed_copy() {
  cmake --install "$1" --prefix "$work/first/prefix" > /dev/null
  mkdir "$work/second"
  mv "$work/first/prefix" "$work/second/root"
  rm -rf "$work/first" "$work/handrail" "$1"
  links=$(find "$work/second/root" -type l ! -name 'libhandrail*.so' ! -name 'libhandrail*.so.[0-9]*')
  if [ -n "$links" ]; then
    echo "installed are links, where only a shared library may have them:" && echo "$links"
    exit 1
  fi
  for library in "$work"/second/root/lib*/libhandrail*.so; do
    if [ -e "$library" ] && [ ! -L "$library" ]; then
      echo "the shared library $library has no version"
      exit 1
    fi
  done
  if grep -rlF -e "$work" "$work/second/root" --include='*.h' --include='*.cmake'; then
    echo "installed files name the folders that they were made in"
    exit 1
  fi
  configure "$work/consumer" "$work/installed" "$2" "$3" -DCMAKE_PREFIX_PATH="$work/second/root"
  build "$work/installed" all
  "$work/installed/consumer"
  [ ! -x "$work/installed/check" ] || "$work/installed/check"
  "$work/consumer/report.sh" "$work/second/root/bin"
  pc=$(find "$work/second/root" -name handrail.pc)
  [ -n "$pc" ] || { echo "there is no handrail.pc"; exit 1; }
  if command -v pkg-config > /dev/null; then
    PKG_CONFIG_PATH=$(dirname "$pc")
    export PKG_CONFIG_PATH
    # shellcheck disable=SC2046  # a list of flags
    "$3" -std=c++20 "$work/consumer/main.cpp" -o "$work/by_pkg_config" $(pkg-config --cflags --libs handrail)
    LD_LIBRARY_PATH=$(dirname "$(dirname "$pc")") "$work/by_pkg_config"
  fi
}

case $mode in
  installed)
    # The libraries and the program of BUILD_DIR are taken as they are, rather than compiled again for the copy of the
    # sources.
    config=$(sed -n 's/^CMAKE_BUILD_TYPE:[A-Z]*=//p' "$1/CMakeCache.txt")
    f64=$(sed -n 's/^HANDRAIL_F64:[A-Z]*=//p' "$1/CMakeCache.txt")
    shared=$(sed -n 's/^BUILD_SHARED_LIBS:[A-Z]*=//p' "$1/CMakeCache.txt")
    configure "$work/handrail" "$work/build" "$config" "$3" -DHANDRAIL_F64="$f64" -DBUILD_SHARED_LIBS="${shared:-OFF}" \
      -DHANDRAIL_TESTS=OFF -DHANDRAIL_EXAMPLES=OFF
    cp -a "$1"/libhandrail* "$1/handrail-report" "$work/build/"
    installed_copy "$work/build" "$2" "$3"
    ;;
  fetched)
    from_source "$1" "$2"
    build "$work/build" consumer
    "$work/build/consumer"
    ;;
  fallback)
    # The headers of the system, laid out as in the archives that would be fetched. No package of the
    # system has the sources of zlib, which stays where it is.
    mkdir -p "$work/cereal/include" "$work/json/include" "$work/cli11/include" "$work/doctest"
    ln -s /usr/include/eigen3 "$work/eigen3"
    ln -s /usr/include/cereal "$work/cereal/include/cereal"
    ln -s /usr/include/nlohmann "$work/json/include/nlohmann"
    ln -s /usr/include/CLI "$work/cli11/include/CLI"
    ln -s /usr/include/doctest "$work/doctest/doctest"
    cxx=$1
    set -- -DCMAKE_DISABLE_FIND_PACKAGE_Eigen3=ON -DFETCHCONTENT_SOURCE_DIR_EIGEN3="$work/eigen3" \
      -DCMAKE_DISABLE_FIND_PACKAGE_cereal=ON -DFETCHCONTENT_SOURCE_DIR_CEREAL="$work/cereal" \
      -DCMAKE_DISABLE_FIND_PACKAGE_nlohmann_json=ON -DFETCHCONTENT_SOURCE_DIR_NLOHMANN_JSON="$work/json" \
      -DCMAKE_DISABLE_FIND_PACKAGE_CLI11=ON -DFETCHCONTENT_SOURCE_DIR_CLI11="$work/cli11" \
      -DCMAKE_DISABLE_FIND_PACKAGE_doctest=ON -DFETCHCONTENT_SOURCE_DIR_DOCTEST="$work/doctest"
    # As a project of its own too, with everything on: that it can be configured.
    configure "$work/handrail" "$work/own" Release "$cxx" "$@"
    # Unoptimised, which compiles fastest: it is about what is found where.
    from_source Debug "$cxx" -DCMAKE_CXX_FLAGS_DEBUG=-O0 -DBUILD_SHARED_LIBS=ON -DHANDRAIL_TESTS=ON \
      -DHANDRAIL_INSTALL=ON "$@"
    build "$work/build" consumer handrail-report handrail_test_main
    "$work/build/consumer"
    installed_copy "$work/build" Debug "$cxx"
    ;;
esac
