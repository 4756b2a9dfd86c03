// A tiled GEMM written by hand: what its tile size costs at each level of memory. (gemm.cpp prices what a
// library does; this shows why it chooses large tiles.)
//
//   shared      stages (bm + bn) bk bytes a block; sums: bm bn / threads registers a thread
//   from L2     tiles (bm + bn) k bytes: every block reads its panels of A and B
//   from HBM    the blocks resident at once (a wave) walk k side by side, so a panel that several of them
//   read
//               comes from memory once. A wave of w tiles in strips of g rows touches (g bm + w / g bn) k
//               bytes; the strip's g bm k of A stay in L2 for its next waves where they fit. Never less than
//               A, B and D once, and just that where A and B fit in L2.
//   compute     W bm bn 2 k / P_SM, W whole waves of tiles over the SMs (waves are quantised)
//   shared read tiles bm bn k (1 / 64 + 1 / min(bn, widest)) bytes / (SMs x 128 B/clk): a warp (64 x 64 of
//               accumulators), or from Hopper on a warp group (64 x up to 256), reads each operand once
//   T           t0 + fill + longest + leak x squares of the others / longest; fill: the first stages' latency
//
// Datasheet rates and the library GEMM's t0, leak and shares; the schedule (perfect lockstep of a wave, no
// bank conflicts) is assumed. The best tile comes out 4 to 18 % below the fitted GEMM model at m = n = k of
// 2048 to 8192 on A100 and 5 to 7 % above it on H100 (tests), so an error of 25 % is stated.
#pragma once

#include <optional>

#include "hwmodels/kernels/kernel_model.h"
#include "hwmodels/kernels/occupancy.h"

namespace gpuplan::kernels {

struct Tiling {
  Bytes shared_per_block;
  int registers_per_thread = 0;  // sums and 40 for addresses and operands (assumed)
  Occupancy occupancy;           // blocks == 0: the tile does not fit an SM
  Waves waves;
  Bytes from_l2, from_hbm;  // reads of A and B; from_hbm with D written
  Seconds shared_read;      // time at full rate of shared memory
};

// `sm`: what an SM holds. Where a tile does not fit (occupancy.blocks == 0) the traffic is still that of one
// block an SM.
Tiling tiling(const KernelModel& model, const SmLimits& sm, const TiledGemm& op);

// Nothing where the tile does not fit an SM.
std::optional<Price> price_tiled(const KernelModel& model, const SmLimits& sm, const TiledGemm& op,
                                 Explanation* why = nullptr);

}  // namespace gpuplan::kernels
