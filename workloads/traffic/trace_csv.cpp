// Plain CSV: a header that names at least prompt and output tokens, in one of the usual ways; arrivals in
// seconds, priority and session where there are such columns; further columns are ignored.
#include "workloads/traffic/trace_format.h"

namespace gpuplan {

namespace {

class PlainCsv final : public TraceFormat {
 public:
  explicit PlainCsv(std::span<const std::string_view> header)
      : row_(header.size()),
        time_(find_column(header, {"arrived_at", "arrival_s", "arrival", "arrival_time", "arrival_time_s",
                                   "arrival_timestamp", "timestamp", "time", "time_s"})),
        prompt_(find_column(header, {"num_prefill_tokens", "prompt_tokens", "input_tokens", "input_length",
                                     "prompt_length", "prompt_len", "input_len", "prompt_size"})),
        output_(find_column(header, {"num_decode_tokens", "output_tokens", "generated_tokens",
                                     "output_length", "completion_tokens", "output_len", "token_size"})),
        priority_(find_column(header, {"priority"})),
        session_(find_column(header, {"session", "session_id"})) {}
  [[nodiscard]] bool complete() const { return prompt_ != kNoColumn && output_ != kNoColumn; }

  void read(std::string_view line, Request& request) override {
    row_.split(line);
    if (time_ != kNoColumn) {
      request.arrival = Seconds(parse_number(row_[time_], "arrival"));
    }
    request.prompt_tokens = parse_tokens(row_[prompt_], "prompt tokens");
    request.output_tokens = parse_tokens(row_[output_], "output tokens");
    if (priority_ != kNoColumn) {
      request.priority = parse_tokens(row_[priority_], "priority");
    }
    if (session_ != kNoColumn) {
      request.session = static_cast<std::uint32_t>(parse_tokens(row_[session_], "session"));
    }
  }
  [[nodiscard]] bool has_arrivals() const override { return time_ != kNoColumn; }
  [[nodiscard]] std::string_view name() const override { return "CSV"; }

 private:
  CsvRow row_;
  std::size_t time_;
  std::size_t prompt_;
  std::size_t output_;
  std::size_t priority_;
  std::size_t session_;
};

}  // namespace

std::unique_ptr<TraceFormat> plain_csv_format(std::span<const std::string_view> header) {
  auto format = std::make_unique<PlainCsv>(header);
  return format->complete() ? std::move(format) : nullptr;
}

}  // namespace gpuplan
