// The table of a sweep, from its definition and the answers: a row for each run, a summary for each point
// over its seeds. It depends on nothing else, so that any way of running a sweep gives the same table.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "sim/sweep/answer.h"
#include "sim/sweep/design.h"
#include "sim/sweep/metric.h"

namespace gpuplan::sweep {

// A metric of a point over its seeds.
struct Summary {
  double mean = 0.0;
  double spread = 0.0;  // standard deviation of a sample, sqrt(sum (x - mean)^2 / (n - 1)); 0 for one seed
  double low = 0.0, high = 0.0;
  std::size_t count = 0;  // seeds that gave a number
};

class SweepTable {
 public:
  // `answers` by run; a run without one is missing.
  SweepTable(SweepSpec spec, const Design& design, std::vector<std::optional<Answer>> answers);

  SweepTable(const SweepTable&) = delete;  // rows point into it
  SweepTable& operator=(const SweepTable&) = delete;
  SweepTable(SweepTable&&) = default;
  SweepTable& operator=(SweepTable&&) = delete;

  [[nodiscard]] const SweepSpec& spec() const { return spec_; }
  [[nodiscard]] const Design& design() const { return design_; }
  [[nodiscard]] const std::vector<std::optional<Answer>>& answers() const { return answers_; }
  // In the order in which runs first name them.
  [[nodiscard]] const std::vector<std::string>& metrics() const { return metrics_; }

  // Of a point; nullopt where none of its runs gave a number.
  [[nodiscard]] std::optional<Summary> summary(std::size_t point, const std::string& metric) const;
  // What a point's runs call it: a text where metrics are texts ("compute"), all of them where they differ.
  [[nodiscard]] std::string text(std::size_t point, const std::string& metric) const;
  // Where no run of a point is answered, how the first one that is not missing ended.
  [[nodiscard]] const Answer* setback(std::size_t point) const;
  [[nodiscard]] std::size_t count(Outcome outcome) const;
  [[nodiscard]] std::vector<std::size_t> missing() const;

  // A number to plot by: a metric's mean, or an axis (by its path or the end of it); nullopt where a point
  // has none.
  [[nodiscard]] std::optional<double> number(std::size_t point, const std::string& name) const;
  // Index of the axis that `name` means: its path, or the end of one path only. nullopt where there is none.
  [[nodiscard]] std::optional<std::size_t> axis_named(const std::string& name) const;
  // Shortest ends of the axes' paths that tell them apart: "rate" for traffic.arrivals.rate.
  [[nodiscard]] const std::vector<std::string>& axis_labels() const { return labels_; }
  // "rate=4, max_num_seqs=64".
  [[nodiscard]] std::string point_text(std::size_t point) const;
  // Name of `metric` if there is such a metric, else InputError with the nearest.
  const std::string& known_metric(const std::string& metric) const;

  // The point with the best mean, the first of equals.
  [[nodiscard]] std::optional<std::size_t> best(const Goal& goal) const;
  // Points that no other beats in all goals.
  [[nodiscard]] std::vector<std::size_t> front(const std::vector<Goal>& goals) const;

  // Comma-separated, RFC 4180: point, seed (where repeated), axes, outcome, reason, every metric, each with
  // the ends of its 80 % interval where it has one.
  [[nodiscard]] std::string csv() const;
  // Columns, rows, points (where repeated), the best point of each of `chosen`, and the Pareto set of those.
  [[nodiscard]] json::Value to_json(const std::vector<std::string>& chosen) const;

 private:
  void name_metrics();
  void label_axes();
  [[nodiscard]] const Figure* figure(std::size_t run, std::size_t metric) const;
  [[nodiscard]] std::optional<std::size_t> index_of(const std::string& metric) const;
  [[nodiscard]] json::Value row_json(std::size_t run) const;
  [[nodiscard]] json::Value settings_json(std::size_t point) const;

  SweepSpec spec_;
  Design design_;
  std::vector<std::optional<Answer>> answers_;
  std::vector<std::string> metrics_;
  std::map<std::string, std::size_t, std::less<>> index_;
  std::vector<std::vector<const Figure*>> figures_;  // [run][metric]
  std::vector<std::string> labels_;
};

// A value of an axis as people write it: texts without quotes, numbers, else JSON.
std::string plain(const json::Value& value);
// The same, but a fraction with five digits, and an object by its base and what is laid over it:
// "H100-SXM5-80GB memory_gb=40".
std::string brief(const json::Value& value);

}  // namespace gpuplan::sweep
