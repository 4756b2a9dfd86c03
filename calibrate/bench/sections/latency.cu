// A single thread follows a random chain, one link per line of 128 bytes, through footprints that fit in L1,
// in L2, or in neither. Large footprints include misses of the address translation, as scattered accesses do.
#include "../host/arithmetic.h"
#include "../host/grids.h"
#include "../kernels/memory.cuh"
#include "sections.h"

namespace gpubench {

namespace {

// The chain on the device, spread over `lines`.
void lay_out(Bench& bench, Region& memory, const std::vector<std::uint32_t>& next, unsigned* lines) {
  const auto count = static_cast<unsigned>(next.size());
  const unsigned* links = memory.put(next);
  lay_out_chain<<<(count + 255) / 256, 256, 0, bench.stream()>>>(links, lines, count);
  LAUNCH_CHECK();
  bench.stream().wait();
}

// Brings `bytes` from `data` on into the L2, as far as they fit.
void warm_l2(Bench& bench, const unsigned* data, std::int64_t bytes, unsigned* sink) {
  const unsigned blocks = static_cast<unsigned>(bench.device.sm_count), threads = blocks * 256;
  const auto count = static_cast<unsigned>(bytes / 16);
  const unsigned rounds = count / (4 * threads) + 1;
  stream<Traffic::read><<<blocks, 256, 0, bench.stream()>>>(
      reinterpret_cast<const uint4*>(data), nullptr, count, walk_step(count, threads), rounds, false, sink);
  LAUNCH_CHECK();
}

}  // namespace

void check_latency(Bench& bench) {
  Region memory = bench.memory();
  const std::uint32_t count = 1000, steps = 777;
  const auto next = random_cycle(count, 11);
  unsigned* lines = memory.take<unsigned>(count * line_words);
  lay_out(bench, memory, next, lines);
  unsigned* position = memory.put(std::vector<unsigned>{3});
  auto* spent = memory.take<unsigned long long>(2);
  unsigned* each = memory.take<unsigned>(hops_most + 1);
  chase<<<1, 1, 0, bench.stream()>>>(lines, position, 100, steps, spent);
  LAUNCH_CHECK();
  chase_each<<<1, 1, 0, bench.stream()>>>(lines, steps, each);
  LAUNCH_CHECK();
  bench.stream().wait();
  unsigned from_3 = 3, from_0 = 0;
  for (unsigned i = 0; i < 100 + steps; ++i) from_3 = next[from_3];
  for (unsigned i = 0; i < steps; ++i) from_0 = next[from_0];
  bench.check("latency chase", {static_cast<double>(fetched(position, 1)[0])}, {static_cast<double>(from_3)},
              0);
  bench.check("latency chase_each", {static_cast<double>(fetched(each, steps + 1)[steps])},
              {static_cast<double>(from_0)}, 0);
}

void measure_latency(Bench& bench) {
  const std::int64_t largest = std::int64_t{bench.quick ? 256 : 1024} << 20;
  std::vector<std::int64_t> sizes;
  for (std::int64_t size = 16 << 10; size <= largest; size *= 2) {
    sizes.push_back(size);
    if (!bench.quick) sizes.push_back(size / 2 * 3);
  }
  const unsigned steps = bench.quick ? 4096 : 8192;
  const int samples = bench.quick ? 7 : 15;
  for (int point : spread_order(static_cast<int>(sizes.size()))) {
    const std::int64_t size = sizes[static_cast<std::size_t>(point)];
    if (!bench.begin_point("chase " + std::to_string(size))) continue;
    const auto count = static_cast<std::uint32_t>(size / (4 * line_words));
    Region memory = bench.memory();
    if (static_cast<std::size_t>(size) * 2 > memory.left()) {
      bench.unsupported("chase " + std::to_string(size), "does not fit in memory");
      continue;
    }
    unsigned* lines = memory.take<unsigned>(static_cast<std::size_t>(count) * line_words);
    unsigned* position = memory.put(std::vector<unsigned>{0});
    auto* spent = memory.take<unsigned long long>(2);
    unsigned* sink = memory.take<unsigned>(static_cast<std::size_t>(bench.device.sm_count) * 256);
    lay_out(bench, memory, random_cycle(count, 42), lines);
    warm_l2(bench, lines, size, sink);
    // Once round first where L1 may hold it all.
    const unsigned warm = size <= 512 << 10 ? count : 0;
    std::vector<double> cycles, seconds;
    for (int i = 0; i <= samples; ++i) {
      chase<<<1, 1, 0, bench.stream()>>>(lines, position, warm, steps, spent);
      LAUNCH_CHECK();
      const auto result = fetched(spent, 2);
      if (i == 0) continue;
      cycles.push_back(static_cast<double>(result[0]) / steps);
      seconds.push_back(static_cast<double>(result[1]) * 1e-9 / steps);
    }
    const Fields params =
        Fields().add("footprint_bytes", size).add("line_bytes", 4 * line_words).add("steps", steps);
    bench.emit("latency", params, "s", seconds);
    bench.emit("latency", params, "cycles", cycles);
  }

  // Lines of a small part of L2, hop by hop: the spread is that of near and far partitions.
  if (!bench.begin_point("hops")) return;
  Region memory = bench.memory();
  const std::uint32_t count = 32768;  // 4 MB: in no L1, well inside the L2
  unsigned* lines = memory.take<unsigned>(static_cast<std::size_t>(count) * line_words);
  unsigned* each = memory.take<unsigned>(hops_most + 1);
  unsigned* sink = memory.take<unsigned>(static_cast<std::size_t>(bench.device.sm_count) * 256);
  lay_out(bench, memory, random_cycle(count, 43), lines);
  warm_l2(bench, lines, std::int64_t{count} * 4 * line_words, sink);
  chase_each<<<1, 1, 0, bench.stream()>>>(lines, hops_most, each);
  LAUNCH_CHECK();
  const auto spent = fetched(each, hops_most);
  bench.emit("latency_per_line", Fields().add("footprint_bytes", std::int64_t{count} * 4 * line_words),
             "cycles", {spent.begin() + 64, spent.end()});
}

}  // namespace gpubench
