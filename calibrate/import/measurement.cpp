#include "calibrate/import/measurement.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "calibrate/import/text.h"

namespace gpuplan::calibrate {

void Measurement::fail(std::string_view name, const std::string& expected) const {
  const json::Value* found = find(name);
  throw InputError(
      {where + "." + std::string(name), found == nullptr ? "nothing" : json::excerpt(*found), expected, ""});
}

std::string Measurement::text(std::string_view name) const {
  const json::Value* found = find(name);
  if (found == nullptr || !found->is_string()) {
    fail(name, "a string");
  }
  return found->string();
}

std::int64_t Measurement::count(std::string_view name, std::int64_t least, std::int64_t most) const {
  const json::Value* found = find(name);
  if (found == nullptr || !found->is_integer() || found->integer() < least || found->integer() > most) {
    fail(name, fmt::format("a whole number from {} to {}", least, most));
  }
  return found->integer();
}

double Measurement::bytes(std::string_view name) const {
  const json::Value* found = find(name);
  if (found == nullptr || !found->is_number() || !(found->number() >= 1.0 && found->number() <= 1e15)) {
    fail(name, "a number of bytes from 1 to 1e15");
  }
  return found->number();
}

bool Measurement::flag(std::string_view name) const {
  const json::Value* found = find(name);
  if (found != nullptr && !found->is_bool()) {
    fail(name, "true or false");
  }
  return found != nullptr && found->boolean();
}

std::optional<Spread> spread_of(const json::Value* p10, const json::Value* p90) {
  if (p10 == nullptr || p90 == nullptr || !p10->is_number() || !p90->is_number() ||
      !(p10->number() >= 0.0 && p10->number() <= p90->number())) {
    return std::nullopt;
  }
  return Spread{p10->number(), p90->number()};
}

json::Value to_json(const Measurement& m) {
  json::Object line{{"id", m.id},       {"source", m.source}, {"gpu", m.gpu},    {"family", m.family},
                    {"shape", m.shape}, {"unit", m.unit},     {"value", m.value}};
  if (m.spread) {
    line.emplace_back("spread", json::Array{m.spread->p10, m.spread->p90});
  }
  return line;
}

namespace {

// Short names of shape fields; an empty one leaves the value alone.
constexpr std::array<std::pair<std::string_view, std::string_view>, 14> kShort = {
    {{"batch", "b"},
     {"heads", "h"},
     {"kv_heads", "kv"},
     {"head_dim", "d"},
     {"seq", "s"},
     {"context", "c"},
     {"footprint_bytes", ""},
     {"bytes", ""},
     {"ranks", "x"},
     {"warps_per_sm", "warps "},
     {"loads_in_flight", "loads "},
     {"load_bytes", ""},
     {"rows", "rows "},
     {"cols", "cols "}}};

std::string byte_text(double bytes) {
  constexpr std::array<const char*, 5> kUnits = {"B", "KiB", "MiB", "GiB", "TiB"};
  std::size_t unit = 0;
  while (unit + 1 < kUnits.size() && bytes >= 1024.0) {
    bytes /= 1024.0;
    ++unit;
  }
  return fmt::format("{:.4g} {}", bytes, kUnits[unit]);
}

std::string field_text(const std::string& name, const json::Value& value) {
  if (value.is_string()) {
    return printable(value.string(), 40);
  }
  if (value.is_bool()) {
    return value.boolean() ? printable(name, 40) : "";
  }
  const auto* known =
      std::find_if(kShort.begin(), kShort.end(), [&](const auto& s) { return s.first == name; });
  const std::string label = known != kShort.end() ? std::string(known->second)
                            : name.size() > 1     ? printable(name, 40) + " "
                                                  : printable(name);
  const bool bytes = name.ends_with("bytes") && value.is_number();
  return label + (bytes ? byte_text(value.number()) : json::dump(value));
}

}  // namespace

std::string shape_text(const Measurement& m) {
  std::string out;
  if (m.shape.is_object()) {
    for (const auto& [name, value] : m.shape.object()) {
      const std::string part = field_text(name, value);
      out += (out.empty() || part.empty() ? "" : " ") + part;
    }
  }
  return out.empty() ? printable(m.family) : out;
}

std::string identity(const Measurement& m) {
  json::Object sorted = m.shape.is_object() ? m.shape.object() : json::Object{};
  std::sort(sorted.begin(), sorted.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  return m.family + " " + m.unit + " " + json::dump(json::Value(std::move(sorted)));
}

}  // namespace gpuplan::calibrate
