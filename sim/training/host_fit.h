// Whether offloaded state fits the memory and drives of a node.
#pragma once

#include <string>

#include "sim/training/placement.h"

namespace gpuplan::sim {

struct HostUse {
  Bytes memory, memory_usable;  // of a node
  Bytes nvme, nvme_usable;
  [[nodiscard]] bool fits() const { return memory <= memory_usable && nvme <= nvme_usable; }
  // "host memory" or "NVMe drives", the one that is short by more.
  [[nodiscard]] std::string short_of() const;
  [[nodiscard]] Bytes short_by() const;
};
// Of the node whose ranks are those of the fullest stage.
HostUse host_use(const TrainingMachine& machine, const TrainingJob& job);

}  // namespace gpuplan::sim
