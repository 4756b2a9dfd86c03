// Operations that kernels price: plain shapes, no behaviour. Counts are elements unless a unit is named.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "hwmodels/catalogue/precision.h"
#include "hwmodels/units/units.h"

namespace gpuplan::kernels {

// D[m,n] = A[m,k] B[k,n]; `weights` is how B is stored, `activations` how A is stored and, with B,
// decides which unit computes (int4 weights with fp16 activations: weight-only, computed in fp16).
struct Gemm {
  std::int64_t m = 1, n = 1, k = 1;
  Precision activations = Precision::bf16;
  Precision weights = Precision::bf16;
  // A arrives in its narrow format, written so by the kernel before: no quantise pass over it.
  bool quantised = false;
};

// Causal self-attention of `queries` new tokens a sequence, the last of `context` tokens in the cache
// (context >= queries; context == queries is a whole prompt). One layer, one device.
struct AttentionPrefill {
  std::int64_t batch = 1, queries = 1, context = 1;
  int heads = 1, kv_heads = 1, head_dim = 128, value_dim = 128;
  std::int64_t window = 0;  // sliding window in tokens, 0 = none
  Precision compute = Precision::bf16;
  Precision kv = Precision::bf16;
  bool causal = true;
};

// One new token for each of `batch` sequences that have `context` cached tokens each on average. One
// layer, one device. With `latent_dim` > 0 the cache is MLA's: one latent vector of that size a token,
// shared by all heads (kv_heads = 1).
struct AttentionDecode {
  std::int64_t batch = 1;
  double context = 1.0;
  int heads = 1, kv_heads = 1, head_dim = 128, value_dim = 128;
  int latent_dim = 0;
  std::int64_t window = 0;
  Precision compute = Precision::bf16;
  Precision kv = Precision::bf16;
  // Whether L2 may still hold KV from the same call just before: true in back-to-back measurements, never in
  // a model, where a step passes through all weights between two visits of a layer.
  bool warm_l2 = false;
  // Whether kernels are chosen as TensorRT-LLM does before Blackwell: few short sequences run head by head.
  bool tensorrt_llm = false;
};

// A memory-bound pass over a tensor: norm, residual add, rotary, activation, cast, KV write.
struct Elementwise {
  enum class Kind { norm, activation, rotary, residual, copy, quantise };
  Kind kind = Kind::norm;
  double elements = 1.0;          // elements produced
  Bytes read{0.0}, written{0.0};  // HBM traffic
};

struct Embedding {  // gather of `tokens` rows
  std::int64_t tokens = 1, hidden = 1;
  Precision precision = Precision::bf16;
};

struct Sampling {  // softmax / arg-max or top-p over the vocabulary
  std::int64_t sequences = 1, vocab = 1;
  bool greedy = true;
};

// Mixture of experts: the grouped expert GEMMs (gate, up, down) of one layer on one rank.
struct GroupedExperts {
  std::int64_t tokens = 1, hidden = 1, expert_ffn = 1;  // expert_ffn on this rank (tensor parallel)
  int experts = 1, local_experts = 1, top_k = 1;
  Precision activations = Precision::bf16;
  Precision weights = Precision::bf16;
  double imbalance = 1.0;  // most loaded expert over the mean
  double rank_load = 1.0;  // tokens routed to this rank over the even share
  double touched = 0.0;    // local experts that get a token; 0: as many as random routing touches
};

// All-reduce of `bytes` over `gpus` GPUs of one node.
struct AllReduce {
  Bytes bytes{0.0};
  int gpus = 2;
  bool custom_kernel = true;  // inference engines' one-shot/two-shot kernel for small messages
};

// Self-attention that writes its scores to memory: S = Q K^T, P = softmax(S), O = P V, a kernel each. One
// layer, one device. A causal mask is a pass of its own over all scores, and saves none of the work.
struct StandardAttention {
  std::int64_t batch = 1, queries = 1, context = 1;
  int heads = 1, kv_heads = 1, head_dim = 128;
  Precision precision = Precision::bf16;
  bool causal = true;
  bool backward = false;  // forward and backward
};

// FlashAttention as the library runs it alone: no rotary embedding, no cache write. One layer, one device.
struct FlashAttention {
  enum class Version { native, fa2, fa3 };           // native: fa3 on Hopper, fa2 elsewhere
  std::int64_t batch = 1, queries = 1, context = 1;  // with a mask the queries are the last of the context
  int heads = 1, kv_heads = 1, head_dim = 128;
  Precision precision = Precision::bf16;  // of 16 bits
  bool causal = true;
  bool backward = false;  // forward and backward
  Version version = Version::native;
};

// A 2-D convolution; kernel, stride, padding and dilation alike in both directions. groups == in_channels:
// depthwise. Sizes are those of the forward pass whichever pass it is.
struct Convolution {
  enum class Layout { nhwc, nchw };
  // data_gradient: of the input, from that of the output; weight_gradient: of the weights, from both.
  enum class Pass { forward, data_gradient, weight_gradient };
  std::int64_t batch = 1, height = 1, width = 1;  // of the input
  std::int64_t in_channels = 1, out_channels = 1, groups = 1;
  std::int64_t kernel = 1, stride = 1, padding = 0, dilation = 1;
  Layout layout = Layout::nhwc;
  Precision precision = Precision::fp16;  // activations and weights
  double epilogue_reads = 0.0;  // tensors of the output's size read by a fused epilogue (residual: 1)
  Pass pass = Pass::forward;

