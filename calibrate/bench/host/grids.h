// Which points are measured, and in what order.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace gpubench {

// A new order of 0 .. count-1 (van der Corput) in which every prefix covers the whole range evenly: when time
// runs out, what was measured is a coarser grid and not half a grid.
inline std::vector<int> spread_order(int count) {
  int bits = 0;
  while ((1 << bits) < count) ++bits;
  std::vector<int> order;
  order.reserve(static_cast<std::size_t>(count));
  for (int i = 0; i < (1 << bits); ++i) {
    int reversed = 0;
    for (int b = 0; b < bits; ++b) reversed |= ((i >> b) & 1) << (bits - 1 - b);
    if (reversed < count) order.push_back(reversed);
  }
  return order;
}

// Footprints in bytes from 64 kB up to `max_bytes` (at most 4 GB), doubling; around the L2's capacity finer
// steps, because there the bandwidth falls. All are multiples of 4096.
inline std::vector<std::int64_t> footprints(std::int64_t l2_bytes, std::int64_t max_bytes) {
  constexpr std::int64_t smallest = 64 << 10, largest = std::int64_t{4} << 30, unit = 4096;
  const std::int64_t limit = std::min(max_bytes, largest);
  std::vector<std::int64_t> result;
  for (std::int64_t size = smallest; size <= limit; size *= 2) result.push_back(size);
  for (int eighth : {3, 5, 6, 7, 8, 9, 10, 12, 14}) {
    const std::int64_t size = l2_bytes * eighth / 8 / unit * unit;
    if (size >= smallest && size <= limit) result.push_back(size);
  }
  std::sort(result.begin(), result.end());
  result.erase(std::unique(result.begin(), result.end()), result.end());
  return result;
}

// How many equal buffers to go round so that a buffer has left the L2 before it is used again.
inline int rotation_sets(std::int64_t bytes_per_launch, std::int64_t l2_bytes, std::int64_t arena_bytes,
                         int most = 256) {
  if (bytes_per_launch <= 0) return 1;
  const std::int64_t wanted = 1 + 3 * l2_bytes / bytes_per_launch;
  const std::int64_t fitting = arena_bytes / bytes_per_launch;
  return static_cast<int>(std::max<std::int64_t>(1, std::min<std::int64_t>({wanted, fitting, most})));
}

// A linear layer y[m, n] = x[m, k] w[n, k]^T of a published model.
struct Layer {
  int n, k;
  const char* where;
};

inline const std::vector<Layer>& llm_layers() {
  // The first 8 are the quick grid: small, large, wide, deep.
  static const std::vector<Layer> layers = {
      {6144, 4096, "Llama-3-8B qkv"},
      {28672, 4096, "Llama-3-8B gate+up"},
      {4096, 14336, "Llama-3-8B down"},
      {8192, 8192, "Llama-3-70B o"},
      {57344, 8192, "Llama-3-70B gate+up"},
      {1280, 8192, "Llama-3-70B qkv, TP8"},
      {8192, 3584, "Llama-3-70B down, TP8"},
      {3584, 18944, "Qwen2.5-7B down"},
      {4096, 4096, "Llama-3-8B o"},
      {128256, 4096, "Llama-3-8B head"},
      {10240, 8192, "Llama-3-70B qkv"},
      {8192, 28672, "Llama-3-70B down"},
      {8192, 1024, "Llama-3-70B o, TP8"},
      {7168, 8192, "Llama-3-70B gate+up, TP8"},
      {2560, 8192, "Llama-3-70B qkv, TP4"},
      {15360, 5120, "Llama-2-13B qkv"},
      {5120, 5120, "Llama-2-13B o"},
      {27648, 5120, "Llama-2-13B gate+up"},
      {5120, 13824, "Llama-2-13B down"},
      {4608, 3584, "Qwen2.5-7B qkv"},
      {37888, 3584, "Qwen2.5-7B gate+up"},
      {24576, 1536, "DeepSeek-V3 q_b"},
      {7168, 16384, "DeepSeek-V3 o"},
      {4096, 7168, "DeepSeek-V3 expert gate+up"},
      {7168, 2048, "DeepSeek-V3 expert down"},
      {12288, 12288, "GPT-3-175B o"},
      {49152, 12288, "GPT-3-175B up"},
      {12288, 49152, "GPT-3-175B down"},
  };
  return layers;
}

struct GemmShape {
  int m, n, k;
};

// Grid of m against the layers, spread so that a cut leaves a coarser grid.
inline std::vector<GemmShape> gemm_grid(bool quick) {
  const std::vector<int> rows =
      quick ? std::vector<int>{1, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 4096, 16384}
            : std::vector<int>{1,   2,   4,   8,    16,   32,   48,   64,   96,   128,  192,   256,
                               384, 512, 768, 1024, 1536, 2048, 3072, 4096, 6144, 8192, 12288, 16384};
  const std::size_t layers = quick ? 8 : llm_layers().size();
  std::vector<GemmShape> shapes;
  for (int m : rows)
    for (std::size_t i = 0; i < layers; ++i) shapes.push_back({m, llm_layers()[i].n, llm_layers()[i].k});
  std::vector<GemmShape> spread;
  for (int i : spread_order(static_cast<int>(shapes.size())))
    spread.push_back(shapes[static_cast<std::size_t>(i)]);
  return spread;
}

}  // namespace gpubench
