// Every algorithm that NCCL's choice knows, by name; registry.cpp lists them in its order.
#pragma once

#include "hwmodels/collectives/algorithm.h"

namespace gpuplan::collectives {

const CollectiveAlgorithm& tree();
const CollectiveAlgorithm& ring();
const CollectiveAlgorithm& collnet_direct();
const CollectiveAlgorithm& collnet_chain();
const CollectiveAlgorithm& nvls();
const CollectiveAlgorithm& nvls_tree();
const CollectiveAlgorithm& pat();

}  // namespace gpuplan::collectives
