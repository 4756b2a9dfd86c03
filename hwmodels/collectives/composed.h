// Collectives put together from those of smaller groups, as frameworks do where one flat ring would pass the
// network once for every rank:
//
//   hierarchical: reduce-scatter inside each node, all-reduce between the nodes (GPU i of every node, all i
//                 at once, each with its share of the NICs), all-gather inside each node
//   2d:           ranks as rows and columns of a torus: reduce-scatter along rows, then along columns,
//                 all-gather along columns, then along rows
//
// Rows of the torus are the GPUs of a node, columns its nodes; inside one node, or with one GPU a node, the
// two sides are as equal as the number of ranks allows. All-gather and reduce-scatter take the halves of it
// that they need. Phases follow on each other without overlap, each by NCCL's own choice and constants, so
// that the whole starts as many kernels as it has phases; a library that pipelines chunks through the phases
// hides part of that (known to be too slow there for large messages, by up to the shorter of the phases).
#pragma once

#include <string>
#include <vector>

#include "hwmodels/collectives/collective_model.h"

namespace gpuplan::collectives {

struct Phase {
  std::string where;  // "inside nodes", "between nodes", "along rows", "along columns"
  Communicator group;
  CollectiveOperation operation;
};

bool is_composed(Algorithm algorithm);

// Phases in order, those of a single rank left out; empty for collectives that are not put together so
// (all but all-reduce, all-gather and reduce-scatter).
std::vector<Phase> phases_of(const Communicator& group, const CollectiveOperation& operation,
                             Algorithm algorithm);

// Sum of the phases. Where there are none, the price of NCCL's own choice.
CollectivePrice price_phases(const CollectiveModel& model, const Communicator& group,
                             const CollectiveOperation& operation, Algorithm algorithm,
                             kernels::Explanation* why = nullptr);

}  // namespace gpuplan::collectives
