# Shared by ./gpuplan and ./check: installs what is missing, configures and builds. All messages on standard
# error, so that the output of a command stays its own.

say() { printf '%s\n' "$*" >&2; }

# Debian packages the product is built from; `why` is shown when one is installed.
build_packages="cmake ninja-build g++ pkg-config libsimgrid-dev libboost-graph-dev libboost-program-options-dev nlohmann-json3-dev libfmt-dev zlib1g-dev"
test_packages="catch2 libvalijson-dev clang-format clang-tidy clang libclang-rt-14-dev libboost-mpi-dev openmpi-bin"

# install PACKAGE...: those that are not installed yet, as root or with sudo.
install_missing() {
  local missing=() package
  for package in "$@"; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing+=("$package")
  done
  [ "${#missing[@]}" -gt 0 ] || return 0
  local as_root=()
  if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null || { say "gpuplan needs these Debian packages to build: ${missing[*]} (not root, and no sudo)"; exit 1; }
    as_root=(sudo)
  fi
  say "installing the Debian packages that the build needs: ${missing[*]}"
  { "${as_root[@]}" apt-get update -qq && "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"; } >&2 </dev/null \
    || { say "the packages could not be installed"; exit 1; }
}

# prepare ROOT PRESET TARGET: configured and built, quietly when nothing is to do.
prepare() {
  local root=$1 preset=$2 target=$3 log=$1/build/$2.log
  # shellcheck disable=SC2086
  install_missing $build_packages
  mkdir -p "$root/build"
  if [ ! -f "$root/build/$preset/build.ninja" ]; then
    say "configuring ($preset)"
    (cd "$root" && cmake --preset "$preset" -DGPUPLAN_TESTS="${GPUPLAN_TESTS:-OFF}") >"$log" 2>&1 || { cat "$log" >&2; exit 1; }
  fi
  if ! (cd "$root" && ninja -C "build/$preset" -n "$target" | grep -q 'no work to do'); then
    say "building $target ($preset); the first time takes a few minutes"
  fi
  (cd "$root" && ninja -C "build/$preset" "$target") >"$log" 2>&1 || { cat "$log" >&2; exit 1; }
}
