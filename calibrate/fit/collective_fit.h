// Fits the constants of collectives (hwmodels/collectives/timing.h) to measured rows: one set per
// architecture and NCCL version, one for an engine's own all-reduce per architecture, one per kind of
// network. NCCL's choice is arithmetic and takes no part in the fit, but for whether a version takes LL128. A
// quarter of the sizes of each library, collective and number of ranks is held out, by a hash that is the
// same everywhere, all repeats of a size together. Deterministic.
#pragma once

#include <functional>
#include <span>
#include <string>

#include "calibrate/validate/collective_tables.h"

namespace gpuplan::calibrate {

struct CollectiveFitOptions {
  int evaluations = 20000;                           // of the loss, per set
  std::string source;                                // what the tables are, for the profile
  std::function<void(const std::string&)> progress;  // a line per set; may be empty
};

// Whether a row is kept from the fit.
bool held_out(const MeasuredCollective& row);

// The profile of one architecture from rows of one node.
collectives::ArchitectureProfile fit_architecture(collectives::Architecture architecture,
                                                  std::span<const MeasuredCollective> rows,
                                                  const CollectiveFitOptions& options);

// Networks from rows of several nodes, inside which `profiles` price. Errors are those of each series of runs
// (one source on one machine) priced with constants of the others, where a kind of network has several;
// else of each row left out once.
collectives::NetworkProfile fit_networks(const collectives::Profiles& profiles,
                                         std::span<const MeasuredCollective> rows,
                                         const CollectiveFitOptions& options);

}  // namespace gpuplan::calibrate
