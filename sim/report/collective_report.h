// Prices of a collective scenario: metrics of the contract, a table, and the arithmetic behind each row.
#pragma once

#include "sim/report/result.h"
#include "sim/scenario/collective_scenario.h"

namespace gpuplan::sim {

struct CollectiveRow {
  collectives::CollectiveOperation operation;
  collectives::CollectivePrice price;
  kernels::Explanation why;
  std::optional<Played> played;  // on the links of the scenario's fabric, with its stragglers
  [[nodiscard]] Seconds time() const { return played ? played->time : price.time; }
  [[nodiscard]] std::string name() const;  // "all_reduce[bytes=1024]"
};

std::vector<CollectiveRow> price_collectives(const CollectiveScenario& scenario, const Library& library);

// Metrics of a single row: collective.time and the rest of the contract; of several:
// collective.<row>.time, ...
struct CollectiveReport {
  Result result;
  json::Value table;                // an object a row
  std::vector<std::string> steps;   // who sends which chunk to whom, where asked for
  std::vector<std::string> losses;  // of a job, where the scenario has one: a line a row
};
CollectiveReport report_collectives(const CollectiveScenario& scenario,
                                    const std::vector<CollectiveRow>& rows, const Library& library);

}  // namespace gpuplan::sim
