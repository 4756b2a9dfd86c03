// What a run found out, and the JSON it is written as.
#pragma once

#include <cmath>
#include <ostream>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "json.h"
#include "statistics.h"

namespace gpubench {

using Value = std::variant<long long, double, std::string, bool>;

// Ordered name-value pairs. Any arithmetic type or text may be added.
class Fields {
 public:
  Fields() = default;

  Fields& add(const std::string& name, const std::string& text) { return put(name, text); }
  Fields& add(const std::string& name, const char* text) { return put(name, std::string(text)); }
  Fields& add(const std::string& name, bool flag) { return put(name, flag); }
  Fields& add(const std::string& name, double number) { return put(name, number); }
  template <class Integer, class = std::enable_if_t<std::is_integral_v<Integer>>>
  Fields& add(const std::string& name, Integer number) {
    return put(name, static_cast<long long>(number));
  }
  const std::vector<std::pair<std::string, Value>>& items() const { return items_; }

 private:
  Fields& put(const std::string& name, Value value) {
    items_.emplace_back(name, std::move(value));
    return *this;
  }
  std::vector<std::pair<std::string, Value>> items_;
};

// One measured point. Units are SI: "s", "B/s", "FLOP/s", "W", "Hz", besides "cycles", "ratio" and "C".
struct Record {
  std::string bench;
  Fields params;
  std::string unit;
  Summary summary;
};

// One comparison with a CPU reference; passed when error <= limit (NaN never passes).
struct CheckResult {
  std::string name;
  double error;
  double limit;
  bool passed() const { return error <= limit; }
};

struct SectionResult {
  std::string name;
  double budget_s = 0;
  double used_s = 0;
  int points = 0;
  std::vector<std::string> cut;          // points left out for lack of time
  std::vector<std::string> unsupported;  // points that this GPU or library cannot do, with the reason
  std::string skipped;                   // why the whole section was left out, empty otherwise
  std::string error;                     // what ended the section early, empty otherwise
  Fields sensors;                        // clocks, power and temperature right after the section
};

struct Report {
  std::string mode;  // "quick", "full" or "check"
  std::string date;  // ISO 8601, UTC
  Fields device, software, sensors;
  std::vector<SectionResult> sections;
  std::vector<CheckResult> checks;
  std::vector<Record> records;

  bool passed() const {
    for (const CheckResult& check : checks)
      if (!check.passed()) return false;
    for (const SectionResult& section : sections)
      if (!section.error.empty()) return false;
    return true;
  }
};

inline void write_fields(JsonWriter& json, const Fields& fields, bool compact) {
  json.begin_object(compact);
  for (const auto& [name, value] : fields.items()) {
    json.key(name);
    std::visit([&](const auto& content) { json.value(content); }, value);
  }
  json.end_object();
}

inline void write_texts(JsonWriter& json, const char* name, const std::vector<std::string>& texts) {
  if (texts.empty()) return;
  json.key(name);
  json.begin_array();
  for (const std::string& text : texts) json.value(text);
  json.end_array();
}

inline void write_section(JsonWriter& json, const SectionResult& section) {
  json.begin_object();
  json.field("name", section.name);
  json.field("budget_s", section.budget_s);
  json.field("used_s", section.used_s);
  json.field("points", section.points);
  if (!section.skipped.empty()) json.field("skipped", section.skipped);
  if (!section.error.empty()) json.field("error", section.error);
  write_texts(json, "cut", section.cut);
  write_texts(json, "unsupported", section.unsupported);
  json.key("sensors");
  write_fields(json, section.sensors, true);
  json.end_object();
}

inline void write_report(std::ostream& out, const Report& report) {
  JsonWriter json(out);
  json.begin_object();
  json.field("schema", 1);
  json.field("suite", "gpuplan-bench");
  json.field("mode", report.mode);
  json.field("date", report.date);
  json.field("passed", report.passed());
  json.key("device");
  write_fields(json, report.device, false);
  json.key("software");
  write_fields(json, report.software, false);
  json.key("sensors");
  write_fields(json, report.sensors, false);
  json.key("sections");
  json.begin_array();
  for (const SectionResult& section : report.sections) write_section(json, section);
  json.end_array();
  json.key("checks");
  json.begin_array();
  for (const CheckResult& check : report.checks) {
    json.begin_object(true);
    json.field("name", check.name);
    json.field("passed", check.passed());
    json.field("error", check.error);
    json.field("limit", check.limit);
    json.end_object();
  }
  json.end_array();
  json.key("records");
  json.begin_array();
  for (const Record& record : report.records) {
    json.begin_object(true);
    json.field("bench", record.bench);
    json.key("params");
    write_fields(json, record.params, true);
    json.field("unit", record.unit);
    json.field("median", record.summary.median);
    json.field("p10", record.summary.p10);
    json.field("p90", record.summary.p90);
    json.field("repeats", record.summary.repeats);
    json.end_object();
  }
  json.end_array();
  json.end_object();
}

}  // namespace gpubench
