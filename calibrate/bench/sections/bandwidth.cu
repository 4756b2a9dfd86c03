// Read, write, copy and scale against footprint. A footprint is walked again and again without rotation: up
// to the L2's effective capacity the L2 answers, beyond it HBM. Loads and stores leave L1 out.
#include <algorithm>
#include <cstring>

#include "../host/arithmetic.h"
#include "../host/grids.h"
#include "../kernels/memory.cuh"
#include "sections.h"

namespace gpubench {

namespace {

constexpr unsigned threads_per_block = 256, blocks_per_sm = 8;
constexpr std::int64_t launch_bytes_least = std::int64_t{1} << 30;  // a launch far longer than its overhead

struct Walk {
  unsigned count, step, rounds, blocks;
  double bytes;  // moved by one launch
};

// `footprint` counts source and target together.
Walk walk(std::int64_t footprint, int buffers, int blocks, std::int64_t launch_bytes) {
  Walk w{};
  w.count = static_cast<unsigned>(footprint / buffers / 16);
  w.blocks = static_cast<unsigned>(blocks);
  const unsigned threads = w.blocks * threads_per_block;
  w.step = walk_step(w.count, threads);
  const std::int64_t round_bytes = std::int64_t{64} * threads * buffers;  // 4 accesses of 16 bytes
  w.rounds = static_cast<unsigned>((std::max(footprint, launch_bytes) + round_bytes - 1) / round_bytes);
  w.bytes = static_cast<double>(round_bytes) * w.rounds;
  return w;
}

struct Pass {
  const char* name;
  int buffers;
  void (*kernel)(const uint4*, uint4*, unsigned, unsigned, unsigned, bool, unsigned*);
};
const Pass passes[] = {{"read", 1, stream<Traffic::read>},
                       {"write", 1, stream<Traffic::write>},
                       {"copy", 2, stream<Traffic::copy>},
                       {"scale", 2, stream<Traffic::scale>}};

}  // namespace

void check_bandwidth(Bench& bench) {
  Region memory = bench.memory();
  const unsigned count = 4097 * 8;
  std::vector<uint4> host(count);
  Random random(1);
  for (uint4& piece : host) {
    const float value = random.uniform();
    unsigned bits;
    std::memcpy(&bits, &value, 4);
    piece = {bits, 0x3f800000u, bits, 0x40000000u};
  }
  const uint4* source = memory.put(host);
  uint4* target = memory.take<uint4>(count);
  const Walk w = walk(count * 16, 1, 4, 0);
  unsigned* sink = memory.take<unsigned>(w.blocks * threads_per_block);
  // The first words as numbers; the other three follow them in the kernels.
  const auto numbers = [](const std::vector<uint4>& pieces) {
    std::vector<double> result;
    for (const uint4& piece : pieces)
      for (unsigned bits : {piece.x, piece.y, piece.z, piece.w}) {
        float value;
        std::memcpy(&value, &bits, 4);
        result.push_back(static_cast<double>(value));
      }
    return result;
  };
  for (const Pass& pass : passes) {
    CUDA_CHECK(cudaMemsetAsync(target, 0xff, count * 16, bench.stream()));  // NaN
    pass.kernel<<<w.blocks, threads_per_block, 0, bench.stream()>>>(source, target, w.count, w.step, w.rounds,
                                                                    true, sink);
    LAUNCH_CHECK();
    bench.stream().wait();
    const std::string name = std::string("bandwidth ") + pass.name;
    std::vector<double> expected, got;
    if (pass.name == std::string("read")) {
      const auto seen = fetched(sink, w.blocks * threads_per_block);
      for (unsigned t = 0; t < seen.size(); ++t) {
        unsigned sum = 0, at = t % w.count;
        for (unsigned load = 0; load < 4 * w.rounds; ++load, at = (at + w.step) % w.count)
          sum ^= host[at].x ^ host[at].y ^ host[at].z ^ host[at].w;
        expected.push_back(sum);
        got.push_back(seen[t]);
      }
    } else if (pass.name == std::string("write")) {
      for (unsigned i = 0; i < count; ++i) expected.push_back(i);
      for (const uint4& piece : fetched(target, count)) got.push_back(piece.w);
    } else {
      expected = numbers(host);
      if (pass.name == std::string("scale"))
        for (double& value : expected) value *= 2;
      got = numbers(fetched(target, count));
    }
    bench.check(name, got, expected, 0);
  }
}

void measure_bandwidth(Bench& bench) {
  const int blocks = bench.device.sm_count * static_cast<int>(blocks_per_sm);
  Region memory = bench.memory();
  unsigned* sink = memory.take<unsigned>(static_cast<std::size_t>(blocks) * threads_per_block);
  const auto sizes = footprints(bench.device.l2_bytes, static_cast<std::int64_t>(memory.left()));
  uint4* data = memory.take<uint4>(static_cast<std::size_t>(sizes.back() / 16));
  CUDA_CHECK(cudaMemsetAsync(data, 0x3c, static_cast<std::size_t>(sizes.back()), bench.stream()));

  const int kinds = 4, points = static_cast<int>(sizes.size()) * kinds;
  for (int point : spread_order(points)) {
    const Pass& pass = passes[point % kinds];
    const std::int64_t footprint = sizes[static_cast<std::size_t>(point / kinds)];
    const std::string label = std::string(pass.name) + " " + std::to_string(footprint);
    if (!bench.begin_point(label)) continue;
    const Walk w = walk(footprint, pass.buffers, blocks, launch_bytes_least);
    uint4* target = pass.buffers == 2 ? data + w.count : data;
    const auto seconds = bench.time([&](cudaStream_t stream, int) {
      pass.kernel<<<w.blocks, threads_per_block, 0, stream>>>(data, target, w.count, w.step, w.rounds, false,
                                                              sink);
      LAUNCH_CHECK();
    });
    bench.emit("bandwidth",
               Fields().add("op", pass.name).add("footprint_bytes", footprint).add("moved_bytes", w.bytes),
               "B/s", rates(w.bytes, seconds));
  }
}

}  // namespace gpubench
