// Collectives of NCCL and peer copies among the GPUs that are visible, against size; one process, one stream
// and one communicator per GPU. Time is that of the slowest rank.
#include <algorithm>
#include <memory>
#include <string>

#include "../host/arithmetic.h"
#include "sections.h"

#ifdef GPUBENCH_NCCL
#include <nccl.h>
#endif

namespace gpubench {

namespace {

int gpu_count() {
  int count = 0;
  CUDA_CHECK(cudaGetDeviceCount(&count));
  return count;
}

// Makes a device current, and the one before again at the end.
class OnDevice {
 public:
  explicit OnDevice(int device) {
    CUDA_CHECK(cudaGetDevice(&before_));
    CUDA_CHECK(cudaSetDevice(device));
  }
  ~OnDevice() { cudaSetDevice(before_); }
  OnDevice(const OnDevice&) = delete;
  OnDevice& operator=(const OnDevice&) = delete;

 private:
  int before_ = 0;
};

// One GPU's stream, events and two buffers. The GPU must be current while it is made.
struct Rank {
  explicit Rank(std::size_t bytes) {
    CUDA_CHECK(cudaMalloc(&send, bytes));
    CUDA_CHECK(cudaMalloc(&receive, bytes));
    CUDA_CHECK(cudaMemset(send, 0, bytes));
    CUDA_CHECK(cudaMemset(receive, 0, bytes));
    CUDA_CHECK(cudaDeviceSynchronize());
  }
  ~Rank() {
    cudaFree(send);
    cudaFree(receive);
  }
  Rank(const Rank&) = delete;
  Rank& operator=(const Rank&) = delete;

  Stream stream;
  Event start, stop;
  void *send = nullptr, *receive = nullptr;
};

using Ranks = std::vector<std::unique_ptr<Rank>>;

Ranks make_ranks(int count, std::size_t bytes) {
  Ranks ranks;
  for (int device = 0; device < count; ++device) {
    const OnDevice on(device);
    ranks.push_back(std::make_unique<Rank>(bytes));
  }
  return ranks;
}

// Calls `action(rank, number)` with each rank's GPU current.
template <class Action>
void on_each(const Ranks& ranks, Action action) {
  for (std::size_t i = 0; i < ranks.size(); ++i) {
    const OnDevice on(static_cast<int>(i));
    action(*ranks[i], static_cast<int>(i));
  }
}

// Copies from the first GPU to another and back, one way and both ways at once.
void measure_peer(Bench& bench, const Ranks& ranks, int peer, std::size_t bytes, bool both_ways) {
  const OnDevice on(0);
  Rank &here = *ranks[0], &there = *ranks[static_cast<std::size_t>(peer)];
  const Stream back;
  const Event joined;
  std::vector<double> seconds;
  for (int i = 0; i <= 11; ++i) {
    here.start.record(here.stream);
    CUDA_CHECK(cudaStreamWaitEvent(back, here.start, 0));
    CUDA_CHECK(cudaMemcpyPeerAsync(there.receive, peer, here.send, 0, bytes, here.stream));
    if (both_ways) CUDA_CHECK(cudaMemcpyPeerAsync(here.receive, 0, there.send, peer, bytes, back));
    joined.record(back);
    CUDA_CHECK(cudaStreamWaitEvent(here.stream, joined, 0));
    here.stop.record(here.stream);
    here.stream.wait();
    if (i > 0) seconds.push_back(seconds_between(here.start, here.stop));
  }
  bench.emit("peer_copy",
             Fields().add("from", 0).add("to", peer).add("both_ways", both_ways).add("bytes", bytes), "s",
             seconds);
}

void enable_peers(int count) {
  for (int device = 0; device < count; ++device) {
    const OnDevice on(device);
    for (int peer = 0; peer < count; ++peer) {
      int possible = 0;
      if (peer != device) CUDA_CHECK(cudaDeviceCanAccessPeer(&possible, device, peer));
      if (!possible) continue;
      const cudaError_t status = cudaDeviceEnablePeerAccess(peer, 0);
      if (status == cudaErrorPeerAccessAlreadyEnabled) {
        cudaGetLastError();  // forget it
      } else {
        CUDA_CHECK(status);
      }
    }
  }
}

#ifdef GPUBENCH_NCCL

void check_nccl(ncclResult_t status, const char* file, int line, const char* call) {
  if (status != ncclSuccess) gpu_failure(file, line, call, ncclGetErrorString(status));
}
#define NCCL_CHECK(call) check_nccl((call), __FILE__, __LINE__, #call)

class Communicators {
 public:
  explicit Communicators(int count) : all_(static_cast<std::size_t>(count), nullptr) {
    NCCL_CHECK(ncclCommInitAll(all_.data(), count, nullptr));
  }
  ~Communicators() {
    for (ncclComm_t communicator : all_) ncclCommDestroy(communicator);
  }
  Communicators(const Communicators&) = delete;
  Communicators& operator=(const Communicators&) = delete;
  ncclComm_t of(int rank) const { return all_[static_cast<std::size_t>(rank)]; }

