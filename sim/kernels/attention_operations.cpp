#include "sim/kernels/attention_operations.h"

#include <fmt/format.h>

#include "hwmodels/kernels/standard_attention.h"

namespace gpuplan::sim {

namespace {

// Query heads must share KV heads evenly, and queries be the last of the context.
void check_shape(std::int64_t queries, std::int64_t context, int heads, int kv_heads,
                 const OperationSource& source, std::vector<Problem>& problems) {
  if (queries > context) {
    problems.push_back({source.path + ".queries", std::to_string(queries),
                        "at most the context of " + std::to_string(context), ""});
  }
  if (heads % kv_heads != 0) {
    problems.push_back({source.path + ".kv_heads", std::to_string(kv_heads),
                        "a divisor of heads = " + std::to_string(heads), ""});
  }
}

// A figure for what must be in memory at once; a refusal where it is more than the GPU has.
void need_memory(KernelOutcome& outcome, Bytes memory, const Gpu& gpu, const std::string& advice) {
  outcome.figures.push_back({"memory", memory.si(), "B"});
  if (memory > gpu.memory && gpu.memory.si() > 0.0) {
    outcome.refusal = fmt::format("needs {:.1f} GB of memory, {} has {:.0f}{}", memory.si() / 1e9, gpu.name,
                                  gpu.memory.si() / 1e9, advice);
  }
}

}  // namespace

void PrefillSpec::check(const OperationSource& source, std::vector<Problem>& problems) {
  queries = op.queries = queries.value_or(op.context);
  kv_heads = op.kv_heads = kv_heads.value_or(op.heads);
  value_dim = op.value_dim = value_dim.value_or(op.head_dim);
  op.compute = precision;
  kv = op.kv = kv.value_or(precision);
  check_shape(op.queries, op.context, op.heads, op.kv_heads, source, problems);
}

KernelOutcome PrefillSpec::price(const KernelPricing& pricing, kernels::Explanation* why) const {
  KernelOutcome outcome{.price = pricing.model.price(op, why), .assumed_occupancy = pricing.occupancy(op)};
  const double b = static_cast<double>(op.batch), element = bytes_per_element(precision);
  const double q = b * static_cast<double>(op.queries) * op.heads * (op.head_dim + op.value_dim) * element;
  const double kv_bytes = b * static_cast<double>(op.context) * op.kv_heads * (op.head_dim + op.value_dim) *
                          bytes_per_element(op.kv);
  need_memory(outcome, Bytes(q + kv_bytes), pricing.model.gpu(), "");
  return outcome;
}

void DecodeSpec::check(const OperationSource& source, std::vector<Problem>& problems) {
  kv_heads = op.kv_heads = op.latent_dim > 0 ? 1 : kv_heads.value_or(op.heads);
  value_dim = op.value_dim = value_dim.value_or(op.head_dim);
  op.compute = precision;
  kv = op.kv = kv.value_or(precision);
  check_shape(1, 1, op.heads, op.kv_heads, source, problems);
}

KernelOutcome DecodeSpec::price(const KernelPricing& pricing, kernels::Explanation* why) const {
  KernelOutcome outcome{.price = pricing.model.price(op, why), .assumed_occupancy = pricing.occupancy(op)};
  const double width =
      op.latent_dim > 0 ? op.latent_dim : double{1} * op.kv_heads * (op.head_dim + op.value_dim);
  need_memory(outcome, Bytes(static_cast<double>(op.batch) * op.context * width * bytes_per_element(op.kv)),
              pricing.model.gpu(), " (one layer's cache alone)");
  return outcome;
}

void FlashAttentionSpec::check(const OperationSource& source, std::vector<Problem>& problems) {
  queries = op.queries = queries.value_or(op.context);
  kv_heads = op.kv_heads = kv_heads.value_or(op.heads);
  check_shape(op.queries, op.context, op.heads, op.kv_heads, source, problems);
}

KernelOutcome FlashAttentionSpec::price(const KernelPricing& pricing, kernels::Explanation* why) const {
  KernelOutcome outcome{.price = pricing.model.price(op, why), .assumed_occupancy = pricing.occupancy(op)};
  const double width = static_cast<double>(op.batch) * op.head_dim * bytes_per_element(op.precision);
  const double tensors =
      2.0 * width *
      (static_cast<double>(op.queries) * op.heads + static_cast<double>(op.context) * op.kv_heads);
  need_memory(outcome, Bytes(tensors * (op.backward ? 2.0 : 1.0)), pricing.model.gpu(), "");
  return outcome;
}

void StandardAttentionSpec::check(const OperationSource& source, std::vector<Problem>& problems) {
  queries = op.queries = queries.value_or(op.context);
  kv_heads = op.kv_heads = kv_heads.value_or(op.heads);
  check_shape(op.queries, op.context, op.heads, op.kv_heads, source, problems);
}

KernelOutcome StandardAttentionSpec::price(const KernelPricing& pricing, kernels::Explanation* why) const {
  KernelOutcome outcome{.price = pricing.model.price(op, why), .assumed_occupancy = pricing.occupancy(op)};
  const Gpu& gpu = pricing.model.gpu();
  need_memory(outcome, kernels::working_memory(op), gpu,
              fmt::format("; the longest context that fits is {}", kernels::longest_context(op, gpu.memory)));
  return outcome;
}

}  // namespace gpuplan::sim
