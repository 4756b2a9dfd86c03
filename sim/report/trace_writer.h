// Timeline of a serving run as Chrome trace JSON (opens in Perfetto and chrome://tracing): one process per
// replica with a lane for steps and one for copies, counters for running, waiting and KV blocks, and requests
// as async slices (queued, prefill, decode). Times in microseconds.
#pragma once

#include <cstdio>
#include <string>

#include "sim/serving/observer.h"

namespace gpuplan::sim {

class ChromeTraceWriter final : public ServingObserver {
 public:
  // Opens `path` for writing; InputError where it cannot be.
  ChromeTraceWriter(std::string path, int replicas, const std::string& title);
  ~ChromeTraceWriter() override;
  ChromeTraceWriter(const ChromeTraceWriter&) = delete;
  ChromeTraceWriter& operator=(const ChromeTraceWriter&) = delete;

  void on_step(const StepRecord& step) override;
  void on_finish(const RequestRecord& request) override;
  // Completes the file. InputError where the disk was full at any time.
  void close();

 private:
  void write(const std::string& event);

  std::string path_;
  std::FILE* file_ = nullptr;
  bool first_ = true;
  bool failed_ = false;
  int error_ = 0;
};

}  // namespace gpuplan::sim
