#include "sim/training/estimate.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

namespace gpuplan::sim {

namespace {

// Sum of a phase on one rank.
struct PhaseTime {
  double kernels = 0.0;                // GPU busy
  double launches = 0.0;               // host busy
  double matrices = 0.0;               // kernels that a collective can hide behind
  double in_line = 0.0, behind = 0.0;  // collectives: in the way, and meant to hide behind matrices
  std::array<double, kTrainingParts> parts{};
};

// What runs on the compute stream of one layer pass once collectives that can hide do.
struct LayerTime {
  double time = 0.0, exposed = 0.0, launch_bound = 0.0;
};

class Assembly {
 public:
  Assembly(const TrainingEstimator& estimator, const TrainingJob& job)
      : estimator_(estimator),
        job_(job),
        stretch_(estimator.stretch()),
        launch_(estimator.constants().launch[static_cast<std::size_t>(job.software.framework)]) {}

  PhaseTime phase(const TrainingPhase& phase) const {
    PhaseTime out;
    for (const TrainingKernel& kernel : phase.kernels) {
      const bool streams = kernel.part == TrainingPart::elementwise || kernel.part == TrainingPart::optimizer;
      const double time = kernel.count * (streams ? 1.0 : stretch_) * estimator_.price(kernel).si();
      out.kernels += time;
      out.parts[static_cast<std::size_t>(kernel.part)] += time;
      out.launches += kernel.count * kernel.launches * launch_;
      if (kernel.part == TrainingPart::gemm || kernel.part == TrainingPart::experts) {
        out.matrices += time;
      }
    }
    out.launches *= *job_.software.cuda_graphs ? 0.1 : 1.0;
    for (const TrainingCollective& one : phase.collectives) {
      const double time = one.count * estimator_.price(one, job_).si();
      (one.overlap == Overlap::none ? out.in_line : out.behind) += time;
    }
    return out;
  }

  LayerTime layer(const PhaseTime& p) const {
    const StepConstants& c = estimator_.constants();
    const double hidden = std::min(c.hidden_by_matrices * p.behind, p.matrices);
    const double left = p.behind - hidden;
    const double busy = p.kernels + c.overlap_slowdown * hidden;
    LayerTime out;
    out.time = std::max(busy, p.launches) + p.in_line + left;
    out.exposed = p.in_line + left;
    out.launch_bound = std::max(0.0, p.launches - busy);
    return out;
  }

  double total(const std::vector<TrainingCollective>& all) const {
    double sum = 0.0;
    for (const TrainingCollective& one : all) {
      sum += one.count * estimator_.price(one, job_).si();
    }
    return sum;
  }

