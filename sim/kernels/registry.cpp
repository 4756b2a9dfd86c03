// Every operation that a kernel scenario may name.
#include <algorithm>
#include <array>

#include "sim/kernels/attention_operations.h"
#include "sim/kernels/matrix_operations.h"
#include "sim/kernels/memory_operations.h"
#include "sim/kernels/network_operation.h"
#include "sim/kernels/operation.h"

namespace gpuplan::sim {

std::span<const OperationKind> operation_kinds() {
  static constexpr std::array kinds = {
      operation_of<GemmSpec>("gemm", "dense matrix product, any pair of formats"),
      operation_of<TiledGemmSpec>("tiled_gemm", "the same computed by hand with tiles of a given size"),
      operation_of<SparseGemmSpec>("sparse_gemm", "product with weights pruned 2:4"),
      operation_of<Int4GemmSpec>("int4_gemm", "product with int4 weights expanded in registers (Marlin)"),
      operation_of<Int8LinearSpec>("int8_linear",
                                   "linear layer in int8 with per-channel and per-token scales"),
      operation_of<ExpertsSpec>("experts", "grouped expert GEMMs of a mixture-of-experts layer"),
      operation_of<ConvolutionSpec>("convolution", "dense, grouped or depthwise 2-D convolution"),
      operation_of<FlashAttentionSpec>("flash_attention", "attention that keeps its scores on chip"),
      operation_of<PrefillSpec>(
          "attention_prefill",
          "an engine's attention over a prompt: rotary embedding and cache write with it"),
      operation_of<DecodeSpec>("attention_decode", "attention of one new token a sequence over a KV cache"),
      operation_of<StandardAttentionSpec>("standard_attention", "attention that writes its scores to memory"),
      operation_of<RowPassSpec>("row_pass", "norm, soft-max, activation, quantise, residual; fused or not"),
      operation_of<ElementwiseSpec>("elementwise", "a pass limited by memory"),
      operation_of<SamplingSpec>("sampling", "sampler over the vocabulary"),
      operation_of<CopySpec>("copy", "a copy within the device, or between host and device"),
      operation_of<AllReduceSpec>("all_reduce", "all-reduce over the GPUs of one node"),
      operation_of<StreamSpec>("stream",
                               "a streaming kernel of given registers and shared memory (occupancy)"),
      operation_of<FootprintSpec>("footprint", "reading a footprint again and again (L1, L2, HBM)"),
      operation_of<NetworkSpecOperation>("network", "inference of a whole network, or a decode step"),
  };
  return kinds;
}

const OperationKind* operation_kind(std::string_view name) {
  const auto kinds = operation_kinds();
  const auto found =
      std::find_if(kinds.begin(), kinds.end(), [&](const OperationKind& kind) { return kind.name == name; });
  return found != kinds.end() ? &*found : nullptr;
}

std::vector<std::string> operation_names() {
  std::vector<std::string> names;
  for (const OperationKind& kind : operation_kinds()) {
    names.emplace_back(kind.name);
  }
  return names;
}

}  // namespace gpuplan::sim
