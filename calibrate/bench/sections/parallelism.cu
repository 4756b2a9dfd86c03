// Read bandwidth against what is in flight: warps per SM, independent loads per thread, bytes per load. By
// Little's law it grows as bytes in flight over latency until the memory is full.
#include <algorithm>

#include "../host/arithmetic.h"
#include "../host/grids.h"
#include "../kernels/memory.cuh"
#include "sections.h"

namespace gpubench {

namespace {

struct Loads {
  int in_flight;
  int bytes;
  const void* kernel;
  void (*launch)(unsigned blocks, unsigned threads, int shared, cudaStream_t, const void*, unsigned rounds,
                 bool report, unsigned* sink);
};

template <class Element, int in_flight>
Loads loads() {
  return {in_flight, static_cast<int>(sizeof(Element)),
          reinterpret_cast<const void*>(read_in_flight<Element, in_flight>),
          [](unsigned blocks, unsigned threads, int shared, cudaStream_t stream, const void* data,
             unsigned rounds, bool report, unsigned* sink) {
            read_in_flight<Element, in_flight><<<blocks, threads, static_cast<std::size_t>(shared), stream>>>(
                static_cast<const Element*>(data), rounds, report, sink);
            LAUNCH_CHECK();
          }};
}

const std::vector<Loads>& all_loads() {
  static const std::vector<Loads> all = {loads<unsigned, 1>(), loads<unsigned, 2>(), loads<unsigned, 4>(),
                                         loads<unsigned, 8>(), loads<uint4, 1>(),    loads<uint4, 2>(),
                                         loads<uint4, 4>(),    loads<uint4, 8>()};
  return all;
}

}  // namespace

void check_parallelism(Bench& bench) {
  Region memory = bench.memory();
  const unsigned blocks = 6, threads = 64, rounds = 3;
  std::vector<unsigned> host(rounds * 8 * 4 * blocks * threads);
  Random random(2);
  for (unsigned& word : host) word = static_cast<unsigned>(random.next());
  const unsigned* data = memory.put(host);
  unsigned* sink = memory.take<unsigned>(blocks * threads);
  for (const Loads& kind : all_loads()) {
    kind.launch(blocks, threads, 0, bench.stream(), data, rounds, true, sink);
    unsigned seen = 0, expected = 0;
    for (unsigned word : fetched(sink, blocks * threads)) seen ^= word;
    const std::size_t words =
        rounds * static_cast<unsigned>(kind.in_flight * kind.bytes / 4) * blocks * threads;
    for (std::size_t i = 0; i < words; ++i) expected ^= host[i];
    bench.check("parallelism " + std::to_string(kind.in_flight) + " x " + std::to_string(kind.bytes) + " B",
                {static_cast<double>(seen)}, {static_cast<double>(expected)}, 0);
  }
}

void measure_parallelism(Bench& bench) {
  struct Residency {
    int blocks, threads;  // per SM; per block
  };
  const std::vector<Residency> residencies = {{1, 32},  {1, 64},  {1, 128}, {1, 256}, {2, 256},
                                              {3, 256}, {4, 256}, {6, 256}, {8, 256}};
  const int kinds = static_cast<int>(all_loads().size());
  for (int point : spread_order(static_cast<int>(residencies.size()) * kinds)) {
    const Loads& kind = all_loads()[static_cast<std::size_t>(point % kinds)];
    const Residency& at = residencies[static_cast<std::size_t>(point / kinds)];
    if (at.blocks * at.threads > bench.device.threads_per_sm) continue;
    const std::string label = std::to_string(at.blocks) + " x " + std::to_string(at.threads) + " threads, " +
                              std::to_string(kind.in_flight) + " x " + std::to_string(kind.bytes) + " B";
    if (!bench.begin_point(label)) continue;

    // As much shared memory as lets just so many blocks onto an SM.
    const int shared =
        std::min(bench.device.shared_bytes_per_sm / at.blocks - bench.device.shared_bytes_reserved,
                 bench.device.shared_bytes_per_block) /
        128 * 128;
    CUDA_CHECK(cudaFuncSetAttribute(kind.kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, shared));
    CUDA_CHECK(cudaFuncSetAttribute(kind.kernel, cudaFuncAttributePreferredSharedMemoryCarveout, 100));
    int resident = 0;
    CUDA_CHECK(cudaOccupancyMaxActiveBlocksPerMultiprocessor(&resident, kind.kernel, at.threads,
                                                             static_cast<std::size_t>(shared)));
    if (resident != at.blocks) {
      bench.unsupported(label, std::to_string(resident) + " blocks are resident");
      continue;
    }
    Region memory = bench.memory();
    const auto blocks = static_cast<unsigned>(at.blocks * bench.device.sm_count);
    const auto threads = static_cast<unsigned>(at.threads);
    unsigned* sink = memory.take<unsigned>(static_cast<std::size_t>(blocks) * threads);
    const std::int64_t in_flight = std::int64_t{at.blocks} * at.threads * kind.in_flight * kind.bytes;
    // Far beyond the L2; more where it goes fast.
    const std::int64_t wanted =
        std::max<std::int64_t>(4 * bench.device.l2_bytes, in_flight >= 8192 ? std::int64_t{1} << 30 : 0);
    const std::int64_t bytes = std::min(wanted, static_cast<std::int64_t>(memory.left()));
    const std::int64_t round_bytes = in_flight * bench.device.sm_count;
    const auto rounds = static_cast<unsigned>(std::max<std::int64_t>(1, bytes / round_bytes));
    const char* data = memory.take<char>(static_cast<std::size_t>(round_bytes * rounds));
    const auto seconds = bench.time([&](cudaStream_t stream, int) {
      kind.launch(blocks, threads, shared, stream, data, rounds, false, sink);
    });
    bench.emit("parallelism",
               Fields()
                   .add("warps_per_sm", at.blocks * at.threads / 32)
                   .add("loads_in_flight", kind.in_flight)
                   .add("load_bytes", kind.bytes)
                   .add("bytes_in_flight_per_sm", in_flight)
                   .add("moved_bytes", round_bytes * rounds),
               "B/s", rates(static_cast<double>(round_bytes * rounds), seconds));
  }
}

}  // namespace gpubench
