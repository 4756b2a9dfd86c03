#include "sim/training/host_fit.h"

#include "workloads/training/offload.h"

namespace gpuplan::sim {

HostUse host_use(const TrainingMachine& machine, const TrainingJob& job) {
  HostUse out;
  out.memory_usable = kHostMemoryUsable * machine.host.memory;
  out.nvme_usable = machine.host.nvme;
  for (int stage = 0; job.offload != Offload::none && stage < job.parallelism.pipeline; ++stage) {
    const OffGpuBytes rank = off_gpu_bytes(job, stage);
    out.memory = max(out.memory, rank.host * machine.gpus_per_node);
    out.nvme = max(out.nvme, rank.nvme * machine.gpus_per_node);
  }
  return out;
}

std::string HostUse::short_of() const {
  return nvme - nvme_usable > memory - memory_usable ? "NVMe drives" : "host memory";
}

Bytes HostUse::short_by() const { return max(nvme - nvme_usable, memory - memory_usable); }

}  // namespace gpuplan::sim
