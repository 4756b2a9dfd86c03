// What every section works with: the device, its memory, timing, and where results go.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "../host/budget.h"
#include "../host/options.h"
#include "../host/report.h"
#include "raii.h"
#include "sensors.h"

namespace gpubench {

struct Device {
  int number = 0;
  int sm_count = 0;
  int capability = 0;  // 90 for 9.0
  int threads_per_sm = 0;
  std::int64_t l2_bytes = 0;
  int shared_bytes_per_sm = 0;
  int shared_bytes_per_block = 0;  // with opt-in
  int shared_bytes_reserved = 0;   // of every block, by the system
};

// Enqueues one unit of work; `turn` counts 0, 1, ... and says which of the rotating buffers to use.
using Launch = std::function<void(cudaStream_t stream, int turn)>;

class Bench {
 public:
  Bench(const Options& options, Report& report, Budget& budget);
  ~Bench();
  Bench(const Bench&) = delete;
  Bench& operator=(const Bench&) = delete;

  const bool quick;
  Device device;
  Region memory() const { return {arena_, arena_bytes_}; }  // the whole arena; sections use it in turn
  std::size_t memory_bytes() const { return arena_bytes_; }
  const Stream& stream() const { return *stream_; }
  const Sensors& sensors() const { return *sensors_; }

  // Says whether there is time for one more point of the section; if not, notes it as cut.
  bool begin_point(const std::string& label);
  bool has_time() const { return budget_.has_time(); }
  void unsupported(const std::string& label, const std::string& why);
  void skip_section(const std::string& why) { section().skipped = why; }
  void emit(const std::string& bench, const Fields& params, const std::string& unit,
            const std::vector<double>& samples);
  void check(const std::string& name, const std::vector<double>& value, const std::vector<double>& reference,
             double limit);

  // Seconds per unit of work, one value per sample. Short work is repeated inside a CUDA graph, at least
  // `rotation` times (so that rotating buffers are all used), until a sample is long enough; long work is
  // timed by itself. All samples are enqueued before any is waited for: the GPU never idles between them.
  std::vector<double> time(const Launch& launch, int rotation = 1);
  // The same without a graph, `per_sample` units a sample: for copies and for what a graph would change.
  std::vector<double> time_in_stream(const Launch& launch, int per_sample);

 private:
  SectionResult& section() { return report_.sections.back(); }
  int sample_count(double seconds_per_sample) const;
  std::vector<double> time_samples(const std::function<void()>& sample, int samples);

  Report& report_;
  Budget& budget_;
  std::unique_ptr<Stream> stream_;
  std::unique_ptr<Sensors> sensors_;
  char* arena_ = nullptr;
  std::size_t arena_bytes_ = 0;
};

// One part of the suite.
struct Section {
  const char* name;
  double weight;                // share of the time
  const char* what;             // one line for --list
  void (*check)(Bench& bench);  // compares with CPU references; may be null
  void (*measure)(Bench& bench);
};

const std::vector<Section>& all_sections();

}  // namespace gpubench
