#include "sim/kernels/network_operation.h"

#include <fmt/format.h>

#include <cmath>

namespace gpuplan::sim {

namespace {

using kernels::Price;

std::vector<KernelPart> image_kernels(const NetworkSpecOperation& op, const KernelPricing& pricing) {
  std::vector<KernelPart> parts;
  for (const NetworkKernel& kernel : lower_network(
           op.resolved_model,
           {.batch = op.batch, .precision = *op.precision, .layout = op.layout, .fused = op.fused})) {
    parts.push_back(std::visit(
        [&](const auto& what) {
          return KernelPart{
              .name = kernel.name, .price = pricing.model.price(what), .occupancy = pricing.occupancy(what)};
        },
        kernel.operation));
  }
  return parts;
}

std::vector<KernelPart> decoder_kernels(const NetworkSpecOperation& op, const KernelPricing& pricing) {
  Precision residual = *op.precision;
  switch (residual) {  // attention and head stay in 16 bit (or wider) with narrow weights
    case Precision::fp64:
    case Precision::fp32:
    case Precision::tf32:
    case Precision::bf16:
    case Precision::fp16:
      break;
    case Precision::fp8:
    case Precision::fp8_block:
    case Precision::int8:
    case Precision::int4:
    case Precision::nvfp4:
    case Precision::mxfp4:
      residual = Precision::bf16;
  }
  const bool weight_only = *op.precision == Precision::int4 || *op.precision == Precision::int8 ||
                           *op.precision == Precision::mxfp4;
  const IterationLowering lowering(
      op.resolved_model,
      {.weights = *op.precision, .activations = weight_only ? residual : *op.precision, .kv = residual});
  std::vector<LoweredOperation> operations;
  lowering.body(op.batch, operations);
  lowering.decode_attention(op.batch, static_cast<double>(op.context), operations);
  lowering.head(op.batch, operations);
  std::vector<KernelPart> parts;
  for (const LoweredOperation& operation : operations) {
    const Price price = std::visit(
        [&](const auto& what) {
          if constexpr (std::is_same_v<std::decay_t<decltype(what)>, kernels::AllReduce>) {
            return pricing.model.price(what, pricing.node.scale_up, pricing.node.switch_reduction);
          } else {
            return pricing.model.price(what);
          }
        },
        operation.operation);
    parts.push_back({.name = std::string(operation.name),
                     .price = price,
                     .calls = operation.count,
                     .occupancy = std::visit([&](const auto& what) { return pricing.occupancy(what); },
                                             operation.operation)});
  }
  return parts;
}

}  // namespace

void NetworkSpecOperation::check(const OperationSource& source, std::vector<Problem>& problems) {
  const std::size_t before = problems.size();
  resolved_model = resolve_model(model, source.path + ".model", source.base_dir, source.parts, problems);
  if (problems.size() != before) {
    return;
  }
  const bool decoder = resolved_model.kind == ModelKind::decoder;
  if (!decoder && !is_network(resolved_model)) {
    problems.push_back(
        {source.path + ".model",
         "\"" + resolved_model.name + "\", a " + std::string(json::name_of(resolved_model.kind)),
         "a bottleneck ResNet (resnet50) or a decoder", ""});
  }
  if (!precision) {
    precision = decoder ? Precision::bf16 : Precision::fp16;
  }
}

KernelOutcome NetworkSpecOperation::price(const KernelPricing& pricing, kernels::Explanation* why) const {
  KernelOutcome outcome;
  outcome.parts = resolved_model.kind == ModelKind::decoder ? decoder_kernels(*this, pricing)
                                                            : image_kernels(*this, pricing);
  std::vector<Price> launches;
  for (const KernelPart& part : outcome.parts) {
    launches.insert(launches.end(), static_cast<std::size_t>(std::llround(part.calls)), part.price);
  }
  outcome.price = kernels::price_sequence(pricing.model, launches, issue, why);
  Seconds busy, by_memory;
  for (const Price& kernel : launches) {
    busy += kernel.time;
    by_memory += kernel.limiter == kernels::Limiter::hbm_bandwidth ? kernel.time : Seconds(0.0);
  }
  outcome.figures.push_back({"memory_bound", by_memory / busy, ""});
  outcome.figures.push_back({"kernels", static_cast<double>(launches.size()), ""});
  outcome.figures.push_back({"items_per_s", static_cast<double>(batch) / outcome.price.time.si(), "/s"});
  return outcome;
}

}  // namespace gpuplan::sim
