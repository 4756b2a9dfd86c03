// Kernel constants of a GPU that nobody measured, from those of the nearest GPU that somebody did.
//
// Most constants are dimensionless (shares of the datasheet's bandwidth and peak) and stay as they are. Five
// rules change the others. Each has an argument of its own; their numbers come from datasheets and from
// published figures other than the tables they are tested on. But the rules were chosen knowing four GPUs.
//
//   1. Donor: a GPU of the same chip family (architecture, and matrix units equally wide within a factor
//      1.25), else the one whose matrix units are fed the same way, else the next generation of feeding.
//      Matrix units of up to 2048 bf16 FLOP a clock and SM read registers (mma.sync: Volta, Ampere, Ada,
//      Blackwell's sm120), of 4096 shared memory (wgmma: Hopper), of 8192 tensor memory (tcgen05: Blackwell).
//   2. Clocks: the shortest step, waves, tiles, soft-max blocks and reductions over splits take the same
//      number of clocks, so their times go with 1 / clock. Launches (t0) take the same time.
//   3. Tiles of 256 x 256 exist where pairs of SMs share a tensor memory, and nowhere else.
//   4. Waves: a GPU without asynchronous copies of whole tiles runs one tile a CTA. Waves are whole
//      (smoothing 0.2), and each shows its prologue (two dependent loads from memory, 0.6 us each under load)
//      and its epilogue (a tile of 64 KiB to L2 at 38 B a clock) that persistent kernels hide. Nor does it
//      hide the soft-max of attention: an exponential a score, 16 a clock, and six operations on the lanes.
//   5. Power (power_of): rate under full load <= TDP / energy of a FLOP. A GPU with less power for its peak
//      than the donor loses clock in proportion: at once where the donor shows no droop, half of it (as a
//      factor) at once and half as the droop sets in where it does. Published: H100 PCIe (350 W) reaches 395
//      of 756 TFLOP/s under long load and 530 in short kernels, L4 (72 W) 55 of 121. With more power the
//      clock goes with its square root, for the voltage rises. A donor whose clock does not droop has power
//      to spare: A100 needs 0.89 of its 400 W, as 235 TFLOP/s of A100 PCIe (300 W) say. Each way of feeding
//      takes 0.73 of the energy of the one before: 1.28 pJ on A100 PCIe, 0.89 on H100 PCIe, 0.68 on B200.
//
// Curves of corrections (which kernel the library picks for a shape) carry over within a chip family only.
//
// Measured by `gpuplan validate --leave-one-out` on A100, H100, H200 and B200, median and 90th percentile of
// the error. bf16 GEMM with m, n, k >= 512: 5.1 and 18, 3.6 and 11, 3.7 and 10, 5.6 and 16 %; Hopper without
// Hopper 8.8 and 17 %; published ones of RTX 4090 (Ada, m >= 512) 3.0 and 7 %. Medians of all shapes and
// formats within a family: GEMM 4, prefill 3, decode 5, experts 7 %; across: GEMM 13, prefill 9, decode 22,
// experts 17, all-reduce 32 %. 80 % intervals are as wide as that (kSameFamily and kOtherFamily in
// transfer.cpp) and hold 78 to 88 % of the rows of each kind. Known to fail across families: weight-only GEMM
// from bf16's constants, decode attention (each has another split heuristic), short prompts, all-reduce of
// small messages.
#pragma once

#include <algorithm>
#include <span>

#include "hwmodels/catalogue/catalogue.h"
#include "hwmodels/kernels/profile.h"

namespace gpuplan::kernels {

// Where the matrix units of a GPU read their operands, told by bf16 (or fp16) FLOP per clock and SM.
enum class MatrixFeed { registers, shared_memory, tensor_memory };
MatrixFeed matrix_feed(double flops_per_clock);
// Dense 16-bit matrix FLOP per clock and SM; 0 where the datasheet does not say.
double matrix_width(const Gpu& gpu);
double matrix_width(const FittedDatasheet& datasheet);

// The same architecture and matrix units of about the same width, so that libraries run the same kernels.
bool same_chip_family(const FittedDatasheet& measured, const Gpu& gpu);

// What a GPU's power does to its clock under full load, against the GPU that the profile was fitted on.
struct Power {
  // That the power for each FLOP/s of peak allows, over that of the profile's GPU: in any kernel, and what is
  // left of it under long full load.
  double clock = 1.0;
  double sustained = 1.0;

  // The share of time that full load adds to compute, where it added `fitted`.
  [[nodiscard]] double droop(double fitted) const {
    return std::max(0.0, (1.0 + fitted) / (sustained * std::max(1.0, clock)) - 1.0);
  }
  // Time that each FLOP takes longer than at peak, over its time at peak: nothing where power is plentiful,
  // and nothing in a kernel that leaves the matrix units idle.
  [[nodiscard]] double lack() const { return std::max(0.0, 1.0 / clock - 1.0); }
};
Power power_of(const KernelProfile& profile, const Gpu& gpu);

// The profile to take constants from; nullptr where there is none.
const KernelProfile* nearest_profile(std::span<const KernelProfile* const> measured, const Gpu& gpu);

// `donor` with its constants carried over to `gpu`, and with the errors that this was measured to have.
KernelProfile transferred(KernelProfile donor, const Gpu& gpu);

}  // namespace gpuplan::kernels
