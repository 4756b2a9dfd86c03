#include "sim/kernels/matrix_operations.h"

#include <fmt/format.h>

#include "hwmodels/kernels/int8_linear.h"
#include "hwmodels/kernels/tiling.h"

namespace gpuplan::sim {

void GemmSpec::check(const OperationSource& /*source*/, std::vector<Problem>& /*problems*/) {
  op.activations = precision;
  weights = op.weights = weights.value_or(precision);
}

KernelOutcome GemmSpec::price(const KernelPricing& pricing, kernels::Explanation* why) const {
  return {.price = pricing.model.price(op, why), .assumed_occupancy = pricing.occupancy(op)};
}

void TiledGemmSpec::check(const OperationSource& source, std::vector<Problem>& problems) {
  if (tile && (source.fields.find("tile_m") != nullptr || source.fields.find("tile_n") != nullptr)) {
    problems.push_back(
        {source.path + ".tile", std::to_string(*tile), "either tile, or tile_m and tile_n", ""});
  }
  if (tile) {
    op.tile_m = op.tile_n = *tile;
  }
}

KernelOutcome TiledGemmSpec::price(const KernelPricing& pricing, kernels::Explanation* why) const {
  const std::optional<kernels::SmLimits> sm = pricing.limits();
  if (!sm) {
    return {.refusal = "needs to know what an SM of " + pricing.model.gpu().name + " holds"};
  }
  const kernels::Tiling tiling = kernels::tiling(pricing.model, *sm, op);
  const std::optional<kernels::Price> price = kernels::price_tiled(pricing.model, *sm, op, why);
  if (!price) {
    return {.refusal = fmt::format("needs {:.0f} B of shared memory and {} registers a thread for a block",
                                   tiling.shared_per_block.si(), tiling.registers_per_thread)};
  }
  return {.price = *price,
          .figures = {{"l2_bytes", tiling.from_l2.si(), "B"},
                      {"shared_memory", tiling.shared_per_block.si(), "B"}},
          .occupancy = tiling.occupancy.fraction * tiling.waves.efficiency};
}

void SparseGemmSpec::check(const OperationSource& source, std::vector<Problem>& problems) {
  switch (op.precision) {
    case Precision::bf16:
    case Precision::fp16:
    case Precision::fp8:
    case Precision::int8:
      break;
    case Precision::fp64:
    case Precision::fp32:
    case Precision::tf32:
    case Precision::fp8_block:
    case Precision::int4:
    case Precision::nvfp4:
    case Precision::mxfp4:
      problems.push_back({source.path + ".precision", std::string(json::name_of(op.precision)),
                          "one of bf16, fp16, fp8, int8", ""});
  }
}

KernelOutcome SparseGemmSpec::price(const KernelPricing& pricing, kernels::Explanation* why) const {
  return {.price = pricing.model.price(op, why), .assumed_occupancy = pricing.occupancy(op)};
}

KernelOutcome Int4GemmSpec::price(const KernelPricing& pricing, kernels::Explanation* why) const {
  return {.price = pricing.model.price(op, why), .assumed_occupancy = pricing.occupancy(op)};
}

void Int8LinearSpec::check(const OperationSource& source, std::vector<Problem>& /*problems*/) {
  seed = source.seed;
}

KernelOutcome Int8LinearSpec::price(const KernelPricing& pricing, kernels::Explanation* why) const {
  KernelOutcome outcome{.price = pricing.model.price(op, why), .assumed_occupancy = pricing.occupancy(op)};
  if (error_sample > 0) {
    const int sample = static_cast<int>(error_sample);
    const double error =
        kernels::int8_linear_error(sample, sample, static_cast<int>(std::min<std::int64_t>(op.k, 1 << 16)),
                                   seed, outlier_every, outlier);
    outcome.figures.push_back({"numerical_error", error, ""});
    if (why != nullptr) {
      why->add(
          fmt::format("numerical error {:.2f} % (root mean square, relative): a random {} x {} product of "
                      "depth {} in int8 "
                      "against exact arithmetic{}",
                      100.0 * error, sample, sample, op.k,
                      outlier_every > 0
                          ? fmt::format("; every {}th channel of A {:g} times larger", outlier_every, outlier)
                          : std::string()));
    }
  }
  return outcome;
}

void ExpertsSpec::check(const OperationSource& source, std::vector<Problem>& problems) {
  local_experts = op.local_experts = local_experts.value_or(op.experts);
  op.activations = precision;
  weights = op.weights = weights.value_or(precision);
  if (op.local_experts > op.experts) {
    problems.push_back({source.path + ".local_experts", std::to_string(op.local_experts),
                        "at most the layer's " + std::to_string(op.experts), ""});
  }
  if (op.top_k > op.experts) {
    problems.push_back({source.path + ".top_k", std::to_string(op.top_k),
                        "at most the layer's " + std::to_string(op.experts) + " experts", ""});
  }
}

KernelOutcome ExpertsSpec::price(const KernelPricing& pricing, kernels::Explanation* why) const {
  return {.price = pricing.model.price(op, why), .assumed_occupancy = pricing.occupancy(op)};
}

void ConvolutionSpec::check(const OperationSource& source, std::vector<Problem>& problems) {
  if (size) {
    op.height = op.width = *size;
  }
  if (op.in_channels % op.groups != 0 || op.out_channels % op.groups != 0) {
    problems.push_back({source.path + ".groups", std::to_string(op.groups),
                        fmt::format("a divisor of {} and {} channels", op.in_channels, op.out_channels), ""});
  }
  const std::int64_t window = op.dilation * (op.kernel - 1) + 1;
  if (std::min(op.height, op.width) + 2 * op.padding < window) {
    problems.push_back({source.path + ".kernel", std::to_string(op.kernel),
                        fmt::format("a window no larger than the padded input of {} x {}",
                                    op.height + 2 * op.padding, op.width + 2 * op.padding),
                        ""});
  }
}

KernelOutcome ConvolutionSpec::price(const KernelPricing& pricing, kernels::Explanation* why) const {
  return {.price = pricing.model.price(op, why), .assumed_occupancy = pricing.occupancy(op)};
}

}  // namespace gpuplan::sim
