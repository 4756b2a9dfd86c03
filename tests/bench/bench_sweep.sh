#!/usr/bin/env bash
# Cost of a sweep: 1,000 points of 2,000 requests each, and 1,000 points that price one kernel, which is all
# overhead. CPU seconds of all processes count; the wall clock depends on who else is on the machine.
#   tests/bench/bench_sweep.sh [GPUPLAN]
set -eu
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
gpuplan=${1:-$root/build/release/ui/gpuplan}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat >"$folder/kernel.json" <<'JSON'
{"schema": 1, "kind": "kernel", "name": "one", "machine": {"gpu": "H100-SXM5-80GB"},
 "kernels": [{"op": "gemm", "m": 4096, "n": 4096, "k": 4096, "precision": "bf16"}]}
JSON
TIMEFORMAT='%U s user + %S s system CPU, %R s wall'
cd "$folder"
echo "1,000 points of 2,000 requests"
time "$gpuplan" sweep "$root/scenarios/serving/llama2-13b-4xh100.json" --quiet --rows 1 --journal serving \
  --set traffic.requests=2000 --vary traffic.arrivals.rate=2.0:20.0:1000 >/dev/null
echo "1,000 points of one kernel"
time "$gpuplan" sweep kernel.json --quiet --rows 1 --journal kernel --vary 'kernels[0].m=1:1000:1000' >/dev/null
