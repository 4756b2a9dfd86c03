#include "hwmodels/kernels/transfer.h"

#include <algorithm>
#include <cmath>

namespace gpuplan::kernels {

namespace {

// bf16 FLOP per clock and SM between two ways of feeding: geometric means of 2048, 4096 and 8192.
constexpr double kWidestFromRegisters = 2896.0;
constexpr double kWidestFromSharedMemory = 5793.0;
// H100 NVL and PCIe reach 0.87 and 0.92 of H100's width at their boost clocks, A10 half of A100's.
constexpr double kSameWidth = 1.25;

// Energy of a FLOP from one way of feeding to the next, and the share of its power that a GPU needs whose
// clock does not droop.
constexpr double kEnergyStep = 0.73;
constexpr double kPowerNeeded = 0.89;
constexpr double kNoDroop = 0.1;

// Waves of one tile a CTA.
constexpr double kWholeWaves = 0.2;           // smoothing, as GemmConstants has it by default
constexpr double kLoadedLoad = 0.6;           // us, a dependent load from memory under load
constexpr double kTileBytes = 65536.0;        // 256 x 128 results of 16 bit
constexpr double kStoreBytesPerClock = 38.0;  // of one SM to L2

// Errors with constants of another GPU, from pricing each measured GPU's tables without its own profile.
struct FamilyTransfer {
  TransferError gemm, prefill, decode, experts, all_reduce;
};
constexpr FamilyTransfer kSameFamily = {.gemm = {1.1, 0.04, 0.06},
                                        .prefill = {1.1, 0.04, 0.06},
                                        .decode = {1.2, 0.05, 0.08},
                                        .experts = {1.2, 0.06, 0.12},
                                        .all_reduce = {1.3, 0.06, 0.12}};
constexpr FamilyTransfer kOtherFamily = {.gemm = {1.0, 0.10, 0.22},
                                         .prefill = {1.0, 0.12, 0.27},
                                         .decode = {1.0, 0.22, 0.60},
                                         .experts = {1.0, 0.15, 0.48},
                                         .all_reduce = {3.0, 0.25, 0.50}};

double bf16_peak(const Gpu& gpu) {
  const auto peak = gpu.peak(Precision::bf16) ? gpu.peak(Precision::bf16) : gpu.peak(Precision::fp16);
  return peak ? peak->si() : 0.0;
}

double width(double peak, double sms, double clock) {
  return sms > 0.0 && clock > 0.0 ? peak / sms / clock : 0.0;
}

bool same_architecture(const FittedDatasheet& measured, const Gpu& gpu) {
  return !measured.architecture.empty() && gpu.architecture.starts_with(measured.architecture);
}

// How far a GPU measured is from `gpu`, as a donor of constants.
double distance(const FittedDatasheet& measured, const Gpu& gpu) {
  if (matrix_width(gpu) <= 0.0 || measured.memory_bandwidth <= 0.0) {
    return same_architecture(measured, gpu) ? 0.0 : 1.0;
  }
  const MatrixFeed here = matrix_feed(matrix_width(gpu)), there = matrix_feed(matrix_width(measured));
  // From registers or not is the wider gap: everything is asynchronous beyond it.
  double apart = std::abs(static_cast<double>(here) - static_cast<double>(there));
  apart += (here == MatrixFeed::registers) != (there == MatrixFeed::registers) ? 1.0 : 0.0;
  apart += same_chip_family(measured, gpu) ? 0.0 : 0.5;
  // Bandwidth for the peak decides between siblings.
  const double balance = gpu.memory_bandwidth.si() / bf16_peak(gpu);
  const double its_balance = measured.memory_bandwidth / measured.bf16_peak;
  return apart + 0.1 * std::min(2.0, std::abs(std::log2(std::max(1e-9, balance / its_balance))));
}

template <class Constants>
void bound(std::vector<Constants>& constants, const TransferError& error) {
  for (Constants& c : constants) {
    c.error.transfer = error;
  }
}

template <class Constants>
void forget_curves(std::vector<Constants>& constants) {
  for (Constants& c : constants) {
    c.correction = {};
  }
}

}  // namespace

MatrixFeed matrix_feed(double flops_per_clock) {
  return flops_per_clock < kWidestFromRegisters      ? MatrixFeed::registers
         : flops_per_clock < kWidestFromSharedMemory ? MatrixFeed::shared_memory
                                                     : MatrixFeed::tensor_memory;
}

double matrix_width(const Gpu& gpu) { return width(bf16_peak(gpu), gpu.sm_count, gpu.boost_clock.si()); }

double matrix_width(const FittedDatasheet& datasheet) {
  return width(datasheet.bf16_peak, datasheet.sm_count, datasheet.boost_clock);
}

bool same_chip_family(const FittedDatasheet& measured, const Gpu& gpu) {
  const double here = matrix_width(gpu), there = matrix_width(measured);
  return same_architecture(measured, gpu) &&
         (here <= 0.0 || there <= 0.0 || std::max(here / there, there / here) <= kSameWidth);
}

Power power_of(const KernelProfile& profile, const Gpu& gpu) {
  const FittedDatasheet& fitted = profile.datasheet;
  const double peak = bf16_peak(gpu);
  if (fitted.tdp <= 0.0 || fitted.bf16_peak <= 0.0 || gpu.tdp.si() <= 0.0 || peak <= 0.0) {
    return {};
  }
  // A what-if of the GPU itself keeps its way of feeding.
  const double steps = profile.gpu == gpu.name ? 0.0
                                               : static_cast<double>(matrix_feed(matrix_width(gpu))) -
                                                     static_cast<double>(matrix_feed(matrix_width(fitted)));
  const double power = gpu.tdp.si() / peak / (fitted.tdp / fitted.bf16_peak) / std::pow(kEnergyStep, steps);
  if (power >= 1.0) {
    return {std::sqrt(power)};
  }
  const bool spare = std::any_of(profile.gemm.begin(), profile.gemm.end(), [](const GemmConstants& c) {
    return c.format == "bf16" && c.droop < kNoDroop;
  });
  return {std::min(1.0, power / (spare ? kPowerNeeded : 1.0))};
}

const KernelProfile* nearest_profile(std::span<const KernelProfile* const> measured, const Gpu& gpu) {
  const auto nearest =
      std::min_element(measured.begin(), measured.end(), [&](const KernelProfile* a, const KernelProfile* b) {
        return distance(a->datasheet, gpu) < distance(b->datasheet, gpu);
      });
  return nearest == measured.end() ? nullptr : *nearest;
}

KernelProfile transferred(KernelProfile donor, const Gpu& gpu, const MemoryConstants& memory) {
  const FittedDatasheet& from = donor.datasheet;
  const bool family = same_chip_family(from, gpu);
  const MatrixFeed feed = matrix_feed(matrix_width(gpu)), donor_feed = matrix_feed(matrix_width(from));
  const double clock = gpu.boost_clock.si() > 0.0 ? gpu.boost_clock.si() : from.boost_clock;
  const double longer = clock > 0.0 && from.boost_clock > 0.0 ? from.boost_clock / clock : 1.0;
  const bool exposed = feed == MatrixFeed::registers && donor_feed != MatrixFeed::registers;
  const bool own_l2 = gpu.architecture.starts_with(memory.architecture) && memory.error.rows > 0;
  for (GemmConstants& c : donor.gemm) {
    c.step *= longer;
    c.wave_overhead *= longer;
    c.split_overhead *= longer;
    if (!family) {
      c.pair_tiles = feed == MatrixFeed::tensor_memory;
    }
    if (exposed) {
      c.wave_smoothing = std::min(c.wave_smoothing, kWholeWaves);
      c.wave_overhead =
          std::max(c.wave_overhead, 2.0 * kLoadedLoad + 1e6 * kTileBytes / (kStoreBytesPerClock * clock));
    }
    if (!family && feed == MatrixFeed::registers && own_l2) {
      c.l2_bytes_per_clock = std::min(c.l2_bytes_per_clock, memory.l2_bytes_per_clock);
    }
  }
  for (PrefillConstants& c : donor.prefill) {
    c.block_overhead *= longer;
    c.tile_overhead *= longer;
  }
  for (DecodeConstants& c : donor.decode) {
    c.wave *= longer;
    c.split_wave *= longer;
    c.split_overhead *= longer;
  }
  for (ExpertConstants& c : donor.experts) {
    c.wave *= longer;
  }
  if (!family) {
    forget_curves(donor.gemm);
    forget_curves(donor.prefill);
    forget_curves(donor.decode);
    forget_curves(donor.experts);
  }
  const FamilyTransfer& errors = family ? kSameFamily : kOtherFamily;
  bound(donor.gemm, errors.gemm);
  bound(donor.prefill, errors.prefill);
  bound(donor.decode, errors.decode);
  bound(donor.experts, errors.experts);
  bound(donor.all_reduce, errors.all_reduce);
  return donor;
}

}  // namespace gpuplan::kernels
