// Contention: what a kernel or copy loses when another runs beside it all the time. Subjects and rivals: a
// large GEMM (compute), a GEMM of few rows (HBM), a copy in HBM on few or all SMs, the SM-resident step of an
// all-reduce (two streams in, one out) on few SMs, and a copy from the host (copy engine).
#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>

#include "../device/formats.h"
#include "../device/gemm.h"
#include "../host/arithmetic.h"
#include "../kernels/memory.cuh"
#include "sections.h"

namespace gpubench {

namespace {

struct Actor {
  std::string name;
  bool urgent;  // high stream priority, as communication has
  std::function<void(cudaStream_t)> run;
  std::vector<double> alone;  // seconds per unit
};

double median(const std::vector<double>& seconds) { return summarise(seconds).median; }

int units_for(double seconds, double unit_s) {
  return std::clamp(static_cast<int>(std::ceil(seconds / unit_s)), 1, 400);  // fits in a stream's queue
}

// Seconds per unit of `subject`, alone or while `rival` runs all the time. Empty where the rival was through
// first whatever was tried: the subject had to wait for it.
std::vector<double> measure_beside(const Actor& subject, const Actor* rival, int samples) {
  constexpr double sample_s = 5e-3, rival_s_most = 0.2;
  int least = 0, greatest = 0;
  CUDA_CHECK(cudaDeviceGetStreamPriorityRange(&least, &greatest));
  const Stream subject_stream(subject.urgent ? greatest : least);
  const Stream rival_stream(rival && rival->urgent ? greatest : least);
  const Event start, stop, rival_started, rival_ended;
  subject.run(subject_stream);
  if (rival) rival->run(rival_stream);
  subject_stream.wait();
  rival_stream.wait();

  const int units = subject.alone.empty() ? 4 : units_for(sample_s, median(subject.alone));
  double rival_s = subject.alone.empty() ? 0 : 4 * std::max(sample_s, units * median(subject.alone));
  std::vector<double> seconds;
  for (int tries_left = samples + 4; tries_left > 0 && static_cast<int>(seconds.size()) < samples;
       --tries_left) {
    if (rival) {
      rival->run(rival_stream);
      rival_started.record(rival_stream);
      for (int i = units_for(rival_s, median(rival->alone)); i > 0; --i) rival->run(rival_stream);
      rival_ended.record(rival_stream);
      rival_started.wait();  // from here on it has work queued
    }
    start.record(subject_stream);
    for (int i = 0; i < units; ++i) subject.run(subject_stream);
    stop.record(subject_stream);
    stop.wait();
    const bool rival_outlasted = !rival || !rival_ended.reached();
    rival_stream.wait();
    if (rival_outlasted) {
      seconds.push_back(seconds_between(start, stop) / units);
    } else {
      rival_s = std::min(2 * rival_s, rival_s_most);
    }
  }
  return static_cast<int>(seconds.size()) < samples ? std::vector<double>{} : seconds;
}

// Kernels of few blocks move less, so that each takes some half a millisecond.
constexpr unsigned copy_threads = 512;
std::int64_t moved_bytes(unsigned blocks) {
  return std::min<std::int64_t>(std::int64_t{1} << 30, std::int64_t{blocks} << 25);
}

Actor copy_actor(Bench& bench, Region& memory, const char* name, unsigned blocks) {
  const auto count = static_cast<unsigned>(moved_bytes(blocks) / 32);
  const unsigned threads = blocks * copy_threads, step = walk_step(count, threads),
                 rounds = count / (4 * threads) + 1;
  uint4* source = memory.take<uint4>(count);
  uint4* target = memory.take<uint4>(count);
  unsigned* sink = memory.take<unsigned>(threads);
  fill(source, Format::bf16, std::size_t{count} * 8, Filling::normal, blocks, bench.stream());
  return {name,
          false,
          [=](cudaStream_t stream) {
            gpubench::stream<Traffic::copy>
                <<<blocks, copy_threads, 0, stream>>>(source, target, count, step, rounds, false, sink);
            LAUNCH_CHECK();
          },
          {}};
}

Actor reduce_actor(Bench& bench, Region& memory, const char* name, unsigned blocks) {
  const auto count = static_cast<unsigned>(moved_bytes(blocks) / 48);
  auto* a = memory.take<float4>(count);
  auto* b = memory.take<float4>(count);
  auto* out = memory.take<float4>(count);
  fill(a, Format::fp32, std::size_t{count} * 4, Filling::normal, 1, bench.stream());
  fill(b, Format::fp32, std::size_t{count} * 4, Filling::normal, 2, bench.stream());
  return {name,
          true,
          [=](cudaStream_t stream) {
            reduce_copy<<<blocks, copy_threads, 0, stream>>>(a, b, out, count, 1);
            LAUNCH_CHECK();
          },
          {}};
}

Actor gemm_actor(Bench& bench, Region& memory, const char* name, int m, int n, int k) {
  const auto elements = [](int rows, int cols) { return static_cast<std::size_t>(rows) * cols; };
  void* workspace = memory.take<char>(gemm_workspace_bytes);
  void* x = memory.take<char>(2 * elements(m, k));
  void* w = memory.take<char>(2 * elements(n, k));
  void* y = memory.take<char>(2 * elements(m, n));
  fill(x, Format::bf16, elements(m, k), Filling::normal, 1, bench.stream());
  fill(w, Format::bf16, elements(n, k), Filling::normal, 2, bench.stream());
  const auto gemm = std::make_shared<Gemm>(Format::bf16, m, n, k, workspace);
  if (!gemm->usable()) throw GpuError(std::string(name) + ": " + gemm->reason());
  return {name, false, [=](cudaStream_t stream) { gemm->launch(stream, x, w, y); }, {}};
}

}  // namespace

void check_overlap(Bench& bench) {
  Region memory = bench.memory();
  const unsigned count = 1001;
  std::vector<float> a(4 * count), b(4 * count);
  Random random(4);
  for (float& value : a) value = random.uniform();
  for (float& value : b) value = random.uniform();
  const auto* da = reinterpret_cast<const float4*>(memory.put(a));
  const auto* db = reinterpret_cast<const float4*>(memory.put(b));
  float* out = memory.take<float>(4 * count);
  CUDA_CHECK(cudaMemsetAsync(out, 0xff, 16 * count, bench.stream()));  // NaN
  reduce_copy<<<3, 512, 0, bench.stream()>>>(da, db, reinterpret_cast<float4*>(out), count, 2);
  LAUNCH_CHECK();
  std::vector<double> got, expected;
  for (float value : fetched(out, 4 * count)) got.push_back(static_cast<double>(value));
  for (std::size_t i = 0; i < a.size(); ++i) expected.push_back(static_cast<double>(a[i] + b[i]));
  bench.check("overlap reduce_copy", got, expected, 0);
}

void measure_overlap(Bench& bench) {
  Region memory = bench.memory();
  const std::size_t host_bytes = 32 << 20;
  const PinnedBytes host(host_bytes);
  std::memset(host.data(), 1, host_bytes);
  char* landing = memory.take<char>(host_bytes);
  const auto sms = static_cast<unsigned>(bench.device.sm_count);

  std::vector<Actor> actors;
  const std::size_t kernels = Gemm::available() ? 2 : 0;  // the first actors are GEMMs
  if (Gemm::available()) {
    actors.push_back(gemm_actor(bench, memory, "gemm 8192x8192x4096", 8192, 8192, 4096));
    actors.push_back(gemm_actor(bench, memory, "gemm 64x28672x8192", 64, 28672, 8192));
  } else {
    bench.unsupported("gemm", "built without cuBLASLt");
  }
  actors.push_back(reduce_actor(bench, memory, "all_reduce_like 16 blocks", 16));
  actors.push_back(copy_actor(bench, memory, "hbm_copy all SMs", 2 * sms));
  actors.push_back({"host_to_device copy",
                    false,
                    [=, &host](cudaStream_t stream) {
                      CUDA_CHECK(
                          cudaMemcpyAsync(landing, host.data(), host_bytes, cudaMemcpyHostToDevice, stream));
                    },
                    {}});
  actors.push_back(reduce_actor(bench, memory, "all_reduce_like 32 blocks", 32));
  actors.push_back(copy_actor(bench, memory, "hbm_copy 16 blocks", 16));
  if (!bench.quick) {
    actors.push_back(reduce_actor(bench, memory, "all_reduce_like 8 blocks", 8));
    actors.push_back(copy_actor(bench, memory, "hbm_copy 32 blocks", 32));
  }
  bench.stream().wait();

  const int samples = bench.quick ? 5 : 9;
  for (Actor& actor : actors) {
    if (!bench.begin_point(actor.name + " alone")) return;
    actor.alone = measure_beside(actor, nullptr, samples);
    bench.emit("overlap", Fields().add("subject", actor.name).add("beside", "nothing"), "s", actor.alone);
  }
  const auto pair = [&](const Actor& subject, const Actor& rival) {
    const std::string label = subject.name + " beside " + rival.name;
    if (!bench.begin_point(label)) return;
    const auto seconds = measure_beside(subject, &rival, samples);
    if (seconds.empty()) return bench.unsupported(label, "had to wait until the other was through");
    const Fields params = Fields().add("subject", subject.name).add("beside", rival.name);
    bench.emit("overlap", params, "s", seconds);
    std::vector<double> slowdown;
    for (double s : seconds) slowdown.push_back(s / median(subject.alone));
    bench.emit("overlap_slowdown", params, "ratio", slowdown);
  };
  for (std::size_t i = kernels; i < actors.size(); ++i)
    for (std::size_t kernel = 0; kernel < kernels; ++kernel) {
      pair(actors[kernel], actors[i]);
      pair(actors[i], actors[kernel]);
    }
  // Copy engine and kernels that only move data.
  const Actor &reduce = actors[kernels], &copy = actors[kernels + 1], &host_copy = actors[kernels + 2];
  pair(copy, host_copy);
  pair(host_copy, copy);
  pair(copy, reduce);
  pair(reduce, copy);
}

}  // namespace gpubench
