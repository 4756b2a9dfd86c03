#include "calibrate/validate/own_rows.h"

#include <filesystem>

#include "calibrate/validate/line_reader.h"

namespace gpuplan::calibrate {

namespace {

constexpr const char* kContent = "rows of published figures, JSON lines";

bool blank(const std::string& line) {
  const std::size_t first = line.find_first_not_of(" \t\r");
  return first == std::string::npos || line[first] == '#';
}

// The member `name`, which must satisfy `is`.
template <class Is>
const json::Value& member(const json::Value& row, const std::string& where, std::string_view name, Is is,
                          const char* expected) {
  const json::Value* found = row.find(name);
  if (found == nullptr || !is(*found)) {
    throw InputError({where + " $." + std::string(name), found == nullptr ? "nothing" : json::excerpt(*found),
                      expected, ""});
  }
  return *found;
}

std::string text_at(const json::Value& object, std::string_view name) {
  const json::Value* found = object.find(name);
  return found != nullptr && found->is_string() ? found->string() : "";
}

}  // namespace

bool is_own_rows(const std::string& path) {
  try {
    LineReader lines(path, kContent);
    while (lines.next()) {
      if (!blank(lines.text())) {
        const json::Value first = json::parse(lines.text(), lines.where());
        return first.find("scenario") != nullptr && first.find("metric") != nullptr;
      }
    }
  } catch (const InputError&) {
  }
  return false;
}

ValidationRows validate_own_rows(const std::string& path, const sim::Library& library, int jobs) {
  const auto is_text = [](const json::Value& v) { return v.is_string() && !v.string().empty(); };
  LineReader lines(path, kContent);
  std::vector<SimulatedCase> cases;
  std::map<std::string, std::size_t> index;  // by scenario: one simulation for all of its metrics
  const std::string folder = std::filesystem::path(path).parent_path().string();
  while (lines.next()) {
    if (blank(lines.text())) {
      continue;
    }
    const std::string where = lines.where();
    const json::Value row = json::parse(lines.text(), where);
    const json::Value& scenario = member(
        row, where, "scenario", [](const json::Value& v) { return v.is_object(); }, "a scenario");
    const json::Value& value = member(
        row, where, "value", [](const json::Value& v) { return v.is_number() && v.number() > 0.0; },
        "the measured figure in SI units, a number > 0");
    MeasuredMetric metric;
    metric.id = member(row, where, "id", is_text, "a name for the row").string();
    metric.metric = member(row, where, "metric", is_text, "the name of a metric").string();
    metric.value = value.number();
    metric.key = {
        {"metric", metric.metric},
        {"kind", text_at(scenario, "kind")},
        {"source", member(row, where, "source", is_text, "where the figure is published").string()}};
    if (const json::Value* machine = scenario.find("machine")) {
      metric.key["gpu"] = text_at(*machine, machine->find("gpu") != nullptr ? "gpu" : "node");
    }
    const auto [at, added] = index.try_emplace(json::dump(scenario), cases.size());
    if (added) {
      cases.push_back({scenario, where, folder.empty() ? "." : folder, {}});
    }
    cases[at->second].metrics.push_back(std::move(metric));
  }
  return simulate_cases(cases, library, jobs);
}

}  // namespace gpuplan::calibrate
