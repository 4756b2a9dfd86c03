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

// Soft-max that nothing hides.
constexpr double kScores = 128.0 * 128.0;
constexpr double kExponentialsPerClock = 16.0;  // of one SM's special function units, Volta to Blackwell
constexpr double kOtherOperations = 6.0;        // scale, maximum, subtract, sum, rescale, convert

// Errors with constants of another GPU, from pricing each measured GPU's tables without its own profile, or
// without those of its architecture (gpuplan validate --leave-one-out). q80: of 80 to 85 % of the rows.
struct FamilyTransfer {
  TransferError gemm;         // 16 bit
  TransferError scaled_gemm;  // fp8 and int8 with a scale for each tensor, and their quantise pass
  TransferError narrow_gemm;  // other formats, where each library generation has other kernels
  TransferError prefill, decode, experts;
};
constexpr FamilyTransfer kSameFamily = {
    .gemm = {.factor = 1.25, .median = 0.04, .q80 = 0.08},
    .scaled_gemm = {.factor = 1.6, .median = 0.04, .q80 = 0.08},
    .narrow_gemm = {.factor = 1.4, .median = 0.06, .q80 = 0.10},
    .prefill = {.factor = 1.1, .median = 0.04, .q80 = 0.06},
    .decode = {.factor = 1.2, .median = 0.05, .q80 = 0.08},
    .experts = {.factor = 1.2, .median = 0.06, .q80 = 0.12},
};
constexpr FamilyTransfer kOtherFamily = {
    .gemm = {.factor = 1.0, .median = 0.07, .q80 = 0.14, .fixed = 0.7},
    .scaled_gemm = {.factor = 1.0, .median = 0.10, .q80 = 0.15, .fixed = 1.5},
    .narrow_gemm = {.factor = 1.0, .median = 0.20, .q80 = 0.42},
    .prefill = {.factor = 1.0, .median = 0.12, .q80 = 0.30},
    .decode = {.factor = 1.0, .median = 0.25, .q80 = 0.62},
    .experts = {.factor = 1.0, .median = 0.17, .q80 = 0.46},
};

const TransferError& gemm_errors(const FamilyTransfer& errors, const std::string& format) {
  return format == "bf16"                      ? errors.gemm
         : format == "fp8" || format == "int8" ? errors.scaled_gemm
                                               : errors.narrow_gemm;
}

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

// Clocks that one SM takes for the soft-max of a block of 128 x 128 scores: one exponential and six other
// operations each.
double softmax_clocks(const Gpu& gpu) {
  const double lanes = 0.5 * width(gpu.vector_fp32_peak.si(), gpu.sm_count, gpu.boost_clock.si());
  return kScores * (1.0 / kExponentialsPerClock + kOtherOperations / std::max(32.0, lanes));
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
  const double steps = profile.gpu == gpu.name || matrix_width(gpu) <= 0.0
                           ? 0.0
                           : static_cast<double>(matrix_feed(matrix_width(gpu))) -
                                 static_cast<double>(matrix_feed(matrix_width(fitted)));
  const double power = gpu.tdp.si() / peak / (fitted.tdp / fitted.bf16_peak) / std::pow(kEnergyStep, steps);
  if (power >= 1.0) {
    return {.clock = std::sqrt(power)};
  }
  const bool spare = std::any_of(profile.gemm.begin(), profile.gemm.end(), [](const GemmConstants& c) {
    return c.format == "bf16" && c.droop < kNoDroop;
  });
  if (spare) {
    return {.clock = std::min(1.0, power / kPowerNeeded)};
  }
  return {.clock = std::sqrt(power), .sustained = std::sqrt(power)};
}

const KernelProfile* nearest_profile(std::span<const KernelProfile* const> measured, const Gpu& gpu) {
  const auto nearest =
      std::min_element(measured.begin(), measured.end(), [&](const KernelProfile* a, const KernelProfile* b) {
        return distance(a->datasheet, gpu) < distance(b->datasheet, gpu);
      });
  return nearest == measured.end() ? nullptr : *nearest;
}

KernelProfile transferred(KernelProfile donor, const Gpu& gpu) {
  const FittedDatasheet& from = donor.datasheet;
  const bool family = same_chip_family(from, gpu);
  const MatrixFeed donor_feed = matrix_feed(matrix_width(from));
  const MatrixFeed feed = matrix_width(gpu) > 0.0 ? matrix_feed(matrix_width(gpu)) : donor_feed;
  const double clock = gpu.boost_clock.si() > 0.0 ? gpu.boost_clock.si() : from.boost_clock;
  const double longer = clock > 0.0 && from.boost_clock > 0.0 ? from.boost_clock / clock : 1.0;
  const bool exposed = feed == MatrixFeed::registers && donor_feed != MatrixFeed::registers;
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
  }
  for (PrefillConstants& c : donor.prefill) {
    c.block_overhead *= longer;
    c.tile_overhead *= longer;
    if (exposed) {
      c.block_overhead = std::max(c.block_overhead, 1e6 * softmax_clocks(gpu) / clock);
    }
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
  for (GemmConstants& c : donor.gemm) {
    c.error.transfer = gemm_errors(errors, c.format);
  }
  bound(donor.prefill, errors.prefill);
  bound(donor.decode, errors.decode);
  bound(donor.experts, errors.experts);
  return donor;
}

}  // namespace gpuplan::kernels
