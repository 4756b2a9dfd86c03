#include "sim/kernels/memory_operations.h"

#include <fmt/format.h>

#include <algorithm>

#include "hwmodels/kernels/memory_hierarchy.h"

namespace gpuplan::sim {

void RowPassSpec::check(const OperationSource& source, std::vector<Problem>& problems) {
  if (steps.empty() || steps.size() > op.steps.size()) {
    problems.push_back({source.path + ".steps", std::to_string(steps.size()) + " steps",
                        "one to " + std::to_string(op.steps.size()), ""});
    return;
  }
  std::copy(steps.begin(), steps.end(), op.steps.begin());
  op.count = static_cast<int>(steps.size());
}

KernelOutcome RowPassSpec::price(const KernelPricing& pricing, kernels::Explanation* why) const {
  return {.price = pricing.model.price(op, why), .assumed_occupancy = pricing.occupancy(op)};
}

KernelOutcome ElementwiseSpec::price(const KernelPricing& pricing, kernels::Explanation* why) const {
  const Bytes tensor(elements * bytes_per_element(precision));
  const kernels::Elementwise op{
      .kind = pass, .elements = elements, .read = tensor * double(inputs), .written = tensor};
  return {.price = pricing.model.price(op, why), .assumed_occupancy = pricing.occupancy(op)};
}

KernelOutcome SamplingSpec::price(const KernelPricing& pricing, kernels::Explanation* why) const {
  return {.price = pricing.model.price(op, why), .assumed_occupancy = pricing.occupancy(op)};
}

void CopySpec::check(const OperationSource& source, std::vector<Problem>& problems) {
  if (op.path == kernels::Copy::Path::device_to_device && !op.pinned) {
    problems.push_back({source.path + ".pinned", "false", "true for a copy within the device", ""});
  }
}

KernelOutcome CopySpec::price(const KernelPricing& pricing, kernels::Explanation* why) const {
  KernelOutcome outcome{.price = pricing.model.price(op, why), .assumed_occupancy = pricing.occupancy(op)};
  outcome.figures.push_back({"bandwidth", (op.bytes / outcome.price.time).si(), "B/s"});
  return outcome;
}

KernelOutcome AllReduceSpec::price(const KernelPricing& pricing, kernels::Explanation* why) const {
  if (pricing.node.gpu_count > 0 && op.gpus > pricing.node.gpu_count) {
    return {.refusal =
                fmt::format("needs more than the {} GPUs of {}", pricing.node.gpu_count, pricing.node.name)};
  }
  KernelOutcome outcome{
      .price = pricing.model.price(op, pricing.node.scale_up, pricing.node.switch_reduction, why),
      .assumed_occupancy = pricing.occupancy(op)};
  const double algorithm = (op.bytes / outcome.price.time).si();
  outcome.figures.push_back({"algbw", algorithm, "B/s"});
  outcome.figures.push_back({"busbw", algorithm * 2.0 * (op.gpus - 1) / op.gpus, "B/s"});
  return outcome;
}

KernelOutcome StreamSpec::price(const KernelPricing& pricing, kernels::Explanation* why) const {
  const std::optional<kernels::SmLimits> sm = pricing.limits();
  if (!sm) {
    return {.refusal = "needs to know what an SM of " + pricing.model.gpu().name + " holds"};
  }
  const kernels::Occupancy occupancy = kernels::occupancy(*sm, block, why);
  if (occupancy.blocks == 0) {
    return {.refusal = "needs more than an SM has for a single block"};
  }
  const kernels::MemoryConstants& c = pricing.model.operations().memory;
  const Gpu& gpu = pricing.model.gpu();
  const double useful = kernels::coalescing_efficiency(stride, access);
  const BytesPerSecond moved =
      kernels::bandwidth_at_occupancy(pricing.model, occupancy.warps, loads, stores, Bytes(access / useful));
  KernelOutcome outcome;
  outcome.occupancy = occupancy.fraction;
  kernels::Price& price = outcome.price;
  if (moved.si() <= 0.0) {
    return {.refusal = "has neither loads nor stores"};
  }
  price.hbm_bytes = bytes / useful;
  price.hbm = price.hbm_bytes / (gpu.memory_bandwidth * c.dram_share);
  price.fixed = Seconds(pricing.model.profile().passes.floor * 1e-6);
  price.time = price.fixed + price.hbm_bytes / moved;
  kernels::stand_on(price, c, gpu);
  // Within a tenth of what memory gives it is the memory that limits; below, the latency of too few loads.
  price.limiter = price.fixed > price.hbm                         ? kernels::Limiter::latency
                  : price.time - price.fixed > price.hbm * 1.1111 ? kernels::Limiter::latency
                                                                  : kernels::Limiter::hbm_bandwidth;
  price.fraction_of_peak = price.hbm_bytes / gpu.memory_bandwidth / price.time;
  outcome.figures = {{"bandwidth", (bytes / price.time).si(), "B/s"},
                     {"resident_warps", static_cast<double>(occupancy.warps), ""},
                     {"coalescing", useful, ""}};
  if (why != nullptr) {
    const double latency = c.dram_latency * c.loaded_latency;
    why->add(
        fmt::format("in flight: {} SMs x {} warps x 32 x {:g} loads x {:g} B = {:.4g} B over {:.0f} ns "
                    "under load; with stores and the memory's own {:.3g} B/s: {:.4g} B/s",
                    gpu.sm_count, occupancy.warps, loads, access / useful,
                    gpu.sm_count * occupancy.warps * 32.0 * loads * access / useful, latency,
                    (gpu.memory_bandwidth * c.dram_share).si(), moved.si()));
    why->add(
        fmt::format("sectors used {:.0f} % at stride {}; T = floor {:.2f} + {:.4g} B / {:.4g} B/s = {:.2f} "
                    "us",
                    100.0 * useful, stride, price.fixed.si() * 1e6, price.hbm_bytes.si(), moved.si(),
                    price.time.si() * 1e6));
    kernels::explain_evidence(price, c, *why);
  }
  return outcome;
}

KernelOutcome FootprintSpec::price(const KernelPricing& pricing, kernels::Explanation* why) const {
  const kernels::MemoryAccess access = kernels::memory_access(pricing.model, footprint, private_to_sm, why);
  const Gpu& gpu = pricing.model.gpu();
  const double total = footprint.si() * (private_to_sm ? gpu.sm_count : 1.0);
  KernelOutcome outcome;
  kernels::Price& price = outcome.price;
  price.time = Bytes(total) / access.bandwidth;
  const bool dram = access.level == kernels::MemoryLevel::dram;
  const double missed = access.level == kernels::MemoryLevel::l1 ? 0.0 : total * (1.0 - access.l2_hits);
  price.hbm_bytes = Bytes(missed);
  price.hbm = dram ? price.time : price.hbm_bytes / pricing.model.achievable_bandwidth();
  price.l2 = dram ? Seconds(0.0) : price.time;
  price.limiter = dram ? kernels::Limiter::hbm_bandwidth : kernels::Limiter::l2_bandwidth;
  price.fraction_of_peak = dram ? price.hbm_bytes / gpu.memory_bandwidth / price.time : 1.0;
  price.provenance = access.provenance;
  price.relative_error = access.relative_error;
  price.spread80 = access.spread80;
  outcome.figures = {{"bandwidth", access.bandwidth.si(), "B/s"},
                     {"latency", access.latency.si(), "s"},
                     {"l2_hits", access.l2_hits, ""}};
  return outcome;
}

}  // namespace gpuplan::sim