 private:
  std::vector<ncclComm_t> all_;
};

constexpr const char* collectives[] = {"all_reduce", "all_gather", "reduce_scatter",
                                       "all_to_all", "broadcast",  "send_receive"};

// Enqueues one collective on every rank. `count` floats is the size of the whole buffer (of what one rank
// ends up with, or starts from, whichever is larger), a multiple of the number of ranks.
void enqueue(const std::string& collective, const Ranks& ranks, const Communicators& communicators,
             std::size_t count) {
  const int n = static_cast<int>(ranks.size());
  const std::size_t part = count / ranks.size();
  NCCL_CHECK(ncclGroupStart());
  for (int r = 0; r < n; ++r) {
    const Rank& rank = *ranks[static_cast<std::size_t>(r)];
    const ncclComm_t with = communicators.of(r);
    const cudaStream_t stream = rank.stream;
    auto* send = static_cast<float*>(rank.send);
    auto* receive = static_cast<float*>(rank.receive);
    if (collective == "all_reduce") {
      NCCL_CHECK(ncclAllReduce(send, receive, count, ncclFloat, ncclSum, with, stream));
    } else if (collective == "all_gather") {
      NCCL_CHECK(ncclAllGather(send, receive, part, ncclFloat, with, stream));
    } else if (collective == "reduce_scatter") {
      NCCL_CHECK(ncclReduceScatter(send, receive, part, ncclFloat, ncclSum, with, stream));
    } else if (collective == "broadcast") {
      NCCL_CHECK(ncclBroadcast(send, receive, count, ncclFloat, 0, with, stream));
    } else if (collective == "send_receive") {  // round the ring
      NCCL_CHECK(ncclSend(send, count, ncclFloat, (r + 1) % n, with, stream));
      NCCL_CHECK(ncclRecv(receive, count, ncclFloat, (r + n - 1) % n, with, stream));
    } else {  // all_to_all
      for (int peer = 0; peer < n; ++peer) {
        const std::size_t offset = part * static_cast<std::size_t>(peer);
        NCCL_CHECK(ncclSend(send + offset, part, ncclFloat, peer, with, stream));
        NCCL_CHECK(ncclRecv(receive + offset, part, ncclFloat, peer, with, stream));
      }
    }
  }
  NCCL_CHECK(ncclGroupEnd());
}

// What rank r holds at i in the end, when rank s sends s + 1 + i / part at i.
double expected_value(const std::string& collective, int ranks, int r, std::size_t i, std::size_t part) {
  const double n = ranks, sum_of_ranks = n * (n + 1) / 2;
  const auto in_part = static_cast<double>(i / part);
  if (collective == "all_reduce") return sum_of_ranks + n * in_part;
  if (collective == "all_gather") return in_part + 1;
  if (collective == "reduce_scatter") return sum_of_ranks + n * r;
  if (collective == "broadcast") return 1 + in_part;
  if (collective == "send_receive") return (r + ranks - 1) % ranks + 1 + in_part;
  return in_part + 1 + r;  // all_to_all
}

void check_collective(Bench& bench, const std::string& collective, const Ranks& ranks,
                      const Communicators& communicators) {
  const int n = static_cast<int>(ranks.size());
  const std::size_t part = 33, count = part * ranks.size();
  on_each(ranks, [&](Rank& rank, int r) {
    std::vector<float> values(count);
    for (std::size_t i = 0; i < count; ++i)
      values[i] = static_cast<float>(r + 1) + static_cast<float>(i / part);
    CUDA_CHECK(cudaMemcpy(rank.send, values.data(), count * sizeof(float), cudaMemcpyHostToDevice));
    CUDA_CHECK(cudaMemset(rank.receive, 0xff, count * sizeof(float)));  // NaN
    CUDA_CHECK(cudaDeviceSynchronize());
  });
  enqueue(collective, ranks, communicators, count);
  std::vector<double> got, expected;
  on_each(ranks, [&](Rank& rank, int r) {
    const std::size_t held = collective == "reduce_scatter" ? part : count;
    const auto values = fetched(static_cast<const float*>(rank.receive), held);
    for (std::size_t i = 0; i < held; ++i) {
      got.push_back(static_cast<double>(values[i]));
      expected.push_back(expected_value(collective, n, r, i, part));
    }
  });
  bench.check("collectives " + collective, got, expected, 0);
}

void measure_collective(Bench& bench, const std::string& collective, const Ranks& ranks,
                        const Communicators& communicators, std::size_t bytes) {
  const std::size_t count = std::max(ranks.size(), bytes / sizeof(float) / ranks.size() * ranks.size());
  const int per_sample = bytes <= std::size_t{1} << 20 ? 20 : bytes <= std::size_t{64} << 20 ? 5 : 1;
  std::vector<double> seconds;
  for (int sample = 0; sample <= 9; ++sample) {
    on_each(ranks, [](Rank& rank, int) { rank.start.record(rank.stream); });
    for (int i = 0; i < per_sample; ++i) enqueue(collective, ranks, communicators, count);
    on_each(ranks, [](Rank& rank, int) { rank.stop.record(rank.stream); });
    double slowest = 0;
    on_each(ranks, [&](Rank& rank, int) {
      rank.stream.wait();
      slowest = std::max(slowest, seconds_between(rank.start, rank.stop));
    });
    if (sample > 0) seconds.push_back(slowest / per_sample);
  }
  bench.emit("collective",
             Fields()
                 .add("op", collective)
                 .add("ranks", ranks.size())
                 .add("bytes", count * sizeof(float))
                 .add("bus_factor", bus_factor(collective, static_cast<int>(ranks.size()))),
             "s", seconds);
}

#endif

}  // namespace

void check_collectives(Bench& bench) {
#ifdef GPUBENCH_NCCL
  const int count = gpu_count();
  if (count < 2) return;
  const Ranks ranks = make_ranks(count, 1 << 20);
  const Communicators communicators(count);
  for (const char* collective : collectives) check_collective(bench, collective, ranks, communicators);
#else
  (void)bench;
#endif
}

void measure_collectives(Bench& bench) {
  const int count = gpu_count();
  if (count < 2) return bench.skip_section("one GPU");
  const std::size_t largest = (bench.quick ? std::size_t{256} : std::size_t{1024}) << 20;
  const Ranks ranks = make_ranks(count, largest);
  enable_peers(count);
  for (int peer = 1; peer < count; ++peer)
    for (bool both_ways : {false, true})
      if (bench.begin_point("peer copy 0 to " + std::to_string(peer)))
        measure_peer(bench, ranks, peer, largest, both_ways);
#ifdef GPUBENCH_NCCL
  const Communicators communicators(count);
  for (std::size_t bytes = 1024; bytes <= largest; bytes *= bench.quick ? 16 : 4)
    for (const char* collective : collectives)
      if (bench.begin_point(std::string(collective) + " " + std::to_string(bytes)))
        measure_collective(bench, collective, ranks, communicators, bytes);
#else
  bench.unsupported("collectives", "built without NCCL");
#endif
}

}  // namespace gpubench
