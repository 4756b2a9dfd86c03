// A trace format: how one line becomes a request. trace.cpp does what all formats share.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "workloads/traffic/lines.h"
#include "workloads/traffic/request.h"

namespace gpuplan {

class TraceFormat {
 public:
  virtual ~TraceFormat() = default;
  // Reads a line into `request`, arrival counted from any origin. LineError when it cannot.
  virtual void read(std::string_view line, Request& request) = 0;
  [[nodiscard]] virtual bool has_arrivals() const = 0;  // settled by the first line read
  [[nodiscard]] virtual std::string_view name() const = 0;
  [[nodiscard]] virtual std::span<const std::uint64_t> prefix_blocks() const { return {}; }
  [[nodiscard]] virtual int block_tokens() const { return 0; }
};

// Each returns null when the first line (a CSV header, split; or a line of JSON) is not its own.
std::unique_ptr<TraceFormat> azure_format(std::span<const std::string_view> header);
std::unique_ptr<TraceFormat> burstgpt_format(std::span<const std::string_view> header);
std::unique_ptr<TraceFormat> plain_csv_format(std::span<const std::string_view> header);
std::unique_ptr<TraceFormat> mooncake_format(std::string_view first_line);

// Columns of a CSV by name: letter case, blanks, '_' and '-' make no difference.
constexpr std::size_t kNoColumn = static_cast<std::size_t>(-1);
std::size_t find_column(std::span<const std::string_view> header,
                        std::initializer_list<std::string_view> names);

// Splits lines of a known number of fields.
class CsvRow {
 public:
  explicit CsvRow(std::size_t columns) : columns_(columns) {}
  // LineError when the line has fewer or more fields than the header.
  void split(std::string_view line);
  std::string_view operator[](std::size_t column) const { return fields_[column]; }

 private:
  std::size_t columns_;
  std::vector<std::string_view> fields_;
  std::string unquoted_;
};

}  // namespace gpuplan
