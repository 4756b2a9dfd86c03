// Metrics as a sweep asks for them: which way is better, and which ones are shown first.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace gpuplan::sweep {

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
