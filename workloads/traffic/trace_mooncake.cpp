// JSON lines with hashed prompt blocks. Mooncake: timestamp in ms (the published traces come in batches of
// about 3 s), blocks of 512 tokens. Qwen-Bailian: timestamp in s, blocks of 16 tokens, told by its chat_id.
#include <cmath>

#include "hwmodels/json/problem.h"
#include "hwmodels/json/value.h"
#include "workloads/traffic/trace_format.h"

namespace gpuplan {

namespace {

json::Value parse_line(std::string_view line) {
  try {
    return json::parse(line, "");
  } catch (const InputError& error) {
    throw LineError{error.problems().front().found, "one JSON object a line", ""};
  }
}

double number(const json::Value& line, std::string_view key) {
  const json::Value* value = line.find(key);
  if (value == nullptr || !value->is_number() || !(std::abs(value->number()) <= kLargestNumber)) {
    throw LineError{std::string(key) + " " + (value == nullptr ? "missing" : json::excerpt(*value)),
                    "a number", ""};
  }
  return value->number();
}

std::int32_t tokens(const json::Value& line, std::string_view key) {
  const double value = number(line, key);
  if (!(value >= 0 && value <= 1e9) || value != std::nearbyint(value)) {
    throw LineError{std::string(key) + " " + json::excerpt(*line.find(key)),
                    "a whole number of tokens, 0 to 1e9", ""};
  }
  return static_cast<std::int32_t>(value);
}

class Mooncake final : public TraceFormat {
 public:
  explicit Mooncake(bool qwen) : qwen_(qwen) {}

  void read(std::string_view text, Request& request) override {
    const json::Value line = parse_line(text);
    if (!line.is_object()) {
      throw LineError{json::excerpt(line), "one JSON object a line", ""};
    }
    const double time = number(line, "timestamp");
    request.arrival = Seconds(qwen_ ? time : time / 1000);
    request.prompt_tokens = tokens(line, "input_length");
    request.output_tokens = tokens(line, "output_length");
    blocks_.clear();
    const json::Value* ids = line.find("hash_ids");
    if (ids == nullptr) {
      return;
    }
    if (!ids->is_array()) {
      throw LineError{"hash_ids " + json::excerpt(*ids), "an array of whole numbers", ""};
    }
    for (const json::Value& id : ids->array()) {
      if (!id.is_integer()) {
        throw LineError{"hash id " + json::excerpt(id), "a whole number", ""};
      }
      blocks_.push_back(static_cast<std::uint64_t>(id.integer()));
    }
  }
  [[nodiscard]] bool has_arrivals() const override { return true; }
  [[nodiscard]] std::string_view name() const override {
    return qwen_ ? "Qwen-Bailian JSON lines" : "Mooncake JSON lines";
  }
  [[nodiscard]] std::span<const std::uint64_t> prefix_blocks() const override { return blocks_; }
  [[nodiscard]] int block_tokens() const override { return qwen_ ? 16 : 512; }

 private:
  bool qwen_;
  std::vector<std::uint64_t> blocks_;
};

}  // namespace

std::unique_ptr<TraceFormat> mooncake_format(std::string_view first_line) {
  const json::Value line = parse_line(first_line);
  if (line.find("input_length") == nullptr || line.find("output_length") == nullptr) {
    return nullptr;
  }
  return std::make_unique<Mooncake>(line.find("chat_id") != nullptr);
}

}  // namespace gpuplan
