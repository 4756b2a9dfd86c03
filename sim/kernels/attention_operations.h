// Attention as a kernel scenario writes it: one layer on one GPU.
#pragma once

#include "hwmodels/kernels/operations.h"
#include "sim/kernels/operation.h"

namespace gpuplan::sim {

inline constexpr json::Range kTokens{.min = 1, .max = 1 << 24};
inline constexpr json::Range kHeads{.min = 1, .max = 4096};
inline constexpr json::Range kHeadSize{.min = 8, .max = 4096};

struct PrefillSpec {
  kernels::AttentionPrefill op;
  std::optional<std::int64_t> queries;
  std::optional<int> kv_heads, value_dim;
  Precision precision = Precision::bf16;
  std::optional<Precision> kv;
  void check(const OperationSource& source, std::vector<Problem>& problems);
  [[nodiscard]] KernelOutcome price(const KernelPricing& pricing, kernels::Explanation* why) const;
};
template <class V>
void describe(V& v, PrefillSpec& s) {
  v.field("batch", s.op.batch, "sequences", kTokens);
  v.field("context", s.op.context, "tokens a query may attend to", kTokens, json::required);
  v.field("queries", s.queries, "new tokens a sequence, the last of the context; default: all of it",
          kTokens);
  v.field("heads", s.op.heads, "query heads", kHeads, json::required);
  v.field("kv_heads", s.kv_heads, "key and value heads; default: heads", kHeads);
  v.field("head_dim", s.op.head_dim, "size of a head", kHeadSize);
  v.field("value_dim", s.value_dim, "size of a head of V; default: head_dim", kHeadSize);
  v.field("window", s.op.window, "sliding window in tokens; 0: none", json::not_negative());
  v.field("causal", s.op.causal, "later tokens are masked");
  v.field("precision", s.precision, "computed in");
  v.field("kv", s.kv, "how the cache is stored; default: precision");
}

struct DecodeSpec {
  kernels::AttentionDecode op;
  std::optional<int> kv_heads, value_dim;
  Precision precision = Precision::bf16;
  std::optional<Precision> kv;
  void check(const OperationSource& source, std::vector<Problem>& problems);
  [[nodiscard]] KernelOutcome price(const KernelPricing& pricing, kernels::Explanation* why) const;
};
template <class V>
void describe(V& v, DecodeSpec& s) {
  v.field("batch", s.op.batch, "sequences", kTokens);
  v.field("context", s.op.context, "cached tokens a sequence, on average", kTokens, json::required);
  v.field("heads", s.op.heads, "query heads", kHeads, json::required);
  v.field("kv_heads", s.kv_heads, "key and value heads; default: heads", kHeads);
  v.field("head_dim", s.op.head_dim, "size of a head", kHeadSize);
  v.field("value_dim", s.value_dim, "size of a head of V; default: head_dim", kHeadSize);
  v.field("latent_dim", s.op.latent_dim, "MLA: size of the latent vector of a token; 0: no MLA",
          json::Range{.min = 0, .max = 65536});
  v.field("window", s.op.window, "sliding window in tokens; 0: none", json::not_negative());
  v.field("precision", s.precision, "computed in");
  v.field("kv", s.kv, "how the cache is stored; default: precision");
  v.field("warm_l2", s.op.warm_l2, "the same cache was read just before: L2 may hold it");
  v.field("tensorrt_llm", s.op.tensorrt_llm, "kernels chosen as TensorRT-LLM does before Blackwell");
}

struct FlashAttentionSpec {
  kernels::FlashAttention op;
  std::optional<std::int64_t> queries;
  std::optional<int> kv_heads;
  void check(const OperationSource& source, std::vector<Problem>& problems);
  [[nodiscard]] KernelOutcome price(const KernelPricing& pricing, kernels::Explanation* why) const;
};
template <class V>
void describe(V& v, FlashAttentionSpec& s) {
  v.field("batch", s.op.batch, "sequences", kTokens);
  v.field("context", s.op.context, "tokens", kTokens, json::required);
  v.field("queries", s.queries, "new tokens a sequence, the last of the context; default: all of it",
          kTokens);
  v.field("heads", s.op.heads, "query heads", kHeads, json::required);
  v.field("kv_heads", s.kv_heads, "key and value heads; default: heads", kHeads);
  v.field("head_dim", s.op.head_dim, "size of a head", kHeadSize);
  v.field("causal", s.op.causal, "later tokens are masked, and their blocks skipped");
  v.field("backward", s.op.backward, "forward and backward");
  v.field("version", s.op.version, "of the library; native: fa3 on Hopper, fa2 elsewhere");
  v.field("precision", s.op.precision, "of everything");
}

struct StandardAttentionSpec {
  kernels::StandardAttention op;
  std::optional<std::int64_t> queries;
  std::optional<int> kv_heads;
  void check(const OperationSource& source, std::vector<Problem>& problems);
  [[nodiscard]] KernelOutcome price(const KernelPricing& pricing, kernels::Explanation* why) const;
};
template <class V>
void describe(V& v, StandardAttentionSpec& s) {
  v.field("batch", s.op.batch, "sequences", kTokens);
  v.field("context", s.op.context, "tokens", kTokens, json::required);
  v.field("queries", s.queries, "new tokens a sequence; default: all of the context", kTokens);
  v.field("heads", s.op.heads, "query heads", kHeads, json::required);
  v.field("kv_heads", s.kv_heads, "key and value heads; default: heads", kHeads);
  v.field("head_dim", s.op.head_dim, "size of a head", kHeadSize);
  v.field("causal", s.op.causal, "a mask is a pass of its own, and saves no work");
  v.field("backward", s.op.backward, "forward and backward");
  v.field("precision", s.op.precision, "of everything");
}

}  // namespace gpuplan::sim
