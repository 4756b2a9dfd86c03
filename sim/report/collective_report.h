// Prices of a collective scenario: metrics of the contract, a table, and the arithmetic behind each row.
#pragma once

#include "sim/collective/ecmp_seeds.h"
#include "sim/collective/fabric_play.h"
#include "sim/report/result.h"
#include "sim/scenario/collective_scenario.h"

namespace gpuplan::sim {

struct CollectiveRow {
  collectives::CollectiveOperation operation;
  collectives::CollectivePrice price;
  kernels::Explanation why;
  std::optional<Played> played;     // on the links of the scenario's fabric, with its stragglers
  std::optional<SeedSpread> seeds;  // over ecmp_seeds
  [[nodiscard]] Seconds time() const { return played ? played->time : price.time; }
  [[nodiscard]] std::string name() const;  // "all_reduce[bytes=1024]"
};

// One operation on the machine of the scenario, played on `fabric` where there is one.
CollectiveRow price_operation(const collectives::CollectiveModel& model, const CollectiveScenario& scenario,
                              const collectives::CollectiveOptions& options,
                              const collectives::CollectiveOperation& operation, FabricPlay* fabric);
collectives::CollectiveOptions options_of(const CollectiveScenario& scenario);
// The links that the scenario's collectives run on; nothing where it names no fabric, fault or hash.
std::optional<FabricPlay> play_of(const CollectiveScenario& scenario);

std::vector<CollectiveRow> price_collectives(const CollectiveScenario& scenario, const Library& library);

// Metrics of a single row: collective.time and the rest of the contract; of several:
// collective.<row>.time, ...
struct CollectiveReport {
  Result result;
  json::Value table;                // an object a row
  std::vector<std::string> steps;   // who sends which chunk to whom, where asked for
  std::vector<std::string> losses;  // of a job, where the scenario has one: a line a row
};
// collective.time and the rest of the contract, each after `prefix`.
void add_metrics(Result& result, const std::string& prefix, const CollectiveRow& row);
// A row of `table`.
json::Value row_json(const CollectiveScenario& scenario, const CollectiveRow& row);

CollectiveReport report_collectives(const CollectiveScenario& scenario,
                                    const std::vector<CollectiveRow>& rows, const Library& library);

}  // namespace gpuplan::sim
