#include <algorithm>
#include <cmath>

#include "bench.h"

namespace gpubench {

namespace {

int attribute(cudaDeviceAttr which, int device) {
  int value = 0;
  CUDA_CHECK(cudaDeviceGetAttribute(&value, which, device));
  return value;
}

std::string version_text(int version) {  // 13020 is 13.2
  return std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
}

}  // namespace

Bench::Bench(const Options& options, Report& report, Budget& budget)
    : quick(options.quick), report_(report), budget_(budget) {
  CUDA_CHECK(cudaSetDevice(options.device));
  cudaDeviceProp properties{};
  CUDA_CHECK(cudaGetDeviceProperties(&properties, options.device));
  device.number = options.device;
  device.sm_count = properties.multiProcessorCount;
  device.capability = properties.major * 10 + properties.minor;
  device.threads_per_sm = properties.maxThreadsPerMultiProcessor;
  device.l2_bytes = std::max(properties.l2CacheSize, 1 << 20);
  device.shared_bytes_per_sm = static_cast<int>(properties.sharedMemPerMultiprocessor);
  device.shared_bytes_per_block = static_cast<int>(properties.sharedMemPerBlockOptin);
  device.shared_bytes_reserved = static_cast<int>(properties.reservedSharedMemPerBlock);
  stream_ = std::make_unique<Stream>();

  char bus_id[32] = "";
  CUDA_CHECK(cudaDeviceGetPCIBusId(bus_id, sizeof bus_id, options.device));
  sensors_ = std::make_unique<Sensors>(bus_id);

  // 12 GB are enough for every point of the full grid; what does not fit is noted as such.
  std::size_t free_bytes = 0, total_bytes = 0;
  CUDA_CHECK(cudaMemGetInfo(&free_bytes, &total_bytes));
  arena_bytes_ = std::min<std::size_t>(free_bytes / 10 * 8, std::size_t{12} << 30) / 4096 * 4096;
  void* arena = nullptr;
  CUDA_CHECK(cudaMalloc(&arena, arena_bytes_));
  arena_ = static_cast<char*>(arena);
  CUDA_CHECK(cudaMemset(arena_, 0, arena_bytes_));
  CUDA_CHECK(cudaDeviceSynchronize());  // our stream does not wait for this by itself

  int device_count = 0, driver = 0, runtime = 0;
  CUDA_CHECK(cudaGetDeviceCount(&device_count));
  CUDA_CHECK(cudaDriverGetVersion(&driver));
  CUDA_CHECK(cudaRuntimeGetVersion(&runtime));
  report.device.add("name", properties.name)
      .add("capability", std::to_string(properties.major) + "." + std::to_string(properties.minor))
      .add("sm_count", device.sm_count)
      .add("memory_bytes", total_bytes)
      .add("memory_bytes_free", free_bytes)
      .add("memory_bus_bits", properties.memoryBusWidth)
      .add("l2_bytes", device.l2_bytes)
      .add("shared_bytes_per_sm", device.shared_bytes_per_sm)
      .add("shared_bytes_per_block", device.shared_bytes_per_block)
      .add("registers_per_sm", properties.regsPerMultiprocessor)
      .add("threads_per_sm", device.threads_per_sm)
      .add("blocks_per_sm", properties.maxBlocksPerMultiProcessor)
      .add("ecc", properties.ECCEnabled != 0)
      .add("copy_engines", properties.asyncEngineCount)
      .add("sm_clock_hz_rated", attribute(cudaDevAttrClockRate, options.device) * 1e3)
      .add("memory_clock_hz_rated", attribute(cudaDevAttrMemoryClockRate, options.device) * 1e3)
      .add("visible_gpus", device_count)
      .add("work_memory_bytes", arena_bytes_);
  report.software.add("driver", sensors_->driver())
      .add("driver_cuda", version_text(driver))
      .add("runtime_cuda", version_text(runtime));
  report.sensors = sensors_->limits();
}

Bench::~Bench() { cudaFree(arena_); }

bool Bench::begin_point(const std::string& label) {
  if (!budget_.has_time()) {
    section().cut.push_back(label);
    return false;
  }
  ++section().points;
  return true;
}

void Bench::unsupported(const std::string& label, const std::string& why) {
  section().unsupported.push_back(label + ": " + why);
}

void Bench::emit(const std::string& bench, const Fields& params, const std::string& unit,
                 const std::vector<double>& samples) {
  report_.records.push_back({bench, params, unit, summarise(samples)});
}

void Bench::check(const std::string& name, const std::vector<double>& value,
                  const std::vector<double>& reference, double limit) {
  report_.checks.push_back({name, relative_error(value, reference), limit});
}

int Bench::sample_count(double seconds_per_sample) const {
  const double point_s = quick ? 0.15 : 0.4;
  const int most = quick ? 15 : 31;
  return std::clamp(static_cast<int>(point_s / std::max(seconds_per_sample, 1e-6)), 3, most);
}

std::vector<double> Bench::time_samples(const std::function<void()>& sample, int samples) {
  std::vector<Event> marks(static_cast<std::size_t>(samples) + 1);
  sample();  // the first sample is warm-up and fills the queue
  marks[0].record(*stream_);
  for (int i = 0; i < samples; ++i) {
    sample();
    marks[static_cast<std::size_t>(i) + 1].record(*stream_);
  }
  stream_->wait();
  std::vector<double> seconds;
  for (std::size_t i = 0; i + 1 < marks.size(); ++i)
    seconds.push_back(seconds_between(marks[i], marks[i + 1]));
  return seconds;
}

std::vector<double> Bench::time(const Launch& launch, int rotation) {
  constexpr int units_most = 512;
  const double sample_s = quick ? 0.4e-3 : 1e-3;
  launch(*stream_, 0);  // loads the module
  stream_->wait();
  const Event start, stop;
  start.record(*stream_);
  for (int turn = 0; turn < 3; ++turn) launch(*stream_, turn % rotation);
  stop.record(*stream_);
  stream_->wait();
  const double unit_s = std::max(seconds_between(start, stop) / 3, 1e-6);

  const int units =
      std::clamp(std::max(static_cast<int>(std::ceil(sample_s / unit_s)), rotation), 1, units_most);
  std::vector<double> seconds;
  if (units == 1) {
    int turn = 0;
    seconds = time_samples([&] { launch(*stream_, turn++ % rotation); }, sample_count(unit_s));
  } else {
    const Graph graph(*stream_, [&](cudaStream_t stream) {
      for (int turn = 0; turn < units; ++turn) launch(stream, turn % rotation);
    });
    seconds = time_samples([&] { graph.launch(*stream_); }, sample_count(unit_s * units));
  }
  for (double& s : seconds) s /= units;
  return seconds;
}

std::vector<double> Bench::time_in_stream(const Launch& launch, int per_sample) {
  launch(*stream_, 0);
  stream_->wait();
  const Event start, stop;
  start.record(*stream_);
  for (int turn = 0; turn < per_sample; ++turn) launch(*stream_, turn);
  stop.record(*stream_);
  stream_->wait();
  const int samples = sample_count(seconds_between(start, stop));
  std::vector<double> seconds = time_samples(
      [&] {
        for (int turn = 0; turn < per_sample; ++turn) launch(*stream_, turn);
      },
      samples);
  for (double& s : seconds) s /= per_sample;
  return seconds;
}

}  // namespace gpubench
