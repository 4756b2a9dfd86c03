#include "sim/training/step_costs.h"

#include <algorithm>

#include "sim/training/estimate.h"
#include "sim/training/offload_price.h"

namespace gpuplan::sim {

PhaseSum& PhaseSum::operator+=(const PhaseSum& other) {
  kernels += other.kernels;
  launches += other.launches;
  blocked += other.blocked;
  matrices += other.matrices;
  in_line += other.in_line;
  behind += other.behind;
  convolutions_by_memory += other.convolutions_by_memory;
  for (std::size_t i = 0; i < kTrainingParts; ++i) {
    parts[i] += other.parts[i];
  }
  return *this;
}

PhaseSum cost_of(const TrainingEstimator& estimator, const TrainingJob& job, const TrainingPhase& phase) {
  const double stretch = estimator.stretch(job), launch = estimator.launch(job).si();
  const bool blocking = *job.software.launch_blocking;
  double expert_kernels = 0.0, expert_launches = 0.0;
  PhaseSum out;
  for (const TrainingKernel& kernel : phase.kernels) {
    const bool streams = kernel.part == TrainingPart::elementwise || kernel.part == TrainingPart::optimizer;
    const kernels::Price price = estimator.price_of(kernel);
    const double time = kernel.count * (streams ? 1.0 : stretch) * price.time.si();
    if (kernel.part == TrainingPart::convolution && price.limiter == kernels::Limiter::hbm_bandwidth) {
      out.convolutions_by_memory += time;
    }
    out.kernels += time;
    out.parts[static_cast<std::size_t>(kernel.part)] += time;
    (blocking ? out.blocked : out.launches) += kernel.count * kernel.launches * launch;
    if (kernel.part == TrainingPart::experts) {
      expert_kernels += time;
      expert_launches += kernel.count * kernel.launches * launch;
    }
    if (kernel.part == TrainingPart::gemm || kernel.part == TrainingPart::experts) {
      out.matrices += time;
    }
  }
  // The host waits to learn how many tokens each expert gets: nothing of their launches was issued ahead.
  if (!blocking) {
    out.blocked += std::max(0.0, expert_launches - expert_kernels);
  }
  for (const TrainingCollective& one : phase.collectives) {
    const double time = one.count * estimator.price(one, job).si();
    (one.overlap == Overlap::none ? out.in_line : out.behind) += time;
  }
  return out;
}

PassCost passes_of(const TrainingEstimator& estimator, const TrainingJob& job, const LayerWork& work) {
  return {cost_of(estimator, job, work.forward), cost_of(estimator, job, work.backward),
          cost_of(estimator, job, work.recompute), cost_of(estimator, job, work.weights), work.flops};
}

double total_of(const TrainingEstimator& estimator, const TrainingJob& job,
                const std::vector<TrainingCollective>& all) {
  double sum = 0.0;
  for (const TrainingCollective& one : all) {
    sum += one.count * estimator.price(one, job).si();
  }
  return sum;
}

StreamCost streams_of(const TrainingEstimator& estimator, const TrainingJob& job, const LayerWork& work) {
  return {total_of(estimator, job, work.gather_forward),
          total_of(estimator, job, work.gather_backward),
          total_of(estimator, job, work.scatter),
          !work.gather_forward.empty() && work.gather_forward.front().overlap == Overlap::pass,
          load_time(estimator, job, work.load_forward),
          load_time(estimator, job, work.load_backward),
          job.software.overlap_offload.value_or(true)};
}

StageCost cost_of(const TrainingEstimator& estimator, const TrainingJob& job, const StageWork& work) {
  const auto exchange = [&](const std::vector<TrainingCollective>& all) {
    return ExchangeCost{total_of(estimator, job, all), !all.empty() && all.front().overlap == Overlap::pass};
  };
  // Most buckets are alike.
  ExchangeCost reduce = exchange(work.reduce);
  double priced = 0.0;
  for (const GradientBucket& bucket : work.buckets) {
    if (bucket.reduce.bytes.si() != priced) {
      priced = bucket.reduce.bytes.si();
      reduce.tail = estimator.price(bucket.reduce, job).si();
    }
    reduce.seconds += reduce.tail;
    reduce.hides = bucket.reduce.overlap == Overlap::pass;
  }
  return {work.layers,
          work.moe_layers,
          work.recomputed,
          work.first,
          work.last,
          cost_of(estimator, job, work.optimizer),
          reduce,
          exchange(work.parameters),
          cost_of(estimator, job, work.offload)};
}

double send_of(const TrainingEstimator& estimator, const TrainingJob& job, Bytes boundary) {
  return job.parallelism.pipeline > 1
             ? estimator.price({"send", collectives::Collective::send_recv, Group::pipeline, boundary}, job)
                   .si()
             : 0.0;
}

StepCosts costs_of(const TrainingEstimator& estimator, const TrainingJob& job, const TrainingStep& step) {
  StepCosts out;
  out.dense = passes_of(estimator, job, step.dense);
  out.sparse = passes_of(estimator, job, step.sparse);
  out.embedding = passes_of(estimator, job, step.embedding);
  out.head = passes_of(estimator, job, step.head);
  out.dense_stream = streams_of(estimator, job, step.dense);
  out.sparse_stream = streams_of(estimator, job, step.sparse);
  for (const LayerWork& layer : step.chain) {
    out.chain.push_back(passes_of(estimator, job, layer));
    out.chain_streams.push_back(streams_of(estimator, job, layer));
  }
  out.embedding_stream = streams_of(estimator, job, step.embedding);
  out.head_stream = streams_of(estimator, job, step.head);
  out.stages.reserve(step.stages.size());
  for (const StageWork& work : step.stages) {
    out.stages.push_back(cost_of(estimator, job, work));
  }
  out.send = send_of(estimator, job, step.boundary);
  out.rejoin = total_of(estimator, job, step.rejoin);
  out.input = price_input(estimator, job);
  return out;
}

}  // namespace gpuplan::sim
