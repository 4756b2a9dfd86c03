// Names and rules of the traffic spec.
#include "workloads/traffic/traffic_spec.h"

#include <array>
#include <cmath>

namespace gpuplan {

std::span<const std::string_view> enum_names(ArrivalProcess /*process*/) {
  static constexpr std::array<std::string_view, 6> kNames{"poisson", "gamma",       "constant",
                                                          "staged",  "closed_loop", "burst"};
  return kNames;
}

std::span<const std::string_view> enum_names(LengthDistribution /*distribution*/) {
  static constexpr std::array<std::string_view, 4> kNames{"fixed", "uniform", "lognormal", "histogram"};
  return kNames;
}

namespace {

class Rules {
 public:
  explicit Rules(std::vector<Problem>& problems) : problems_(problems) {}
  void require(bool holds, const std::string& path, const std::string& found, const std::string& expected,
               const std::string& suggestion = "") {
    if (!holds) {
      problems_.push_back({path, found, expected, suggestion});
    }
  }

 private:
  std::vector<Problem>& problems_;
};

// Rows of `columns` numbers: token counts, then a weight.
void check_histogram(const std::vector<std::vector<double>>& rows, std::size_t columns,
                     const std::string& path, Rules& rules) {
  const std::string shape = columns == 2 ? "[tokens, weight]" : "[prompt tokens, output tokens, weight]";
  double sum = 0;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const std::vector<double>& row = rows[i];
    const std::string at = path + "[" + std::to_string(i) + "]";
    if (row.size() != columns) {
      rules.require(false, at, std::to_string(row.size()) + " numbers", shape);
      continue;
    }
    for (std::size_t c = 0; c + 1 < columns; ++c) {
      rules.require(row[c] >= 1 && row[c] <= 1e8 && std::nearbyint(row[c]) == row[c],
                    at + "[" + std::to_string(c) + "]", json::dump(json::Value(row[c])),
                    "a whole number of tokens, 1 to 1e8");
    }
    rules.require(row.back() >= 0 && row.back() <= 1e15, at + "[" + std::to_string(columns - 1) + "]",
                  json::dump(json::Value(row.back())), "a weight, 0 to 1e15");
    sum += row.back();
  }
  rules.require(sum > 0, path, rows.empty() ? "nothing" : "weights that sum to 0",
                "a list of " + shape + " with a weight above 0");
}

void check_lengths(const LengthSpec& s, const std::string& path, Rules& rules) {
  using enum LengthDistribution;
  const std::string name(json::name_of(s.distribution));
  const bool is_lognormal = s.distribution == lognormal;
  const auto belongs = [&](bool given, bool wanted, const char* field) {
    rules.require(wanted || !given, path + "." + field, "a value", "nothing: " + name + " has no " + field);
  };
  belongs(s.mean.has_value(), s.distribution == fixed || is_lognormal, "mean");
  belongs(s.p50.has_value(), is_lognormal, "p50");
  belongs(s.cv.has_value(), is_lognormal, "cv");
  belongs(s.min.has_value(), s.distribution != fixed, "min");
  belongs(s.max.has_value(), s.distribution != fixed, "max");
  belongs(!s.values.empty(), s.distribution == histogram, "values");

  if (s.distribution == fixed || is_lognormal) {
    rules.require(s.mean.has_value(), path + ".mean", "nothing", "tokens on average");
  }
  if (s.distribution == uniform) {
    rules.require(s.min.has_value(), path + ".min", "nothing", "the least number of tokens");
    rules.require(s.max.has_value(), path + ".max", "nothing", "the most tokens");
  }
  if (is_lognormal) {
    rules.require(s.p50.has_value() != s.cv.has_value(), path, s.p50 ? "p50 and cv" : "neither p50 nor cv",
                  "one of p50 and cv beside mean");
    if (s.p50 && s.mean) {
      rules.require(*s.p50 <= *s.mean, path + ".p50", json::dump(json::Value(*s.p50)),
                    "at most the mean, " + json::dump(json::Value(*s.mean)));
    }
  }
  if (s.distribution == histogram) {
    check_histogram(s.values, 2, path + ".values", rules);
  }
  if (s.min && s.max) {
    rules.require(*s.min <= *s.max, path + ".min", std::to_string(*s.min),
                  "at most max, " + std::to_string(*s.max));
  }
}

void check_arrivals(const ArrivalSpec& s, const std::string& path, Rules& rules) {
  const bool staged = s.process == ArrivalProcess::staged;
  rules.require(staged || s.stages.empty(), path + ".stages", "a value",
                "nothing: only the process staged has stages");
  if (staged) {
    double expected = 0;
    for (const RateStage& stage : s.stages) {
      expected += stage.rate * stage.duration;
    }
    rules.require(expected > 0, path + ".stages", s.stages.empty() ? "nothing" : "stages of rate 0",
                  "at least one stage of rate > 0");
  }
}

}  // namespace

void validate(const TrafficSpec& s, const std::string& path, std::vector<Problem>& problems) {
  Rules rules(problems);
  const bool from_trace = !s.trace.empty();
  const bool replayed = from_trace && s.trace_arrivals;
  if (from_trace) {
    // Generated lengths and arrivals beside a trace are what it replaces (--set traffic.trace=FILE).
    rules.require(s.trace_arrivals || s.arrivals, path + ".arrivals", "nothing",
                  "how requests arrive, since trace_arrivals is false");
  } else {
    rules.require(s.arrivals.has_value(), path + ".arrivals", "nothing", "how requests arrive, or a trace");
    if (s.lengths.empty()) {
      rules.require(s.prompt.has_value(), path + ".prompt", "nothing", "the length of prompts, or a trace");
      rules.require(s.output.has_value(), path + ".output", "nothing", "the length of outputs, or a trace");
    } else {
      rules.require(!s.prompt && !s.output, path + ".lengths", "lengths beside prompt or output",
                    "either joint lengths, or prompt and output");
      check_histogram(s.lengths, 3, path + ".lengths", rules);
    }
  }
  rules.require(replayed || s.time_scale == 1, path + ".time_scale", json::dump(json::Value(s.time_scale)),
                "1 unless the arrivals of a trace are replayed");
  if (s.arrivals) {
    check_arrivals(*s.arrivals, path + ".arrivals", rules);
    const bool ends_by_time = s.arrivals->process != ArrivalProcess::burst && s.duration;
    rules.require(s.requests || from_trace || ends_by_time || s.arrivals->process == ArrivalProcess::staged,
                  path + ".requests", "nothing",
                  s.arrivals->process == ArrivalProcess::burst
                      ? "how many requests there are"
                      : "how many requests there are, or a duration");
  }
  for (const auto& [lengths, field] : {std::pair{&s.prompt, ".prompt"}, {&s.output, ".output"}}) {
    if (*lengths) {
      check_lengths(**lengths, path + field, rules);
    }
  }
  if (s.requests) {
    rules.require(s.warmup_requests < *s.requests, path + ".warmup_requests",
                  std::to_string(s.warmup_requests), "less than requests, " + std::to_string(*s.requests));
  }
}

}  // namespace gpuplan
