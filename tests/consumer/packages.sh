#!/bin/bash
# Makes the .deb and the .tar.gz, builds the consumer project with what is in each, by find_package from the archive and
# by pkg-config from the package, and runs the handrail-report of each. As root, where $HANDRAIL_INSTALL_PACKAGE is set,
# the package is also installed, used and purged, after which nothing of it may be left. usage: packages.sh SOURCE BUILD
set -euo pipefail
source=$1 build=$2
here=$source/tests/consumer
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
generator=()
! command -v ninja >/dev/null || generator=(-G Ninja)

# A build of its own: a package is made of all targets of a build.
cmake -S "$source" -B "$build" "${generator[@]}" -DCMAKE_BUILD_TYPE=Release -DCMAKE_INSTALL_PREFIX=/usr \
  -DHANDRAIL_TESTS=OFF -DHANDRAIL_EXAMPLES=OFF
cmake --build "$build"
(cd "$build" && rm -f ./*.deb ./*.tar.gz && cpack)
deb=("$build"/*.deb) archive=("$build"/*.tar.gz)

consumer() { # PREFIX_PATH
  cmake -S "$here" -B "$work/consumer" "${generator[@]}" -DCMAKE_BUILD_TYPE=Release ${1:+-DCMAKE_PREFIX_PATH="$1"} --fresh
  cmake --build "$work/consumer" --clean-first
  "$work/consumer/consumer"
}
by_pkg_config() {
  # shellcheck disable=SC2046  # a list of flags
  c++ -std=c++20 "$here/main.cpp" -o "$work/by_pkg_config" $(pkg-config --cflags --libs handrail)
  "$work/by_pkg_config"
}

mkdir "$work/archive" "$work/deb"
tar -xzf "${archive[0]}" -C "$work/archive" --strip-components=1
consumer "$work/archive"
"$here/report.sh" "$work/archive/bin"

if command -v dpkg-deb >/dev/null && command -v pkg-config >/dev/null; then
  dpkg-deb --info "${deb[0]}"
  dpkg-deb -x "${deb[0]}" "$work/deb"
  pc=$(find "$work/deb" -name handrail.pc)
  PKG_CONFIG_PATH=$(dirname "$pc") by_pkg_config
  "$here/report.sh" "$work/deb/usr/bin"
fi

if [ -n "${HANDRAIL_INSTALL_PACKAGE:-}" ]; then
  apt-get install -y --no-install-recommends "${deb[0]}"
  consumer ""
  by_pkg_config
  "$here/report.sh" /usr/bin
  apt-get purge -y libhandrail-dev
  left=$(find /usr /etc /var/lib/dpkg/info \( -path /usr/src -o -path /usr/local \) -prune -o -iname '*handrail*' -print)
  [ -z "$left" ] || { echo "purging leaves: $left"; exit 1; }
fi
echo "packages: ${deb[0]} ${archive[0]}"
