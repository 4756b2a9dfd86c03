// Work counted from shapes, and the index arithmetic that kernels and references share.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace gpubench {

inline double gemm_flops(double m, double n, double k) { return 2 * m * n * k; }

struct AttentionShape {
  int batch, heads, kv_heads, seq_q, seq_kv, head_dim;
  bool causal;
};

// Score entries that are needed: all, or those on and under the diagonal that ends in the last column.
inline double attention_pairs(const AttentionShape& s) {
  const double q = s.seq_q, kv = s.seq_kv;
  return s.causal ? q * (kv - q) + q * (q + 1) / 2 : q * kv;
}

// Two matrix products, 2 FLOP per multiply-add.
inline double attention_flops(const AttentionShape& s) {
  return 4.0 * s.batch * s.heads * attention_pairs(s) * s.head_dim;
}

// Q, K, V read once and O written once, 2 bytes each: what the flash kernel must move.
inline double flash_bytes(const AttentionShape& s) {
  return 2.0 * s.batch * s.head_dim * (2.0 * s.heads * s.seq_q + 2.0 * s.kv_heads * s.seq_kv);
}

// The same plus the scores written and read, and the probabilities written and read, whole, 2 bytes each.
inline double naive_attention_bytes(const AttentionShape& s) {
  return flash_bytes(s) + 4.0 * 2.0 * s.batch * s.heads * static_cast<double>(s.seq_q) * s.seq_kv;
}

// K and V read once; queries and results are small beside them, and counted.
inline double decode_bytes(const AttentionShape& s) { return flash_bytes(s); }

inline int ceil_div(int a, int b) { return (a + b - 1) / b; }

// How many parts a KV sequence of `tiles` tiles is cut into for decode: the fewest whose blocks fill the
// GPU's `slots` to 85 % of the best that any cut can reach.
inline int decode_splits(int blocks, int slots, int tiles, int most = 64) {
  const int limit = std::max(1, std::min(tiles, most));
  std::vector<double> fill;
  for (int splits = 1; splits <= limit; ++splits) {
    const int launched = blocks * splits;
    fill.push_back(static_cast<double>(launched) / (static_cast<double>(ceil_div(launched, slots)) * slots));
  }
  const double best = *std::max_element(fill.begin(), fill.end());
  for (int splits = 1; splits < limit; ++splits)
    if (fill[static_cast<std::size_t>(splits - 1)] >= 0.85 * best) return splits;
  return limit;
}

// How far a thread of a stream moves on: past all threads where the footprint has room for that, and
// otherwise by some 5/8 of it in whole warps, so that it meets other elements every time. Less than `count`.
inline unsigned walk_step(unsigned count, unsigned threads) {
  if (count > threads) return threads;
  return (count / 32 * 5 / 8 | 1) * 32 % count;
}

// Bytes that n ranks send over the slowest link, relative to the bytes of the buffer: bus bandwidth is
// algorithm bandwidth times this (as nccl-tests defines it).
inline double bus_factor(const std::string& collective, int ranks) {
  const double n = ranks;
  if (collective == "all_reduce") return 2 * (n - 1) / n;
  if (collective == "all_gather" || collective == "reduce_scatter" || collective == "all_to_all")
    return (n - 1) / n;
  return 1;  // broadcast, send and receive
}

// The same sequence of numbers on every machine (splitmix64).
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next() {
    std::uint64_t z = (state_ += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
  }
  std::uint64_t below(std::uint64_t limit) { return next() % limit; }
  float uniform() { return static_cast<float>(next() >> 40) * (2.0f / 16777216.0f) - 1.0f; }  // in [-1, 1)

 private:
  std::uint64_t state_;
};

// One cycle through all of 0 .. count-1 in random order (Sattolo): result[i] is where i points to.
inline std::vector<std::uint32_t> random_cycle(std::uint32_t count, std::uint64_t seed) {
  std::vector<std::uint32_t> next(count);
  for (std::uint32_t i = 0; i < count; ++i) next[i] = i;
  Random random(seed);
  for (std::uint32_t i = count; i-- > 1;) std::swap(next[i], next[random.below(i)]);
  return next;
}

// How many turns the 32 banks of 4 bytes need when lane l reads word l * stride: the most different words in
// one bank.
inline int bank_conflict_degree(int stride_words) {
  int most = 1;
  for (int bank = 0; bank < 32; ++bank) {
    std::vector<int> words;
    for (int lane = 0; lane < 32; ++lane)
      if (lane * stride_words % 32 == bank) words.push_back(lane * stride_words);
    std::sort(words.begin(), words.end());
    words.erase(std::unique(words.begin(), words.end()), words.end());
    most = std::max(most, static_cast<int>(words.size()));
  }
  return most;
}

// Sectors of 32 bytes that a warp touches when lane l reads 4 bytes at element offset + l * stride.
inline int sectors_per_warp(int stride_elements, int offset_elements) {
  std::vector<int> sectors;
  for (int lane = 0; lane < 32; ++lane) sectors.push_back((offset_elements + lane * stride_elements) / 8);
  std::sort(sectors.begin(), sectors.end());
  return static_cast<int>(std::unique(sectors.begin(), sectors.end()) - sectors.begin());
}

}  // namespace gpubench
