// Our own format, one measurement a line (measurement.h).
#include <fmt/format.h>

#include "calibrate/import/readers.h"
#include "calibrate/import/text.h"

namespace gpuplan::calibrate {

namespace {

bool is_row(std::string_view line) {
  const std::string_view text = trimmed(line);
  return !text.empty() && !text.starts_with('#');
}

Measurement measurement_of(const json::Value& line, const std::string& where) {
  std::vector<Problem> problems;
  const auto problem = [&](std::string_view name, const json::Value* found, const std::string& expected) {
    problems.push_back({where + " $." + std::string(name),
                        found == nullptr ? "nothing" : json::excerpt(*found), expected, ""});
  };
  const auto text = [&](std::string_view name) -> std::string {
    const json::Value* found = line.find(name);
    if (found == nullptr || !found->is_string() || found->string().empty()) {
      problem(name, found, "a string that is not empty");
      return "";
    }
    return found->string();
  };
  Measurement m;
  m.where = where + " $.shape";
  m.id = text("id");
  m.source = text("source");
  m.gpu = text("gpu");
  m.family = text("family");
  m.unit = text("unit");
  const json::Value* shape = line.find("shape");
  if (shape == nullptr || !shape->is_object()) {
    problem("shape", shape, "an object");
  } else {
    m.shape = *shape;
  }
  const json::Value* value = line.find("value");
  if (value == nullptr || !value->is_number() || !(value->number() > 0.0)) {
    problem("value", value, "a number > 0");
  } else {
    m.value = value->number();
  }
  const json::Value* spread = line.find("spread");
  if (spread != nullptr) {
    const bool pair = spread->is_array() && spread->array().size() == 2;
    m.spread = pair ? spread_of(&spread->array()[0], &spread->array()[1]) : std::nullopt;
    if (!m.spread) {
      problem("spread", spread, "two numbers: p10 and p90, p10 <= p90");
    }
  }
  if (!problems.empty()) {
    throw InputError(std::move(problems));
  }
  return m;
}

}  // namespace

bool is_measurement_lines(std::string_view text) {
  Lines lines(text);
  while (lines.next()) {
    if (is_row(lines.text())) {
      return trimmed(lines.text()).starts_with('{') &&
             lines.text().find("\"family\"") != std::string_view::npos &&
             lines.text().find("\"shape\"") != std::string_view::npos;
    }
  }
  return false;
}

void read_measurement_lines(std::string_view text, ImportedFile& file) {
  Lines lines(text);
  while (lines.next()) {
    if (is_row(lines.text())) {
      const std::string where = fmt::format("{}:{}", file.path, lines.number());
      file.rows.push_back(measurement_of(json::parse(lines.text(), where), where));
    }
  }
}

}  // namespace gpuplan::calibrate
