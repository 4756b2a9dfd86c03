#include "sim/training/offload_price.h"

#include <algorithm>

#include "sim/training/estimate.h"

namespace gpuplan::sim {

double gpus_per_uplink(const TrainingEstimator& estimator) {
  const TrainingMachine& m = estimator.machine();
  if (m.gpu.c2c_bandwidth.si() > 0.0 || m.node.pcie_switch_count < 1) {
    return 1.0;
  }
  // GPUs of a node are dealt to the switches in order: those in use may crowd on the first.
  const int below = std::max(1, m.node.gpu_count / m.node.pcie_switch_count);
  return std::min(below, m.gpus_per_node);
}

double host_copy(const TrainingEstimator& estimator, Bytes bytes, bool to_host, bool pinned) {
  if (bytes.si() <= 0.0) {
    return 0.0;
  }
  kernels::Copy copy;
  copy.bytes = bytes * gpus_per_uplink(estimator);
  copy.path = to_host ? kernels::Copy::Path::device_to_host : kernels::Copy::Path::host_to_device;
  copy.pinned = pinned;
  return estimator.kernels().price(copy).time.si();
}

double load_time(const TrainingEstimator& estimator, const TrainingJob& job, Bytes bytes) {
  const TrainingMachine& m = estimator.machine();
  const double over_pcie = host_copy(estimator, bytes, false);
  const double from_drives =
      job.offload_to == OffloadTo::nvme ? bytes.si() * m.gpus_per_node / m.host.nvme_read.si() : 0.0;
  const double from_memory = bytes.si() * m.gpus_per_node / m.host.memory_bandwidth.si();
  return bytes.si() > 0.0 ? std::max({over_pcie, from_drives, from_memory}) : 0.0;
}

OffloadCost cost_of(const TrainingEstimator& estimator, const TrainingJob& job, const OffloadWork& work) {
  OffloadCost out;
  if (work.host_traffic.si() <= 0.0) {
    return out;
  }
  const TrainingMachine& m = estimator.machine();
  const double ranks = m.gpus_per_node;
  const double memory = ranks * work.host_traffic.si() / (kHostPassShare * m.host.memory_bandwidth.si());
  const double drives =
      ranks * (work.nvme_read / m.host.nvme_read + work.nvme_written / m.host.nvme_write).si();
  out.gradients = host_copy(estimator, work.gradients, true);
  out.pass = std::max(memory, drives);
  out.weights = host_copy(estimator, work.weights, false);
  out.overlaps = job.software.overlap_offload.value_or(true);
  return out;
}

}  // namespace gpuplan::sim
