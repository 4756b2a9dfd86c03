// Latency and bandwidth by the footprint that is read again and again: L1, L2 (near and far partition),
// memory.
//
//   bandwidth  one SM's footprint in L1: SMs x B/clk x clock
//              else 1 / (h / L2 + (1 - h) / DRAM), h = 1 up to l2_full x L2 and falling linearly to 0 at
//              l2_gone x L2
//   latency    L1, near L2 up to half of the L2 (an SM's own partition keeps a copy), far L2 up to l2_gone,
//              then memory; where DRAM mixes in, weighted by h
//
// The L2 begins to lose its rate well below its size because its partitions keep copies of each other's lines
// (A100) and sets fill unevenly. Fitted to two of three published footprints (gpu-benches, reading); median
// error on the others 0.2 to 1.8 %, p90 2 to 6 %, worst 13 % at the knee (L40: one point 56 %, its knee is
// almost a step). Footprints near the L1 are up to 20 % faster than L2, which is not modelled.
#pragma once

#include <string_view>

#include "hwmodels/kernels/kernel_model.h"

namespace gpuplan::kernels {

enum class MemoryLevel { l1, l2_near, l2_far, dram };
std::span<const std::string_view> enum_names(MemoryLevel tag);

struct MemoryAccess {
  MemoryLevel level = MemoryLevel::dram;  // where most of the footprint is found
  Seconds latency;                        // of a single dependent access
  BytesPerSecond bandwidth;               // reading, all SMs
  double l2_hits = 0.0;                   // share of accesses below L1 that L2 serves
  Provenance provenance = Provenance::assumed;
  double relative_error = 0.3;  // of the bandwidth
  double spread80 = 0.6;        // as of a Price
};

// `footprint` read over and over by all SMs, or by each SM a part of its own (`private_to_sm`: bytes an SM).
MemoryAccess memory_access(const KernelModel& model, Bytes footprint, bool private_to_sm = false,
                           Explanation* why = nullptr);

}  // namespace gpuplan::kernels
