#include "hwmodels/collectives/chunking.h"

#include <algorithm>
#include <cmath>

namespace gpuplan::collectives {

namespace {

// NCCL 2.30, device.h and collectives.h: a buffer is 8 slots; Simple has 4 MiB, a chunk of a ring takes 4
// slots in 2 slices of all-reduce, all-gather and reduce-scatter, else 1 slot. A slot of LL holds 512 threads
// x 8 lines x 8 B of data; of LL128 640 threads x 120 elements x 8 B, of which 15/16 are data.
constexpr std::int64_t kSimpleSlot = std::int64_t{4 << 20} / 8;
constexpr int kRingSlots = 4, kRingSlices = 2;
constexpr std::int64_t kLlSlot = std::int64_t{512} * 8 * 8;
constexpr std::int64_t kLl128Slot = std::int64_t{640} * 120 * 8 / 16 * 15;
constexpr std::int64_t kAligned = 16;

std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }
std::int64_t aligned(std::int64_t bytes) { return ceil_div(bytes, kAligned) * kAligned; }

}  // namespace

Chunking chunking_of(const Communicator& group, const CollectiveOperation& operation, const Choice& choice) {
  const auto bytes = static_cast<std::int64_t>(std::ceil(operation.bytes.si()));
  const bool phases = operation.collective == Collective::all_reduce ||
                      operation.collective == Collective::all_gather ||
                      operation.collective == Collective::reduce_scatter;
  const bool ring = choice.algorithm == Algorithm::ring;
  Chunking out;
  out.channels = std::max(1, choice.channels);
  out.channel_bytes = aligned(ceil_div(bytes, out.channels));
  std::int64_t most = kLlSlot;
  if (choice.protocol == Protocol::ll128) {
    most = kLl128Slot;
  } else if (choice.protocol == Protocol::simple) {
    most = kSimpleSlot * (ring && phases ? kRingSlots : 1);
    out.slices = ring && phases ? kRingSlices : 1;
  }
  const std::int64_t parts = ring && phases ? group.ranks : 1;
  out.chunk_bytes = std::min(most, aligned(ceil_div(out.channel_bytes, parts)));
  out.slice_bytes = aligned(ceil_div(out.chunk_bytes, out.slices));
  const std::int64_t loop = parts * std::max<std::int64_t>(1, out.chunk_bytes);
  out.loops = ceil_div(out.channel_bytes, loop);
  const std::int64_t rest = out.channel_bytes - std::max<std::int64_t>(0, out.loops - 1) * loop;
  out.last_chunk_bytes = std::min(out.chunk_bytes, aligned(ceil_div(rest, parts)));
  const std::int64_t shared = std::max<std::int64_t>(0, out.loops - 1) * loop + out.last_chunk_bytes * parts;
  out.padding_bytes = shared * out.channels - bytes;
  return out;
}

}  // namespace gpuplan::collectives
