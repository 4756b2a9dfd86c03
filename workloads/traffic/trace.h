// Request traces, read line by line in constant memory; the format is told by the content:
//   Azure      CSV  TIMESTAMP,ContextTokens,GeneratedTokens        (trace_azure.cpp)
//   BurstGPT   CSV  Timestamp,...,Request tokens,Response tokens   (trace_burstgpt.cpp)
//   Mooncake   JSON lines with timestamp (ms) and hash_ids; Qwen-Bailian likewise in s (trace_mooncake.cpp)
//   plain      CSV  a header that names prompt and output tokens, and arrivals or not (trace_csv.cpp)
// Requests of no prompt or no output tokens (failed ones, in BurstGPT) are skipped and counted. Arrivals are
// shifted so that the first is 0; equal ones are fine, falling ones are an error that names the line.
#pragma once

#include <cstdint>
#include <istream>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "workloads/traffic/request.h"

namespace gpuplan {

class TraceReader {
 public:
  virtual ~TraceReader() = default;
  // False at the end. InputError with "file:line" for what cannot be read.
  virtual bool next(Request& request) = 0;
  [[nodiscard]] virtual bool has_arrivals() const = 0;  // false: lengths only, and all arrivals are 0
  [[nodiscard]] virtual std::string_view format() const = 0;
  [[nodiscard]] virtual std::int64_t skipped() const = 0;  // so far
  // Ids of the last request's prompt blocks of block_tokens() tokens; equal leading ids are equal text. Empty
  // where the format has none; valid until the next call.
  [[nodiscard]] virtual std::span<const std::uint64_t> prefix_blocks() const = 0;
  [[nodiscard]] virtual int block_tokens() const = 0;
};

// InputError when the file cannot be read, its format is not known, or it has no requests.
std::unique_ptr<TraceReader> open_trace(const std::string& path);
// The same over a stream; `name` stands for the file in messages.
std::unique_ptr<TraceReader> open_trace(std::unique_ptr<std::istream> in, const std::string& name);

}  // namespace gpuplan
