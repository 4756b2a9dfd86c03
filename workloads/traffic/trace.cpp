#include "workloads/traffic/trace.h"

#include <cctype>
#include <filesystem>
#include <fstream>
#include <utility>

#include "hwmodels/json/problem.h"
#include "workloads/traffic/trace_format.h"

namespace gpuplan {

namespace {

class Trace final : public TraceReader {
 public:
  Trace(std::unique_ptr<std::istream> in, const std::string& name) : in_(std::move(in)), lines_(*in_, name) {
    std::string_view first;
    if (!lines_.next(first)) {
      throw InputError(Problem{name, "an empty file", "a trace of requests", ""});
    }
    try {
      recognise(first);
    } catch (const LineError& error) {
      lines_.fail(error);
    }
    // One request ahead, so that a trace without any is refused at once.
    if (!first_ready_ && !read_next()) {
      throw InputError(Problem{name,
                               skipped_ > 0 ? "only requests of no prompt or output tokens" : "no requests",
                               "at least one request", ""});
    }
    first_ready_ = true;
    first_arrival_ = ahead_.arrival;
    last_arrival_ = ahead_.arrival;
  }

  bool next(Request& request) override {
    if (!std::exchange(first_ready_, false) && !read_next()) {
      return false;
    }
    request = ahead_;
    if (!has_arrivals()) {
      request.arrival = Seconds(0);
      return true;
    }
    if (request.arrival < last_arrival_) {
      lines_.fail({"an arrival " + std::to_string((last_arrival_ - request.arrival).si()) +
                       " s before the one above it",
                   "arrivals that do not fall", "sort the trace by arrival"});
    }
    last_arrival_ = request.arrival;
    request.arrival -= first_arrival_;
    return true;
  }

  [[nodiscard]] bool has_arrivals() const override { return format_->has_arrivals(); }
  [[nodiscard]] std::string_view format() const override { return format_->name(); }
  [[nodiscard]] std::int64_t skipped() const override { return skipped_; }
  [[nodiscard]] std::span<const std::uint64_t> prefix_blocks() const override {
    return format_->prefix_blocks();
  }
  [[nodiscard]] int block_tokens() const override { return format_->block_tokens(); }

 private:
  void recognise(std::string_view first) {
    if (trimmed(first).front() == '{') {
      format_ = mooncake_format(first);
      first_ready_ = format_ != nullptr && read(first);
    } else {
      std::vector<std::string_view> header;
      std::string unquoted;
      split_csv(first, header, unquoted);
      for (const auto& make : {azure_format, burstgpt_format, plain_csv_format}) {
        format_ = format_ == nullptr ? make(header) : std::move(format_);
      }
    }
    if (format_ == nullptr) {
      throw LineError{quoted(first),
                      "the header of a CSV trace that names prompt and output tokens (such as "
                      "TIMESTAMP,ContextTokens,GeneratedTokens or "
                      "arrived_at,num_prefill_tokens,num_decode_tokens), or JSON lines with "
                      "timestamp, input_length and output_length",
                      ""};
    }
  }

  // False when the line's request is one to skip.
  bool read(std::string_view line) {
    ahead_ = Request{};
    format_->read(line, ahead_);
    if (ahead_.prompt_tokens == 0 || ahead_.output_tokens == 0) {
      ++skipped_;
      return false;
    }
    return true;
  }

  bool read_next() {
    std::string_view line;
    while (lines_.next(line)) {
      try {
        if (read(line)) {
          return true;
        }
      } catch (const LineError& error) {
        lines_.fail(error);
      }
    }
    return false;
  }

  std::unique_ptr<std::istream> in_;
  LineReader lines_;
  std::unique_ptr<TraceFormat> format_;
  Request ahead_;
  bool first_ready_ = false;
  Seconds first_arrival_{0};
  Seconds last_arrival_{0};
  std::int64_t skipped_ = 0;
};

}  // namespace

std::size_t find_column(std::span<const std::string_view> header,
                        std::initializer_list<std::string_view> names) {
  for (const std::string_view name : names) {
    for (std::size_t i = 0; i < header.size(); ++i) {
      if (plain_name(header[i]) == plain_name(name)) {
        return i;
      }
    }
  }
  return kNoColumn;
}

void CsvRow::split(std::string_view line) {
  split_csv(line, fields_, unquoted_);
  if (fields_.size() != columns_) {
    throw LineError{std::to_string(fields_.size()) + " fields in " + quoted(line),
                    std::to_string(columns_) + " fields, as in the header", ""};
  }
}

std::unique_ptr<TraceReader> open_trace(std::unique_ptr<std::istream> in, const std::string& name) {
  return std::make_unique<Trace>(std::move(in), name);
}

std::unique_ptr<TraceReader> open_trace(const std::string& path) {
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) {
    throw InputError(Problem{path, "a directory", "a trace file", ""});
  }
  auto file = std::make_unique<std::ifstream>(path, std::ios::binary);
  if (!*file) {
    throw InputError(
        Problem{path, std::filesystem::exists(path, error) ? "a file that cannot be opened" : "no file",
                "a trace file", ""});
  }
  return open_trace(std::move(file), path);
}

}  // namespace gpuplan
