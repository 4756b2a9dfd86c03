#include "calibrate/fit/parameters.h"

#include <array>

namespace gpuplan::calibrate {

using kernels::DecodeConstants;
using kernels::ExpertConstants;
using kernels::GemmConstants;
using kernels::PrefillConstants;

namespace {

// The first is fitted for 16-bit activations, the two before the last, of the quantise pass, for narrower
// ones; the last for DeepGEMM, whose fetches beyond the last row are the only ones that measurements show.
constexpr FittedField<GemmConstants> kGemm[] = {
    {&GemmConstants::t0, 0.3, 20.0, true},
    {&GemmConstants::hbm_efficiency, 0.3, 1.0},
    {&GemmConstants::stream_ramp, 0.01, 20.0, true},
    {&GemmConstants::sm_ramp, 1.0, 8.0, true},
    {&GemmConstants::l2_bytes_per_clock, 10.0, 128.0, true},
    {&GemmConstants::mma_efficiency, 0.3, 1.0},
    {&GemmConstants::operand_cost, 0.0, 4.0},
    {&GemmConstants::step, 0.005, 0.6, true},
    {&GemmConstants::wave_overhead, 0.05, 10.0, true},
    {&GemmConstants::wave_smoothing, 0.0, 1.0},
    {&GemmConstants::split_overhead, 0.1, 12.0, true},
    {&GemmConstants::leak, 0.0, 1.0},
    {&GemmConstants::droop, 0.0, 0.8},
    {&GemmConstants::droop_log10_flops, 10.5, 12.7},  // clocks follow within some 10 ms
    {&GemmConstants::droop_slope, 0.7, 8.0, true},
    {&GemmConstants::quantise, 0.1, 25.0, true},
    {&GemmConstants::quantise_share, 0.05, 1.5, true},
    {&GemmConstants::edge_cost, 0.0, 12.0},
};

constexpr FittedField<PrefillConstants> kPrefill[] = {
    {&PrefillConstants::t0, 1.0, 40.0, true},
    {&PrefillConstants::pass_share, 0.1, 2.0, true},
    {&PrefillConstants::kv_pass, 0.0, 2.0},
    {&PrefillConstants::window_blocks, 0.0, 4.0},
    {&PrefillConstants::efficiency, 0.2, 1.0},
    {&PrefillConstants::large_head, 0.2, 1.5, true},
    {&PrefillConstants::block_overhead, 0.001, 3.0, true},
    {&PrefillConstants::tile_overhead, 0.01, 10.0, true},
    {&PrefillConstants::imbalance, 0.0, 1.0},
    {&PrefillConstants::hbm_efficiency, 0.1, 1.0},
    {&PrefillConstants::droop, 0.0, 0.5},
    {&PrefillConstants::droop_log10_flops, 10.5, 13.5},
};

// The last one is for measurements that repeat on a warm L2; bandwidth is then bounded by what reads from HBM
// reach elsewhere, or the two could not be told apart.
constexpr FittedField<DecodeConstants> kDecode[] = {
    {&DecodeConstants::t0, 1.0, 40.0, true},
    {&DecodeConstants::hbm_efficiency, 0.3, 1.0},
    {&DecodeConstants::sm_ramp, 0.5, 8.0, true},
    {&DecodeConstants::wave, 0.1, 20.0, true},
    {&DecodeConstants::wave_smoothing, 0.0, 1.0},
    {&DecodeConstants::split_tokens, 32.0, 2048.0, true},
    {&DecodeConstants::target_waves, 0.3, 20.0, true},
    {&DecodeConstants::split_below, 0.3, 20.0, true},
    {&DecodeConstants::split_overhead, 0.1, 20.0, true},
    {&DecodeConstants::split_wave, 0.0, 6.0},
    {&DecodeConstants::group_cost, 0.0, 2.0},
    {&DecodeConstants::leak, 0.0, 1.0},
    {&DecodeConstants::repeat_share, 0.0, 0.5},
};

constexpr FittedField<ExpertConstants> kExperts[] = {
    {&ExpertConstants::t0, 1.0, 100.0, true},
    {&ExpertConstants::hbm_efficiency, 0.1, 1.0},
    {&ExpertConstants::tile_efficiency, 0.05, 1.0},
    {&ExpertConstants::half_tile, 0.1, 200.0, true},
    {&ExpertConstants::wave, 0.01, 20.0, true},
    {&ExpertConstants::pass_share, 0.05, 2.0, true},
    {&ExpertConstants::leak, 0.0, 1.0},
    {&ExpertConstants::skew_cost, 0.0, 0.5},
};

}  // namespace

std::span<const FittedField<GemmConstants>> fitted_fields(const GemmConstants& constants) {
  const bool quantises = constants.format == "fp8" || constants.format == "fp8_block" ||
                         constants.format == "int8" || constants.format == "nvfp4";
  const std::span all(kGemm);
  return constants.deep_gemm ? all.subspan(1)
         : quantises         ? all.subspan(1, all.size() - 2)
                             : all.first(all.size() - 3);
}
std::span<const FittedField<PrefillConstants>> fitted_fields(const PrefillConstants& /*tag*/) {
  return kPrefill;
}
std::span<const FittedField<DecodeConstants>> fitted_fields(const DecodeConstants& constants) {
  static const auto repeated = [] {
    auto fields = std::to_array(kDecode);
    for (auto& field : fields) {
      field.max = field.member == &DecodeConstants::hbm_efficiency ? 0.86 : field.max;
    }
    return fields;
  }();
  if (constants.repeat_share > 0.0) {
    return repeated;
  }
  return std::span(kDecode).first(std::size(kDecode) - 1);
}
std::span<const FittedField<ExpertConstants>> fitted_fields(const ExpertConstants& /*tag*/) {
  return kExperts;
}

}  // namespace gpuplan::calibrate
