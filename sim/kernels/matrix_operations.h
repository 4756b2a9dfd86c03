// Matrix products and convolutions as a kernel scenario writes them.
#pragma once

#include "hwmodels/kernels/operations.h"
#include "sim/kernels/operation.h"

namespace gpuplan::sim {

// Sizes of a tensor: at least one element, and products that stay exact in a double.
inline constexpr json::Range kSize{.min = 1, .max = 1 << 24};

struct GemmSpec {
  kernels::Gemm op;
  Precision precision = Precision::bf16;
  std::optional<Precision> weights;
  void check(const OperationSource& source, std::vector<Problem>& problems);
  [[nodiscard]] KernelOutcome price(const KernelPricing& pricing, kernels::Explanation* why) const;
};
template <class V>
void describe(V& v, GemmSpec& s) {
  v.field("m", s.op.m, "rows of A and D (tokens)", kSize, json::required);
  v.field("n", s.op.n, "columns of B and D (outputs)", kSize, json::required);
  v.field("k", s.op.k, "columns of A, rows of B (inputs)", kSize, json::required);
  v.field("precision", s.precision, "of A, and what the product is computed in");
  v.field("weights", s.weights, "how B is stored; default: precision");
  v.field("quantised", s.op.quantised, "A arrives in its narrow format: no quantise pass over it");
}

struct TiledGemmSpec {
  kernels::TiledGemm op;
  std::optional<int> tile;
  void check(const OperationSource& source, std::vector<Problem>& problems);
  [[nodiscard]] KernelOutcome price(const KernelPricing& pricing, kernels::Explanation* why) const;
};
template <class V>
void describe(V& v, TiledGemmSpec& s) {
  constexpr json::Range tile{.min = 8, .max = 1024};
  v.field("m", s.op.m, "rows of A and D", kSize, json::required);
  v.field("n", s.op.n, "columns of B and D", kSize, json::required);
  v.field("k", s.op.k, "columns of A, rows of B", kSize, json::required);
  v.field("tile", s.tile, "sets tile_m and tile_n", tile);
  v.field("tile_m", s.op.tile_m, "rows of D that a block computes", tile);
  v.field("tile_n", s.op.tile_n, "columns of D that a block computes", tile);
  v.field("tile_k", s.op.tile_k, "depth of a step", tile);
  v.field("stages", s.op.stages, "buffers in shared memory", json::Range{.min = 1, .max = 16});
  v.field("strip", s.op.strip, "rows of tiles that blocks are dealt out in; 0: the whole matrix row by row",
          json::Range{.min = 0, .max = 1024});
  v.field("threads", s.op.threads, "of a block", json::Range{.min = 32, .max = 1024});
  v.field("precision", s.op.precision, "of A and B");
}

struct SparseGemmSpec {
  kernels::SparseGemm op;
  void check(const OperationSource& source, std::vector<Problem>& problems);
  [[nodiscard]] KernelOutcome price(const KernelPricing& pricing, kernels::Explanation* why) const;
};
template <class V>
void describe(V& v, SparseGemmSpec& s) {
  v.field("m", s.op.m, "rows of A and D (tokens)", kSize, json::required);
  v.field("n", s.op.n, "columns of B and D (outputs)", kSize, json::required);
  v.field("k", s.op.k, "columns of A, rows of B (inputs)", kSize, json::required);
  v.field("precision", s.op.precision, "of both operands: bf16, fp16, fp8 or int8");
}

struct Int4GemmSpec {
  kernels::Int4Gemm op;
  [[nodiscard]] KernelOutcome price(const KernelPricing& pricing, kernels::Explanation* why) const;
};
template <class V>
void describe(V& v, Int4GemmSpec& s) {
  v.field("m", s.op.m, "rows of A and D (tokens)", kSize, json::required);
  v.field("n", s.op.n, "columns of B and D (outputs)", kSize, json::required);
  v.field("k", s.op.k, "columns of A, rows of B (inputs)", kSize, json::required);
  v.field("group", s.op.group, "weights along k that share a scale", json::Range{.min = 16, .max = 65536});
  v.field("sparse", s.op.sparse, "weights pruned 2:4 besides");
}

struct Int8LinearSpec {
  kernels::Int8Linear op;
  std::int64_t error_sample = 64;
  int outlier_every = 0;
  double outlier = 1.0;
  std::uint64_t seed = 1;  // the scenario's
  void check(const OperationSource& source, std::vector<Problem>& problems);
  [[nodiscard]] KernelOutcome price(const KernelPricing& pricing, kernels::Explanation* why) const;
};
template <class V>
void describe(V& v, Int8LinearSpec& s) {
  v.field("m", s.op.m, "rows of A and D (tokens)", kSize, json::required);
  v.field("n", s.op.n, "columns of B and D (outputs)", kSize, json::required);
  v.field("k", s.op.k, "columns of A, rows of B (inputs)", kSize, json::required);
  v.field("quantised", s.op.quantised, "A arrives in int8");
  v.field("fused_rescale", s.op.fused_rescale, "in the epilogue; else a pass over the int32 sums");
  v.field("requantise", s.op.requantise, "the output leaves in int8, for the next such layer");
  v.field("error_sample", s.error_sample,
          "rows and columns of the random product whose numerical error is computed, at the full depth k; 0: "
          "none",
          json::Range{.min = 0, .max = 512});
  v.field("outlier_every", s.outlier_every, "every so many columns of A are larger; 0: none",
          json::Range{.min = 0, .max = 1 << 20});
  v.field("outlier", s.outlier, "by this factor", json::positive());
}

struct ExpertsSpec {
  kernels::GroupedExperts op;
  Precision precision = Precision::bf16;
  std::optional<Precision> weights;
  std::optional<int> local_experts;
  void check(const OperationSource& source, std::vector<Problem>& problems);
  [[nodiscard]] KernelOutcome price(const KernelPricing& pricing, kernels::Explanation* why) const;
};
template <class V>
void describe(V& v, ExpertsSpec& s) {
  constexpr json::Range experts{.min = 1, .max = 4096};
  v.field("tokens", s.op.tokens, "tokens of the batch", kSize, json::required);
  v.field("hidden", s.op.hidden, "width of the model", kSize, json::required);
  v.field("expert_ffn", s.op.expert_ffn, "inner width of an expert on this rank", kSize, json::required);
  v.field("experts", s.op.experts, "of the layer", experts, json::required);
  v.field("local_experts", s.local_experts, "on this rank; default: all", experts);
  v.field("top_k", s.op.top_k, "experts of a token", experts, json::required);
  v.field("precision", s.precision, "of activations, and what is computed in");
  v.field("weights", s.weights, "how experts are stored; default: precision");
  v.field("imbalance", s.op.imbalance, "most loaded expert over the mean", json::at_least(1));
  v.field("rank_load", s.op.rank_load, "tokens routed to this rank over the even share", json::positive());
  v.field("touched", s.op.touched, "local experts that get a token; 0: as many as random routing touches",
          json::not_negative());
}

struct ConvolutionSpec {
  kernels::Convolution op;
  std::optional<std::int64_t> size;
  void check(const OperationSource& source, std::vector<Problem>& problems);
  [[nodiscard]] KernelOutcome price(const KernelPricing& pricing, kernels::Explanation* why) const;
};
template <class V>
void describe(V& v, ConvolutionSpec& s) {
  constexpr json::Range small{.min = 1, .max = 1 << 12}, channels{.min = 1, .max = 1 << 16};
  v.field("batch", s.op.batch, "images", kSize, json::required);
  v.field("size", s.size, "sets height and width", json::Range{.min = 1, .max = 1 << 16});
  v.field("height", s.op.height, "of the input", json::Range{.min = 1, .max = 1 << 16});
  v.field("width", s.op.width, "of the input", json::Range{.min = 1, .max = 1 << 16});
  v.field("in_channels", s.op.in_channels, "of the input", channels, json::required);
  v.field("out_channels", s.op.out_channels, "of the output", channels, json::required);
  v.field("groups", s.op.groups, "in_channels: depthwise", channels);
  v.field("kernel", s.op.kernel, "side of the window", small);
  v.field("stride", s.op.stride, "both ways", small);
  v.field("padding", s.op.padding, "on each side", json::Range{.min = 0, .max = 1 << 12});
  v.field("dilation", s.op.dilation, "of the window", small);
  v.field("layout", s.op.layout, "channels last or first");
  v.field("pass", s.op.pass, "forward, or the gradient of its input or of its weights");
  v.field("precision", s.op.precision, "of activations and weights");
  v.field("epilogue_reads", s.op.epilogue_reads, "tensors of the output's size a fused epilogue reads",
          json::Range{.min = 0, .max = 16});
}

}  // namespace gpuplan::sim
