// Copies between host and device against size: pinned and pageable memory, each way and both at once, and a
// pipeline that copies in, computes and copies out.
#include <chrono>
#include <cstring>

#include "../host/grids.h"
#include "../kernels/rows.cuh"
#include "sections.h"

namespace gpubench {

namespace {

double now_s() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

const char* direction(bool to_device) { return to_device ? "host_to_device" : "device_to_host"; }

void copy(bool to_device, char* device, char* host, std::size_t bytes, cudaStream_t stream) {
  CUDA_CHECK(cudaMemcpyAsync(to_device ? device : host, to_device ? host : device, bytes,
                             to_device ? cudaMemcpyHostToDevice : cudaMemcpyDeviceToHost, stream));
}

// Pinned: copies back to back in a stream. Pageable: each is waited for, on the host's clock, as the driver
// stages it through its own buffer.
void measure_copy(Bench& bench, bool pinned, bool to_device, char* device, char* host, std::size_t bytes) {
  std::vector<double> seconds;
  if (pinned) {
    const int per_sample = bytes <= 1 << 20 ? 20 : 1;
    seconds = bench.time_in_stream(
        [&](cudaStream_t stream, int) { copy(to_device, device, host, bytes, stream); }, per_sample);
  } else {
    const int samples = bytes <= 16 << 20 ? 15 : 5;
    for (int i = 0; i <= samples; ++i) {
      const double start = now_s();
      copy(to_device, device, host, bytes, bench.stream());
      bench.stream().wait();
      if (i > 0) seconds.push_back(now_s() - start);
    }
  }
  bench.emit("pcie_copy",
             Fields()
                 .add("direction", direction(to_device))
                 .add("memory", pinned ? "pinned" : "pageable")
                 .add("bytes", bytes),
             "s", seconds);
}

// One pinned copy alone in an empty stream, until the host sees it done: the latency a request feels.
void measure_round_trip(Bench& bench, bool to_device, char* device, char* host, std::size_t bytes) {
  std::vector<double> seconds;
  for (int i = 0; i <= 30; ++i) {
    const double start = now_s();
    copy(to_device, device, host, bytes, bench.stream());
    bench.stream().wait();
    if (i > 0) seconds.push_back(now_s() - start);
  }
  bench.emit("pcie_copy_and_wait",
             Fields().add("direction", direction(to_device)).add("memory", "pinned").add("bytes", bytes), "s",
             seconds);
}

void measure_both_ways(Bench& bench, char* device, char* host, std::size_t bytes) {
  const Stream other;
  const Event start, forked, joined, stop;
  std::vector<double> seconds;
  for (int i = 0; i <= 7; ++i) {
    start.record(bench.stream());
    CUDA_CHECK(cudaStreamWaitEvent(other, start, 0));
    copy(true, device, host, bytes, bench.stream());
    copy(false, device + bytes, host + bytes, bytes, other);
    joined.record(other);
    CUDA_CHECK(cudaStreamWaitEvent(bench.stream(), joined, 0));
    stop.record(bench.stream());
    bench.stream().wait();
    if (i > 0) seconds.push_back(seconds_between(start, stop));
  }
  bench.emit("pcie_copy", Fields().add("direction", "both").add("memory", "pinned").add("bytes", 2 * bytes),
             "s", seconds);
}

// `chunks` chunks of `bytes` copied in, doubled `passes` times and copied out, dealt to `streams` streams:
// one stream does all in turn, three overlap the copies with each other and with the kernels.
void pipeline(const std::vector<Stream*>& streams, int chunks, std::size_t bytes, int passes, char* device,
              char* host) {
  for (int i = 0; i < chunks; ++i) {
    const cudaStream_t stream = *streams[static_cast<std::size_t>(i) % streams.size()];
    char* d = device + static_cast<std::size_t>(i) * bytes;
    char* h = host + static_cast<std::size_t>(i) * bytes;
    copy(true, d, h, bytes, stream);
    auto* data = reinterpret_cast<uint4*>(d);
    const auto octets = static_cast<long long>(bytes / 16);
    for (int pass = 0; pass < passes; ++pass) {
      pointwise<Pointwise::add>
          <<<static_cast<unsigned>((octets + 255) / 256), 256, 0, stream>>>(data, data, data, octets);
      LAUNCH_CHECK();
    }
    copy(false, d, h, bytes, stream);
  }
}

void measure_pipeline(Bench& bench, int stream_count, int passes, char* device, char* host) {
  constexpr int chunks = 12;
  constexpr std::size_t bytes = 4 << 20;
  std::vector<std::unique_ptr<Stream>> owned;
  std::vector<Stream*> streams;
  for (int i = 0; i < stream_count; ++i) {
    owned.push_back(std::make_unique<Stream>());
    streams.push_back(owned.back().get());
  }
  std::memset(host, 0, chunks * bytes);
  std::vector<double> seconds;
  for (int i = 0; i <= 7; ++i) {
    const double start = now_s();
    pipeline(streams, chunks, bytes, passes, device, host);
    for (Stream* stream : streams) stream->wait();
    if (i > 0) seconds.push_back(now_s() - start);
  }
  bench.emit("pcie_pipeline",
             Fields()
                 .add("streams", stream_count)
                 .add("chunks", chunks)
                 .add("chunk_bytes", bytes)
                 .add("kernels_per_chunk", passes),
             "s", seconds);
}

}  // namespace

void check_pcie(Bench& bench) {
  constexpr std::size_t bytes = 4096;
  constexpr int chunks = 5;
  Region memory = bench.memory();
  char* device = memory.take<char>(chunks * bytes);
  const PinnedBytes host(chunks * bytes);
  auto* words = reinterpret_cast<std::uint16_t*>(host.data());
  constexpr std::size_t count = chunks * bytes / 2;
  std::vector<double> got, expected;
  // bf16 1.0 to 1.99: doubling twice adds 2 to the exponent, bit 7 on.
  for (std::size_t i = 0; i < count; ++i) {
    words[i] = static_cast<std::uint16_t>(0x3f80 + i % 128);
    expected.push_back(static_cast<double>(words[i] + 2 * 128));
  }
  Stream first, second;
  pipeline({&first, &second}, chunks, bytes, 2, device, host.data());
  first.wait();
  second.wait();
  for (std::size_t i = 0; i < count; ++i) got.push_back(static_cast<double>(words[i]));
  bench.check("pcie pipeline", got, expected, 0);
}

void measure_pcie(Bench& bench) {
  const std::size_t largest = (bench.quick ? std::size_t{128} : std::size_t{1024}) << 20;
  Region memory = bench.memory();
  char* device = memory.take<char>(largest);
  const PinnedBytes pinned(largest);
  std::vector<char> pageable(largest);
  std::memset(pinned.data(), 1, largest);
  std::memset(pageable.data(), 1, largest);

  std::vector<std::size_t> sizes;
  for (std::size_t size = 64; size <= largest; size *= bench.quick ? 8 : 4) sizes.push_back(size);
  if (sizes.back() != largest) sizes.push_back(largest);
  for (int point : spread_order(4 * static_cast<int>(sizes.size()))) {
    const std::size_t bytes = sizes[static_cast<std::size_t>(point / 4)];
    const bool use_pinned = point % 2 == 0, to_device = point / 2 % 2 == 0;
    if (!bench.begin_point(std::string(direction(to_device)) + (use_pinned ? " pinned " : " pageable ") +
                           std::to_string(bytes)))
      continue;
    measure_copy(bench, use_pinned, to_device, device, use_pinned ? pinned.data() : pageable.data(), bytes);
  }
  for (std::size_t bytes : {std::size_t{64}, std::size_t{64} << 10, std::size_t{1} << 20})
    for (bool to_device : {true, false})
      if (bench.begin_point("copy and wait " + std::to_string(bytes)))
        measure_round_trip(bench, to_device, device, pinned.data(), bytes);
  if (bench.begin_point("both ways")) measure_both_ways(bench, device, pinned.data(), largest / 2);
  for (int passes : {1, 16, 64})
    for (int streams : {1, 3})
      if (bench.begin_point("pipeline of " + std::to_string(passes) + " kernels"))
        measure_pipeline(bench, streams, passes, device, pinned.data());
}

}  // namespace gpubench
