#include "sim/diagnose/moves.h"

#include <algorithm>

#include "sim/diagnose/diagnosis.h"

namespace gpuplan::sim {

namespace {

// fp32 pictures sent as bytes and normalised on the GPU.
constexpr double kByteInput = 0.25;
// What a replayed graph leaves of gaps between small kernels: 0.6 us a kernel against 5 of a framework's
// eager launch (assumed).
constexpr double kGraph = 0.12;

}  // namespace

std::vector<Move> moves_for(std::string_view id, const std::array<double, 3>& shares,
                            const Capacities& capacities) {
  const double busy = shares[0] + shares[1], wrong = shares[2];
  const double faster = std::min(1.0, capacities.pcie_pageable / capacities.pcie_pinned);
  std::vector<Move> moves;
  if (id == "input_copy") {
    moves = {
        {"fetch the next input during the kernels (second stream, double buffer)", std::max(busy, wrong)},
        {"send bytes, normalise on the GPU (a quarter of fp32)", busy + wrong * kByteInput},
        {"both: bytes, fetched ahead", std::max(busy, wrong * kByteInput)}};
  } else if (id == "pageable_copy") {
    moves = {{"pin the host memory", busy + wrong * faster},
             {"pin it, and fetch ahead", std::max(busy, wrong * faster)}};
  } else if (id == "pcie_bound") {
    // Kernels are hidden behind the copies: they take their own share, whatever is sent.
    moves = {{"send bytes, normalise on the GPU (a quarter of fp32)", std::max(busy, kByteInput)}};
  } else if (id == "loader") {
    moves = {{"enough workers, or decode on the GPU (DALI, nvJPEG), fetched ahead", busy}};
  } else if (id == "launch_gaps") {
    moves = {{"CUDA graphs, or compiled and fused kernels", busy + wrong * kGraph},
             {"twice the batch, per sample", busy + wrong / 2.0}};
  } else if (id == "few_blocks") {
    moves = {{"twice the batch, per sample, until the SMs are full", busy + wrong / 2.0}};
  } else if (id == "straggler") {
    moves = {{"find the slow rank (clock, link, input) and level the load", busy}};
  } else if (id == "nvlink_collectives" || id == "network_collectives") {
    moves = {{"run collectives beside kernels (buckets, prefetch)", std::max(busy, wrong)},
             {"half the bytes (16 bit, or a smaller group)", busy + wrong / 2.0}};
  }
  std::erase_if(moves, [](const Move& m) { return m.time > 0.99; });
  std::stable_sort(moves.begin(), moves.end(), [](const Move& a, const Move& b) { return a.time < b.time; });
  return moves;
}

}  // namespace gpuplan::sim
