// What is known of a metric by its name: which way is better, its unit, and which ones are shown first.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace gpuplan::sweep {

enum class Better { lower, higher, unknown };

struct MetricNature {
  Better better = Better::unknown;
  std::string_view unit;  // "s", "B", "tokens/s", "USD"; "%" for fractions; empty for counts
};
// By the names of the result contract; a metric of one case of many ("kernel.gemm[m=8].time") by its end.
MetricNature nature_of(std::string_view metric);

// A metric with the way that counts as better, as "min:NAME", "max:NAME" or NAME. nullopt for a bare name
// that is good neither high nor low (a count of blocks, a utilisation).
struct Goal {
  std::string metric;
  bool highest = false;
};
std::optional<Goal> goal_of(const std::string& text);
// NAME of "min:NAME".
std::string metric_of(const std::string& text);

// A name short enough for the head of a column: "TTFT", or the metric without its kind.
std::string label_of(const std::string& metric);

// Of the metrics there are, the ones a reader looks at first, at most five.
std::vector<std::string> headline_of(const std::vector<std::string>& metrics);

}  // namespace gpuplan::sweep
