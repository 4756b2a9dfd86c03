// BurstGPT: Timestamp (s), [Session ID, Elapsed time,] Model, Request tokens, Response tokens, Total tokens,
// Log Type. A response of 0 tokens is a failed request.
#include "workloads/traffic/trace_format.h"

namespace gpuplan {

namespace {

class BurstGpt final : public TraceFormat {
 public:
  explicit BurstGpt(std::span<const std::string_view> header)
      : row_(header.size()),
        time_(find_column(header, {"Timestamp"})),
        session_(find_column(header, {"Session ID"})),
        prompt_(find_column(header, {"Request tokens"})),
        output_(find_column(header, {"Response tokens"})) {}
  [[nodiscard]] bool complete() const {
    return time_ != kNoColumn && prompt_ != kNoColumn && output_ != kNoColumn;
  }

  void read(std::string_view line, Request& request) override {
    row_.split(line);
    request.arrival = Seconds(parse_number(row_[time_], "Timestamp"));
    request.prompt_tokens = parse_tokens(row_[prompt_], "Request tokens");
    request.output_tokens = parse_tokens(row_[output_], "Response tokens");
    if (session_ != kNoColumn && !row_[session_].empty()) {
      request.session = static_cast<std::uint32_t>(parse_tokens(row_[session_], "Session ID"));
    }
  }
  [[nodiscard]] bool has_arrivals() const override { return true; }
  [[nodiscard]] std::string_view name() const override { return "BurstGPT CSV"; }

 private:
  CsvRow row_;
  std::size_t time_;
  std::size_t session_;
  std::size_t prompt_;
  std::size_t output_;
};

}  // namespace

std::unique_ptr<TraceFormat> burstgpt_format(std::span<const std::string_view> header) {
  auto format = std::make_unique<BurstGpt>(header);
  return format->complete() ? std::move(format) : nullptr;
}

}  // namespace gpuplan
