// Patterns within a warp: reads with a stride or an offset (sectors of 32 bytes that are fetched but not
// used), and shared-memory loads whose lanes meet in a bank.
#include <algorithm>

#include "../host/arithmetic.h"
#include "../host/grids.h"
#include "../kernels/memory.cuh"
#include "sections.h"

namespace gpubench {

void check_access(Bench& bench) {
  Region memory = bench.memory();
  const unsigned blocks = 3, threads = 64, stride = 5, offset = 9;
  std::vector<unsigned> host(4 * blocks * threads * stride + offset);
  Random random(3);
  for (unsigned& word : host) word = static_cast<unsigned>(random.next());
  const unsigned* data = memory.put(host);
  unsigned* sink = memory.take<unsigned>(1024);
  auto* spent = memory.take<unsigned long long>(1);
  read_strided<<<blocks, threads, 0, bench.stream()>>>(data, stride, offset, true, sink);
  LAUNCH_CHECK();
  std::vector<double> got, expected;
  for (unsigned seen : fetched(sink, blocks * threads)) got.push_back(seen);
  for (unsigned t = 0; t < blocks * threads; ++t) {
    unsigned sum = 0;
    for (unsigned i = 0; i < 4; ++i) sum ^= host[offset + (t + i * blocks * threads) * stride];
    expected.push_back(sum);
  }
  bench.check("access strided", got, expected, 0);

  load_banks<<<1, 1024, 0, bench.stream()>>>(bank_stride_most, 100, spent, sink);
  LAUNCH_CHECK();
  got.clear();
  expected.clear();
  for (unsigned end : fetched(sink, 1024)) got.push_back(end);
  for (unsigned t = 0; t < 1024; ++t) expected.push_back(t % 32 * bank_stride_most);
  bench.check("access banks", got, expected, 0);
}

void measure_access(Bench& bench) {
  struct Pattern {
    unsigned stride, offset;  // in words
  };
  const std::vector<Pattern> patterns = {{1, 0}, {2, 0},  {4, 0},  {8, 0}, {16, 0}, {32, 0}, {64, 0}, {3, 0},
                                         {6, 0}, {12, 0}, {24, 0}, {1, 1}, {1, 4},  {1, 8},  {1, 16}};
  const unsigned threads = 256, blocks = 1 << 14, words = 4 * threads * blocks;  // 64 MB of useful data
  for (const Pattern& pattern : patterns) {
    const std::string label =
        "stride " + std::to_string(pattern.stride) + ", offset " + std::to_string(pattern.offset);
    if (!bench.begin_point(label)) continue;
    Region memory = bench.memory();
    unsigned* sink = memory.take<unsigned>(static_cast<std::size_t>(threads) * blocks);
    const std::size_t span = static_cast<std::size_t>(words) * pattern.stride + 64;  // in words, one launch
    if (span * 4 + 256 > memory.left()) {
      bench.unsupported(label, "does not fit in memory");
      continue;
    }
    const int sets = rotation_sets(static_cast<std::int64_t>(span * 4), bench.device.l2_bytes,
                                   static_cast<std::int64_t>(memory.left()));
    const unsigned* data = memory.take<unsigned>(span * static_cast<std::size_t>(sets));
    const auto seconds = bench.time(
        [&](cudaStream_t stream, int turn) {
          read_strided<<<blocks, threads, 0, stream>>>(data + static_cast<std::size_t>(turn) * span,
                                                       pattern.stride, pattern.offset, false, sink);
          LAUNCH_CHECK();
        },
        sets);
    bench.emit("strided_read",
               Fields()
                   .add("stride_bytes", 4 * pattern.stride)
                   .add("offset_bytes", 4 * pattern.offset)
                   .add("sectors_per_warp",
                        sectors_per_warp(static_cast<int>(pattern.stride), static_cast<int>(pattern.offset)))
                   .add("useful_bytes", 4ll * words),
               "B/s", rates(4.0 * words, seconds));
  }

  Region memory = bench.memory();
  unsigned* ends = memory.take<unsigned>(1024);
  auto* spent = memory.take<unsigned long long>(1);
  const unsigned steps = 4096;
  for (unsigned warps : {1u, 32u})
    for (unsigned stride : {0u, 1u, 2u, 3u, 4u, 8u, 12u, 16u, 24u, 32u, 33u}) {
      if (!bench.begin_point("banks, stride " + std::to_string(stride))) continue;
      std::vector<double> cycles;
      for (int sample = 0; sample <= 7; ++sample) {
        load_banks<<<1, 32 * warps, 0, bench.stream()>>>(stride, steps, spent, ends);
        LAUNCH_CHECK();
        const auto total = static_cast<double>(fetched(spent, 1)[0]);
        if (sample > 0) cycles.push_back(total / steps / warps);
      }
      bench.emit("shared_load",
                 Fields()
                     .add("warps", warps)
                     .add("stride_bytes", 4 * stride)
                     .add("bank_conflict_degree", bank_conflict_degree(static_cast<int>(stride))),
                 "cycles", cycles);
    }
}

}  // namespace gpubench