 private:
  const TrainingEstimator& estimator_;
  const TrainingJob& job_;
  double stretch_, launch_;
};

PhaseTime operator+(PhaseTime a, const PhaseTime& b) {
  a.kernels += b.kernels;
  a.launches += b.launches;
  a.matrices += b.matrices;
  a.in_line += b.in_line;
  a.behind += b.behind;
  for (std::size_t i = 0; i < kTrainingParts; ++i) {
    a.parts[i] += b.parts[i];
  }
  return a;
}

// A layer's passes, and what gathers and scatters its weights.
struct LayerCost {
  PhaseTime forward, backward, recompute, weights;
  double gather_forward = 0.0, gather_backward = 0.0, scatter = 0.0;
  bool hides = false;
};

LayerCost cost_of(const Assembly& assembly, const LayerWork& work) {
  LayerCost out;
  out.forward = assembly.phase(work.forward);
  out.backward = assembly.phase(work.backward);
  out.recompute = assembly.phase(work.recompute);
  out.weights = assembly.phase(work.weights);
  out.gather_forward = assembly.total(work.gather_forward);
  out.gather_backward = assembly.total(work.gather_backward);
  out.scatter = assembly.total(work.scatter);
  out.hides = !work.gather_forward.empty() && work.gather_forward.front().overlap == Overlap::pass;
  return out;
}

// `count` equal layers one after the other, weights streaming in (and gradients out) beside them.
LayerTime streamed(double count, const LayerTime& one, double streams, double lead, bool hides, double slow) {
  LayerTime out;
  out.launch_bound = count * one.launch_bound;
  if (streams <= 0.0 || count <= 0.0) {
    out.time = count * one.time;
    out.exposed = count * one.exposed;
    return out;
  }
  const double busy = one.time + slow * std::min(streams, one.time);
  const double each = hides ? std::max(busy, streams) : one.time + streams;
  out.time = count * each + (hides ? lead : 0.0);
  out.exposed = count * one.exposed + std::max(0.0, out.time - count * (hides ? busy : one.time));
  return out;
}

}  // namespace

double TrainingEstimator::stretch() const {
  const Gpu& gpu = machine_.gpu;
  if (gpu.architecture.starts_with("Hopper")) {
    const double watts = gpu.tdp.si() > 0.0 ? std::min(1.0, gpu.tdp.si() / constants_.hopper_watts) : 1.0;
    return constants_.stretch_hopper / std::cbrt(watts);
  }
  return gpu.architecture.starts_with("Blackwell") ? constants_.stretch_blackwell : constants_.stretch_ampere;
}

Seconds TrainingEstimator::price(const TrainingKernel& kernel) const {
  return std::visit(
      [&](const auto& op) {
        const Seconds whole = kernels_.price(op).time;
        if constexpr (requires { op.backward; }) {
          if (kernel.backward_share) {
            auto forward = op;
            forward.backward = false;
            return max(Seconds(0.0), whole - kernels_.price(forward).time);
          }
        }
        return whole;
      },
      kernel.operation);
}

Seconds TrainingEstimator::price(const TrainingCollective& collective, const TrainingJob& job) const {
  const GroupPlace where = place(collective.group, job, machine_.gpus_per_node);
  if (where.size < 2) {
    return Seconds(0.0);
  }
  return collectives_.price(communicator_of(where, machine_), {collective.kind, collective.bytes}).time;
}

StepEstimate TrainingEstimator::estimate(const TrainingJob& job, const TrainingStep& step) const {
  const Assembly assembly(*this, job);
  const StepConstants& c = constants_;
  const LayerCost dense = cost_of(assembly, step.dense), sparse = cost_of(assembly, step.sparse);
  const LayerCost embedding = cost_of(assembly, step.embedding), head = cost_of(assembly, step.head);
  const double send =
      job.parallelism.pipeline > 1
          ? price({"send", collectives::Collective::send_recv, Group::pipeline, step.boundary}, job).si()
          : 0.0;
  const double rejoin = assembly.total(step.rejoin);
  StepEstimate out;
  const double m = step.micro_batches;
  std::vector<double> launch_bound;
  double slowest = -1.0;
  for (const StageWork& work : step.stages) {
    StageTime t;
    double exposed = 0.0, forward = 0.0, backward = 0.0, weights = 0.0, bound = 0.0, streams = 0.0;
    std::array<double, kTrainingParts> parts{};
    const auto passes = [&](const LayerCost& cost, double count, double recomputed) {
      if (count <= 0.0) {
        return;
      }
      const LayerTime f = streamed(count, assembly.layer(cost.forward), cost.gather_forward,
                                   cost.gather_forward, cost.hides, c.overlap_slowdown);
      const LayerTime b =
          streamed(count, assembly.layer(cost.backward + cost.weights), cost.gather_backward + cost.scatter,
                   cost.scatter, cost.hides, c.overlap_slowdown);
      const LayerTime again = assembly.layer(cost.recompute);
      forward += f.time;
      backward += b.time + recomputed * again.time;
      weights += count * cost.weights.kernels;
      exposed += f.exposed + b.exposed + recomputed * again.exposed;
      bound += f.launch_bound + b.launch_bound + recomputed * again.launch_bound;
      streams += count * (cost.gather_forward + cost.gather_backward + cost.scatter);
      for (std::size_t i = 0; i < kTrainingParts; ++i) {
        parts[i] += count * (cost.forward.parts[i] + cost.backward.parts[i] + cost.weights.parts[i]) +
                    recomputed * cost.recompute.parts[i];
      }
    };
    const double layers = work.layers, with_experts = work.moe_layers;
    const double share = layers > 0.0 ? work.recomputed / layers : 0.0;
    passes(dense, layers - with_experts, share * (layers - with_experts));
    passes(sparse, with_experts, share * with_experts);
    passes(embedding, work.first ? 1.0 : 0.0, 0.0);
    passes(head, work.last ? 1.0 : 0.0, 0.0);
    // Every chunk of layers receives before and sends behind each pass; overlapped, only the last is seen.
    const double sends = job.parallelism.pipeline > 1 ? job.parallelism.virtual_stages : 0.0;
    const double seen = *job.software.overlap_pipeline ? 0.1 : 1.0;
    forward += sends * (send * seen + rejoin);
    backward += sends * (send * seen + rejoin);
    exposed += 2.0 * sends * (send * seen + rejoin);
    t.forward = Seconds(forward);
    t.backward = Seconds(backward);
    t.weights = Seconds(weights);
    t.exposed = Seconds(exposed);
    t.gather_reduce = Seconds(streams);
    out.stages.push_back(t);
    if (forward + backward > slowest) {
      slowest = forward + backward;
      out.slowest = out.stages.size() - 1;
      out.launch_bound_seconds = m * bound;
      for (std::size_t i = 0; i < kTrainingParts; ++i) {
        out.kernel_seconds[i] = m * parts[i];
      }
    }
  }
  const StageTime& t = out.stages[out.slowest];
  const StageWork& work = step.stages[out.slowest];
  out.steady = m * (t.forward + t.backward);
  out.bubble = pipeline_bubble(job, out.stages, out.slowest);
  // Over data, once a step: gradients hide behind the last backward pass, weights behind the first forward.
  const auto beside = [&](const std::vector<TrainingCollective>& all, double window) {
    double total = assembly.total(all);
    const bool hides = !all.empty() && all.front().overlap == Overlap::pass;
    const double layers = std::max(1, work.layers);
    const double hidden = hides ? std::min(total * (layers - 1.0) / layers, window) : 0.0;
    return Seconds(total - hidden + c.overlap_slowdown * hidden);
  };
  const double passes = job.parallelism.virtual_stages > 1 ? job.parallelism.pipeline : 1.0;
  out.reduce = beside(work.reduce, passes * t.backward.si());
  out.gather = beside(work.parameters, passes * t.forward.si());
  const PhaseTime optimizer = assembly.phase(work.optimizer);
  out.optimizer = Seconds(std::max(optimizer.kernels, optimizer.launches));
  out.kernel_seconds[static_cast<std::size_t>(TrainingPart::optimizer)] = optimizer.kernels;
  out.transfer = work.host_transfer / machine_.gpu.pcie_bandwidth;
  out.overhead = Seconds(c.step_overhead);
  out.exposed = m * t.exposed + out.reduce + out.gather;
  const Seconds sum =
      out.steady + out.bubble + out.reduce + out.gather + out.optimizer + out.transfer + out.overhead;
  out.straggle =
      sum * (c.jitter * std::sqrt(2.0 * std::log(static_cast<double>(std::max(1, machine_.nodes)))));
  out.step = sum + out.straggle;
  out.model_flops = step.model_flops;
  double again = 0.0;
  for (const StageWork& s : step.stages) {
    const double layers = std::max(1, s.layers);
    again +=
        s.recomputed *
        ((s.layers - s.moe_layers) / layers * step.dense.flops + s.moe_layers / layers * step.sparse.flops) /
        3.0;
  }
  const double whole = job.recompute == Recompute::full ? 1.0 : 0.0;
  out.hardware_flops = step.model_flops + whole * again * job.parallelism.tensor * job.parallelism.context *
                                              m * static_cast<double>(job.data());
  out.spread80 = c.spread80;
  return out;
}

}  // namespace gpuplan::sim