  [[nodiscard]] constexpr std::int64_t out(std::int64_t size) const {
    return (size + 2 * padding - dilation * (kernel - 1) - 1) / stride + 1;
  }
};

// One copy of `bytes`. Host memory is page-locked or not; a blocking call returns when the data are there.
struct Copy {
  enum class Path { device_to_device, host_to_device, device_to_host };
  Bytes bytes{0.0};
  Path path = Path::host_to_device;
  bool pinned = true;
  bool blocking = false;        // pageable copies always block
  bool other_way_busy = false;  // another copy runs in the other direction
};

// One or several row-wise steps over a [rows, cols] tensor, fused into one kernel or a kernel each.
struct RowPass {
  enum class Step { residual, norm, softmax, activation, quantise, dequantise };
  std::int64_t rows = 1, cols = 1;
  std::array<Step, 4> steps = {Step::norm};  // the first `count` of them, in order
  int count = 1;
  Precision wide = Precision::bf16;   // of everything that is not quantised
  Precision narrow = Precision::fp8;  // what quantise writes and dequantise reads, with one fp32 scale a row
  bool fused = true;
};

// D[m,n] = A[m,k] B[k,n], B pruned to two of every four along k and compressed. Quantised activations
// arrive quantised.
struct SparseGemm {
  std::int64_t m = 1, n = 1, k = 1;
  Precision precision = Precision::bf16;  // of both operands: bf16, fp16, fp8 or int8
};

// D[m,n] = A[m,k] B[k,n] with 16-bit A and int4 weights, one 16-bit scale for `group` of them along k,
// expanded in registers by a kernel that hides it (Marlin). `sparse`: weights pruned 2:4 besides.
struct Int4Gemm {
  std::int64_t m = 1, n = 1, k = 1;
  int group = 128;
  bool sparse = false;
};

// D[m,n] = A[m,k] B[k,n] as a block computes it by hand: tiles of tile_m x tile_n, k walked tile_k at a time
// through `stages` buffers in shared memory, sums in registers. Blocks are dealt out in strips of `strip`
// rows of tiles (0: row by row over the whole matrix), which decides what L2 can give twice.
struct TiledGemm {
  std::int64_t m = 1, n = 1, k = 1;
  int tile_m = 128, tile_n = 128, tile_k = 32;
  int stages = 3, strip = 8;
  int threads = 256;  // per block
  Precision precision = Precision::bf16;
};

// A linear layer in int8 with a scale for each output channel and each token: quantise A, multiply, rescale.
struct Int8Linear {
  std::int64_t m = 1, n = 1, k = 1;
  bool quantised = false;     // A arrives in int8
  bool fused_rescale = true;  // in the epilogue; else a pass over the int32 accumulators
  bool requantise = false;    // the output leaves in int8, for the next such layer
};

// Names of the enumerations above, as scenarios write them (operations.cpp).
std::span<const std::string_view> enum_names(Elementwise::Kind tag);
std::span<const std::string_view> enum_names(FlashAttention::Version tag);
std::span<const std::string_view> enum_names(Convolution::Layout tag);
std::span<const std::string_view> enum_names(Convolution::Pass tag);
std::span<const std::string_view> enum_names(Copy::Path tag);
std::span<const std::string_view> enum_names(RowPass::Step tag);

}  // namespace gpuplan::kernels
