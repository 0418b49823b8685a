# Sourced by examples/run and tests/run, which set -o pipefail: installs what a build needs and is missing,
# then configures and builds a preset. Defines functions and $root; does nothing by itself.
# shellcheck shell=bash

root=$(CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)

# So that another checkout of the same sources, as CI has one, finds what this one compiled.
export CCACHE_BASEDIR=$root CCACHE_NOHASHDIR=true

say() { printf '%s\n' "$*" >&2; }
have() { command -v "$1" >/dev/null 2>&1; }

# Debian and Ubuntu packages that a preset needs.
packages_for() {
  echo g++ cmake ninja-build libeigen3-dev libcereal-dev nlohmann-json3-dev doctest-dev libcli11-dev zlib1g-dev libsqlite3-dev
  case $1 in
    tsan) echo clang libclang-rt-dev libomp-dev ;;
    fuzz) echo clang libclang-rt-dev libomp-dev ;;  # libclang-rt-dev brings libFuzzer
    tidy) echo clang-tidy ;;
    packages) echo file dpkg-dev ;;  # which find what the program depends on
  esac
}

# The command that makes a package unnecessary: a tool from elsewhere counts as well.
command_of() {
  case $1 in
    ninja-build) echo ninja ;;
    clang) echo clang++ ;;
    *) echo "$1" ;;
  esac
}

missing_packages() {
  local installed package
  # Multi-arch systems may answer several times; a name unknown to dpkg is not an error here.
  installed=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' "$@" 2>/dev/null || true)
  for package in "$@"; do
    grep -qxF "installed $package" <<<"$installed" || have "$(command_of "$package")" ||
      printf '%s ' "$package"
  done
}

as_root() {
  if [ "$(id -u)" = 0 ]; then
    "$@"
  elif [ -t 0 ]; then
    sudo "$@"
  else
    sudo -n "$@"  # nobody is there to type a password
  fi
}

# progress LABEL [all]: reads the output of a command and tells on stderr how far it is: the counter of ninja, make or
# ctest once there is one, else the last line. On a terminal that is one line that changes every second; elsewhere a
# new line whenever nothing was printed for 2 s. With "all" the output is printed too; on a terminal without ninja's
# counters.
progress() {
  local label=$1 all=${2:-} line='' part='' at='' every=2 clear='' end=$'\n' width=110 ended=0 status
  local start=$SECONDS shown=$SECONDS counter='^(\[ *| *)([0-9]+/[0-9]+|[0-9]+%)(\]| Test) '
  if [ -t 2 ]; then every=1 clear=$'\r\033[K' end='' width=$(($(tput cols 2>/dev/null || echo 80) - 1)); fi
  while [ "$ended" = 0 ]; do
    status=0
    IFS= read -r -t "$every" part || status=$?  # above 128 when no line has ended in that time
    line+=$part
    if [ "$status" -gt 0 ] && [ "$status" -le 128 ]; then ended=1; fi
    if [ "$status" -le 128 ]; then
      if [[ $line == '[0/'* ]]; then
        at=''  # ninja looks for what has changed
      elif [[ $line =~ $counter ]]; then
        at=${BASH_REMATCH[2]}
      elif [[ -z $all && ! $at =~ ^[0-9]+[/%] && $line == *[![:space:]]* ]]; then
        at=$line
      fi
      if [ -n "$all" ] && [ "$ended:$line" != 1: ] && [[ -z $clear || $line != \[* ]]; then
        say "$clear$line"
        shown=$SECONDS
      fi
      line=''
    fi
    if [ "$ended" = 0 ] && [ $((SECONDS - shown)) -ge "$every" ]; then
      printf '%s%.*s%s' "$clear" "$width" "$label: $((SECONDS - start)) s${at:+, $at}" "$end" >&2
      shown=$SECONDS
    fi
  done
  printf %s "$clear" >&2
}

# Tells only how far it is, unless it fails. The lock timeout covers a fresh machine's unattended upgrade.
apt_install() {
  local log status=0
  say "installing $*"
  log=$(mktemp)
  {
    # Old package lists may still do, so a failed update is not the end.
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=120 update || true
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=120 \
      install --no-install-recommends "$@"
  } 2>&1 | tee "$log" | progress installing || status=$?
  [ "$status" = 0 ] || tail -n 20 "$log" >&2
  rm -f "$log"
  return "$status"
}

cmake_is_recent() {
  local version
  version=$(cmake --version 2>/dev/null | sed -n 's/^cmake version //p')
  [ -n "$version" ] && printf '%s\n' 3.25 "$version" | sort -V -C
}

# Names everything that is missing in one message. Libraries are left to CMake, which can also
# find them elsewhere or download them.
require_tools() {
  local preset=$1 needs=""
  have g++ || have clang++ || have c++ || needs+=", a C++20 compiler (g++ or clang++)"
  cmake_is_recent || needs+=", CMake 3.25 or newer"
  have ninja || have make || needs+=", Ninja or make"
  [[ $preset != @(tsan|fuzz) ]] || have clang++ || needs+=", clang++"
  [ "$preset" != tidy ] || have clang-tidy || needs+=", clang-tidy"
  [ -n "$needs" ] || return 0
  say "handrail needs ${needs#, }."
  # shellcheck disable=SC2046  # one word a package
  say "On Debian 12 or Ubuntu 24.04: apt-get install" $(packages_for "$preset")
  return 1
}

# setup PRESET: everything needed to configure that preset is there, or a message and status 1.
setup() {
  local missing
  if have dpkg-query && have apt-get; then
    # shellcheck disable=SC2046
    missing=$(missing_packages $(packages_for "$1"))
    if [ -n "$missing" ]; then
      if [ "$(id -u)" = 0 ] || have sudo; then
        # shellcheck disable=SC2086
        apt_install $missing || say "could not install ${missing% }"
      else
        say "not installed, and neither root nor sudo to do it: ${missing% }"
      fi
    fi
  fi
  require_tools "$1"
}

# A build folder counts only with its build files, and only for the checkout that it was made in.
is_configured() {
  local home
  [ -f "$1/build.ninja" ] || [ -f "$1/Makefile" ] || return 1
  home=$(sed -n 's/^CMAKE_HOME_DIRECTORY:INTERNAL=//p' "$1/CMakeCache.txt" 2>/dev/null) || return 1
  [ "$home" -ef "$root" ]
}

configure() {
  set -- --fresh --preset "$1"  # fresh: what a failed try has left behind must not stay
  if have ninja; then set -- "$@" -G Ninja; fi
  if have ccache; then set -- "$@" -DCMAKE_CXX_COMPILER_LAUNCHER=ccache; fi
  cmake "$@"
}

# build PRESET [TARGET...]: configures when needed; CMake itself notices edited CMake files.
build() {
  local dir=$root/build/$1
  mkdir -p "$dir"
  # Ninja and make do not expect a second one in the same folder, so a second run waits.
  (
    cd "$root" || exit
    ! have flock || flock 9
    is_configured "$dir" || configure "$1" || exit
    CMAKE_BUILD_PARALLEL_LEVEL=${CMAKE_BUILD_PARALLEL_LEVEL:-$(getconf _NPROCESSORS_ONLN)} \
      cmake --build --preset "$1" ${2:+--target "${@:2}"}
  ) 9>"$dir/.lock"
}
