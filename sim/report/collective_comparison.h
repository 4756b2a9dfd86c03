// A collective scenario's questions that compare: the same collectives on other machines or by other ways
// (`variants`), by other algorithms (`compare`), and what they cost a step beside its computation
// (`workloads`).
#pragma once

#include "sim/report/collective_report.h"

namespace gpuplan::sim {

// The fastest of the compared algorithms from `bytes` on, up to the next of them.
struct Winner {
  double bytes = 0.0;
  collectives::Algorithm algorithm = collectives::Algorithm::ring;
};

// The compared algorithms on one machine: by the time they are predicted to take, and by NCCL's own
// estimates, which decide what it runs. Sizes where the winner changes are bisected between 256 B and 64 GiB;
// one that is nowhere 3 % ahead of the winner before it is none.
struct AlgorithmComparison {
  collectives::Collective collective = collectives::Collective::all_reduce;
  std::vector<Winner> by_time, by_nccl;
  struct Row {
    double bytes = 0.0;
    std::vector<Seconds> times;  // of the algorithms in the order of the scenario's `compare`
  };
  std::vector<Row> rows;  // the scenario's sizes
};

// A workload on one machine.
struct CommunicationCost {
  std::string name;
  std::vector<CollectiveRow> rows;  // a move each
  std::vector<double> counts;       // of each move
  Seconds communication;            // all moves one after the other
  Seconds compute;
  Seconds exposed;      // what does not fit beside the computation
  std::string limiter;  // of the move that takes longest: latency, link_bandwidth, or the link that holds it
  [[nodiscard]] Seconds step() const { return compute + exposed; }
};

// What one variant (or the scenario itself) costs.
struct VariantOutcome {
  const CollectiveScenario* scenario = nullptr;
  std::vector<CollectiveRow> rows;
  std::vector<AlgorithmComparison> comparisons;  // a collective each
  std::vector<CommunicationCost> workloads;
};

struct CollectiveComparison {
  std::vector<VariantOutcome> variants;
  Result result;
  json::Value table;
};

// Whether the scenario asks for any of it.
bool compares(const CollectiveScenario& scenario);

// Keeps pointers into `scenario`.
CollectiveComparison compare_collectives(const CollectiveScenario& scenario, const Library& library);

// What the comparison shows, a sentence each: the fastest variant and by how much, where winners change.
std::vector<std::string> findings_of(const CollectiveComparison& comparison);

}  // namespace gpuplan::sim
