#include "hwmodels/silicon/inputs.h"

#include <algorithm>
#include <cmath>

#include "hwmodels/uncertainty/draws.h"

namespace gpuplan::silicon {

namespace {

// Walks a described struct and collects its uncertain numbers by name.
class Collector {
 public:
  Collector(std::string prefix, std::vector<NamedInput>& out) : prefix_(std::move(prefix)), out_(out) {}

  template <class T>
  void field(std::string_view name, T& target, std::string_view doc, json::Range range = {},
             json::Presence /*presence*/ = json::Presence::optional) {
    const std::string path = prefix_.empty() ? std::string(name) : prefix_ + "." + std::string(name);
    if constexpr (std::is_same_v<T, Uncertain>) {
      out_.push_back({path, std::string(doc), range, target});
    } else {
      Collector nested(path, out_);
      describe(nested, target);
    }
  }

 private:
  std::string prefix_;
  std::vector<NamedInput>& out_;
};

// Fills the numbers of a described struct in the same order.
class Assigner {
 public:
  explicit Assigner(const double* next) : next_(next) {}

  template <class T>
  void field(std::string_view /*name*/, T& target, std::string_view /*doc*/, json::Range /*range*/ = {},
             json::Presence /*presence*/ = json::Presence::optional) {
    if constexpr (std::is_same_v<T, double>) {
      target = *next_++;
    } else {
      describe(*this, target);
    }
  }

 private:
  const double* next_;
};

constexpr double kCorrelation = 0.5;
constexpr std::size_t kNoGroup = 3;

// Inputs that err together: 0 areas, 1 prices, 2 energies.
std::size_t group_of(const std::string& name) {
  if (name.find("_usd") != std::string::npos) {
    return 1;
  }
  if (name.starts_with("energy.") && name.find("_pj_per_") != std::string::npos) {
    return 2;
  }
  const bool area = name.ends_with("_mtr") || name.ends_with("_mm2") || name.ends_with("_um2") ||
                    name.ends_with("_mtr_per_lane");
  return area && name.starts_with("block.") ? 0 : kNoGroup;
}

void check(const NamedInput& input, const std::string& path, std::vector<Problem>& problems) {
  const Uncertain& u = input.value;
  json::Range range = input.range;
  range.max = std::min(range.max, 1e9);  // beyond, nothing is meant and formulas overflow
  const json::Value found(json::Array{json::Value(u.low), json::Value(u.mid), json::Value(u.high)});
  if (!json::inside(range, u.low) || !json::inside(range, u.mid) || !json::inside(range, u.high)) {
    problems.push_back({path, json::excerpt(found), json::describe_range(range, false), ""});
  } else if (!(u.low <= u.mid && u.mid <= u.high)) {
    problems.push_back({path, json::excerpt(found), "low <= mid <= high", ""});
  }
}

}  // namespace

std::vector<NamedInput> named_inputs(const Inputs<Uncertain>& inputs) {
  std::vector<NamedInput> out;
  Inputs<Uncertain> copy = inputs;  // describe() takes what it could fill
  Collector collector("", out);
  describe(collector, copy);
  return out;
}

Inputs<double> inputs_of(const std::vector<double>& values) {
  Inputs<double> out;
  Assigner assigner(values.data());
  describe(assigner, out);
  return out;
}

std::vector<double> draw_scores(const std::vector<NamedInput>& inputs, std::size_t samples,
                                std::uint64_t seed) {
  std::vector<std::size_t> group;
  group.reserve(inputs.size());
  for (const NamedInput& input : inputs) {
    group.push_back(group_of(input.name));
  }
  const double common = std::sqrt(kCorrelation), own = std::sqrt(1.0 - kCorrelation);
  std::vector<double> scores;
  scores.reserve(samples * inputs.size());
  Draws draws(seed);
  for (std::size_t s = 0; s < samples; ++s) {
    const double factor[] = {draws.normal(), draws.normal(), draws.normal()};
    for (const std::size_t g : group) {
      const double z = draws.normal();
      scores.push_back(g == kNoGroup ? z : common * factor[g] + own * z);
    }
  }
  return scores;
}

void override_inputs(std::vector<NamedInput>& inputs, const json::Value& overrides, const std::string& path) {
  if (!overrides.is_object()) {
    throw InputError(Problem{path, json::excerpt(overrides), "an object of inputs by name", ""});
  }
  std::vector<Problem> problems;
  for (const auto& [name, value] : overrides.object()) {
    const std::string at = path + "." + name.substr(0, 60);
    NamedInput* input = nullptr;
    std::vector<std::string> names;
    for (NamedInput& candidate : inputs) {
      names.push_back(candidate.name);
      input = candidate.name == name ? &candidate : input;
    }
    if (input == nullptr) {
      problems.push_back(
          {at, "an unknown input", "an input of the silicon models", did_you_mean(name, names)});
      continue;
    }
    Uncertain given;
    given.source = "given";
    const bool triple = value.is_array() && value.array().size() == 3 && value.array()[0].is_number() &&
                        value.array()[1].is_number() && value.array()[2].is_number();
    if (value.is_number()) {
      given.low = given.mid = given.high = value.number();
    } else if (triple) {
      given.low = value.array()[0].number();
      given.mid = value.array()[1].number();
      given.high = value.array()[2].number();
    } else {
      problems.push_back({at, json::excerpt(value), "a number, or [low, mid, high]", ""});
      continue;
    }
    input->value = given;
    check(*input, at, problems);
  }
  if (!problems.empty()) {
    throw InputError(std::move(problems));
  }
}

void check_inputs(const std::vector<NamedInput>& inputs, const std::string& path,
                  std::vector<Problem>& problems) {
  for (const NamedInput& input : inputs) {
    check(input, path + "." + input.name, problems);
  }
}

}  // namespace gpuplan::silicon
