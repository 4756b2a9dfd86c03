#!/usr/bin/env bash
# Configures, builds (for the GPUs present) and runs the microbenchmarks: OUTDIR/<gpu>-<date>.json
#   calibrate/bench/run.sh OUTDIR [--quick | --full | any other argument of gpubench]     (--full)
# Needs nvcc and a C++ compiler; without CMake it compiles by itself. CUDA_HOME says where nvcc is if it is not in
# PATH or /usr/local/cuda; GPUBENCH_BUILD, where to build; GPUBENCH_ARCHITECTURES, for what ("80;90").
# GPUBENCH_BUILD_ONLY=1 ends after the build.
set -euo pipefail
if [ $# -lt 1 ] || [ "${1#-}" != "$1" ]; then
  echo "usage: $0 OUTDIR [--quick | --full | ARGUMENT...]" >&2
  exit 2
fi
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
outdir=$1
shift
[ $# -gt 0 ] || set -- --full
mkdir -p "$outdir"

nvcc=
for candidate in "${CUDA_HOME:-}/bin/nvcc" "$(command -v nvcc || true)" /usr/local/cuda/bin/nvcc; do
  if [ -x "$candidate" ]; then nvcc=$candidate; break; fi
done
if [ -z "$nvcc" ]; then
  echo "$0: no nvcc; set CUDA_HOME" >&2
  exit 3
fi

# A property of every GPU, one a line; nothing where there is none.
gpus() {
  local found
  if found=$(nvidia-smi --query-gpu="$1" --format=csv,noheader 2>/dev/null); then echo "$found"; fi
}
architectures=${GPUBENCH_ARCHITECTURES:-$(gpus compute_cap | tr -d '. ' | grep -E '^[0-9]+$' | sort -un | paste -sd ';' || true)}
architectures=${architectures:-80;90}
gpu=$(gpus name | head -n 1 | tr '[:upper:]' '[:lower:]' | sed -E 's/^nvidia //; s/[^a-z0-9]+/-/g; s/^-|-$//g')
build=${GPUBENCH_BUILD:-${TMPDIR:-/tmp}/gpubench-build-$(id -u)}
jobs=$(nproc)
echo "building for ${architectures} in $build" >&2

# The same as CMakeLists.txt does, for machines without CMake.
compile_by_hand() {
  local toolkit flags=() links=(-ldl) architecture
  toolkit=$(cd "$(dirname "$nvcc")/.." && pwd)
  for architecture in ${architectures//;/ }; do
    flags+=("-gencode=arch=compute_${architecture},code=[compute_${architecture},sm_${architecture}]")
  done
  for library in cublasLt:GPUBENCH_CUBLASLT nccl:GPUBENCH_NCCL; do
    local name=${library%%:*}
    if echo "#include <$name.h>" | "$nvcc" -x cu -E - >/dev/null 2>&1 \
      && echo 'int main() {}' | "$nvcc" -x cu - -o "$build/probe" -L"$toolkit/lib" "-l$name" >/dev/null 2>&1; then
      flags+=("-D${library##*:}")
      links+=("-L$toolkit/lib" "-l$name" "-Xlinker=-rpath,$toolkit/lib64:$toolkit/lib")
    fi
  done
  flags+=(-O3 -std=c++17 "-DGPUBENCH_ARCHITECTURES=\"${architectures//;/ }\"")
  local source objects=() waiting=()
  for source in "$here"/main.cu "$here"/device/*.cu "$here"/sections/*.cu; do
    objects+=("$build/$(basename "$(dirname "$source")")-$(basename "$source").o")
    "$nvcc" "${flags[@]}" -c "$source" -o "${objects[-1]}" &
    waiting+=($!)
    if [ ${#waiting[@]} -ge "$jobs" ]; then
      wait "${waiting[0]}"
      waiting=("${waiting[@]:1}")
    fi
  done
  local process
  for process in "${waiting[@]}"; do wait "$process"; done
  "$nvcc" "${objects[@]}" -o "$build/gpubench" "${links[@]}"
}

mkdir -p "$build"
if command -v cmake >/dev/null; then
  cmake -S "$here" -B "$build" -DCMAKE_BUILD_TYPE=Release -DCMAKE_CUDA_COMPILER="$nvcc" \
    -DCMAKE_CUDA_ARCHITECTURES="$architectures" >"$build/configure.log" 2>&1 \
    || { cat "$build/configure.log" >&2; exit 1; }
  cmake --build "$build" -j "$jobs" >"$build/build.log" 2>&1 || { cat "$build/build.log" >&2; exit 1; }
else
  compile_by_hand
fi
if [ "${GPUBENCH_BUILD_ONLY:-}" = 1 ]; then exit; fi

name=${gpu:-gpu}-$(date -u +%Y-%m-%d)
out=$outdir/$name.json
for ((again = 2; ; ++again)); do
  if [ ! -e "$out" ]; then break; fi
  out=$outdir/$name-$again.json
done
status=0
"$build/gpubench" "$@" --out "$out" || status=$?
if [ -e "$out" ]; then echo "$out"; fi
exit "$status"
