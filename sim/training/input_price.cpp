#include "sim/training/input_price.h"

#include <algorithm>

#include "sim/training/estimate.h"
#include "sim/training/offload_price.h"

namespace gpuplan::sim {

InputLoad input_load(const TrainingJob& job, int gpus_per_node) {
  const InputSpec& s = *job.input;
  const double tokens = static_cast<double>(job.batch.seq_len);
  InputLoad out;
  out.samples_per_rank = static_cast<double>(job.micro_batches()) * job.batch.micro_batch;
  const GroupPlace data = place(Group::data, job, gpus_per_node);
  out.loaders_per_node = std::clamp(data.per_node / job.parallelism.context, 1, job.data());
  out.loading_nodes = (job.data() + out.loaders_per_node - 1) / out.loaders_per_node;
  out.workers = s.workers_per_node > 0 ? s.workers_per_node
                                       : static_cast<double>(s.workers_per_gpu) * out.loaders_per_node;
  out.stored = s.sample_bytes.value_or(Bytes(4.0 * tokens));
  out.decoded = s.decoded_bytes.value_or(Bytes(16.0 * tokens));
  out.decode_rate = s.decode_rate.value_or(1e9 / out.stored.si());
  return out;
}

InputCost price_input(const TrainingEstimator& estimator, const TrainingJob& job) {
  InputCost out;
  if (!job.input) {
    return out;
  }
  const InputSpec& s = *job.input;
  const InputLoad load = input_load(job, estimator.machine().gpus_per_node);
  const double samples = load.samples_per_rank * load.loaders_per_node;  // of a node
  BytesPerSecond rate = s.storage_bandwidth;
  if (s.file_system_bandwidth.si() > 0.0) {
    rate = min(rate, s.file_system_bandwidth / load.loading_nodes);
  }
  out.storage = samples * load.stored.si() / rate.si();
  out.decode = samples / (load.workers * load.decode_rate);
  out.copy = host_copy(estimator, load.samples_per_rank * load.decoded, false, s.pinned);
  out.prefetch = s.prefetch;
  out.blocks = !s.pinned;
  return out;
}

}  // namespace gpuplan::sim
