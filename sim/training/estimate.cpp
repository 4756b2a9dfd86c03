#include "sim/training/estimate.h"

#include <algorithm>
#include <cmath>

namespace gpuplan::sim {

namespace {

LayerTime operator*(LayerTime t, double factor) {
  return {t.time * factor, t.exposed * factor, t.launch_bound * factor};
}
LayerTime operator+(LayerTime a, const LayerTime& b) {
  return {a.time + b.time, a.exposed + b.exposed, a.launch_bound + b.launch_bound};
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

double TrainingEstimator::stretch(const TrainingJob& job) const {
  const Gpu& gpu = machine_.gpu;
  const auto slower = [&](double watts) {
    return gpu.tdp.si() > 0.0 ? std::cbrt(watts / gpu.tdp.si()) : 1.0;
  };
  const bool wide = bytes_per_element(job.precision.compute) >= 2.0;
  if (gpu.architecture.starts_with("Hopper")) {
    return constants_.stretch_hopper * std::max(1.0, slower(constants_.hopper_watts)) *
           (wide ? 1.0 : constants_.hopper_8_bit);
  }
  if (gpu.architecture.starts_with("Blackwell")) {
    return constants_.stretch_blackwell * slower(constants_.blackwell_watts) *
           (wide ? constants_.blackwell_16_bit : 1.0);
  }
  return constants_.stretch_ampere;
}

LayerTime TrainingEstimator::layer_time(const PhaseSum& p) const {
  const double hidden = std::min(constants_.hidden_by_matrices * p.behind, p.matrices);
  const double left = p.behind - hidden;
  const double busy = p.kernels + constants_.overlap_slowdown * hidden;
  LayerTime out;
  out.time = std::max(busy, p.launches) + p.blocked + p.in_line + left;
  out.exposed = p.in_line + left;
  out.launch_bound = std::max(0.0, p.launches - busy) + p.blocked;
  return out;
}

Seconds TrainingEstimator::launch(const TrainingJob& job) const {
  return Seconds(constants_.launch[static_cast<std::size_t>(job.software.framework)] *
                 (*job.software.cuda_graphs       ? 0.1
                  : *job.software.launch_blocking ? constants_.launch_blocking
                                                  : 1.0));
}

kernels::Price TrainingEstimator::price_of(const TrainingKernel& kernel) const {
  return std::visit(
      [&](const auto& op) {
        kernels::Price whole = kernels_.price(op);
        if constexpr (requires { op.backward; }) {
          if (kernel.backward_share) {
            auto forward = op;
            forward.backward = false;
            const kernels::Price less = kernels_.price(forward);
            whole.time = max(Seconds(0.0), whole.time - less.time);
            whole.compute = max(Seconds(0.0), whole.compute - less.compute);
            whole.hbm = max(Seconds(0.0), whole.hbm - less.hbm);
            whole.hbm_bytes = max(Bytes(0.0), whole.hbm_bytes - less.hbm_bytes);
          }
        }
        return whole;
      },
      kernel.operation);
}

Seconds TrainingEstimator::price(const TrainingKernel& kernel) const { return price_of(kernel).time; }

collectives::CollectivePrice TrainingEstimator::price_of(const TrainingCollective& collective,
                                                         const TrainingJob& job) const {
  const GroupPlace where = place(collective.group, job, machine_.gpus_per_node);
  if (where.size < 2) {
    return {};
  }
  // Of k experts on n nodes n (1 - (1 - 1/n)^k) nodes are hit on average, where experts are chosen alike.
  const double nodes = where.nodes, experts = collective.experts_of_token;
  const double copies = nodes * (1.0 - std::pow(1.0 - 1.0 / nodes, experts));
  const double share = experts > 0.0 && nodes > 1.0 ? copies / experts : 1.0;
  const FabricLoss& loss = machine_.losses[static_cast<std::size_t>(collective.group)];
  const collectives::CollectiveOperation operation{collective.kind, collective.bytes * share};
  collectives::CollectivePrice price = collectives_.price(communicator_of(where, machine_), operation);
  if (loss.network < 1.0 || loss.nvlink < 1.0) {  // NCCL does not know who shares its NIC
    price = collectives_.price(communicator_of(where, machine_, loss), operation,
                               {.algorithm = price.choice.algorithm, .protocol = price.choice.protocol});
  }
  price.time += loss.pass * (collective.kind == collectives::Collective::all_reduce ? 2.0 : 1.0);
  return price;
}

Seconds TrainingEstimator::price(const TrainingCollective& collective, const TrainingJob& job) const {
  return price_of(collective, job).time;
}

StepEstimate TrainingEstimator::estimate(const TrainingJob& job, const TrainingStep& step) const {
  return estimate(job, costs_of(*this, job, step));
}

namespace {

// How much longer `count` equal layers take for weights that come from the host beside them: another link,
// so the longest of computation, gathering and loading sets the pace.
double loaded(double count, const LayerTime& layers, double load, bool hides) {
  if (load <= 0.0 || count <= 0.0) {
    return 0.0;
  }
  return hides ? load + (count - 1.0) * std::max(0.0, load - layers.time / count) : count * load;
}

// One micro-batch on one stage, and what the report tells of it.
struct StageSum {
  StageTime time;
  double launch_bound = 0.0, convolutions_by_memory = 0.0;
  std::array<double, kTrainingParts> parts{};
};

// `count` equal layers, of which `recomputed` run their forward pass once more. leads: share of passes in
// front of and behind which nothing runs that hides the first gather and the last scatter.
void add_passes(const TrainingEstimator& estimator, const PassCost& cost, const StreamCost& stream,
                double count, double recomputed, StageSum& out, double leads) {
  if (count <= 0.0) {
    return;
  }
  const double slow = estimator.constants().overlap_slowdown;
  const LayerTime f = streamed(count, estimator.layer_time(cost.forward), stream.gather_forward,
                               leads * stream.gather_forward, stream.hides, slow);
  // Gathers and scatters hide behind what is computed again as well.
  const LayerTime again = estimator.layer_time(cost.recompute) * (recomputed / count);
  PhaseSum both = cost.backward;
  both += cost.weights;
  const LayerTime b =
      streamed(count, estimator.layer_time(both) + again, stream.gather_backward + stream.scatter,
               leads * stream.scatter, stream.hides, slow);
  StageTime& t = out.time;
  const double waits_forward = loaded(count, f, stream.load_forward, stream.load_hides),
               waits_backward = loaded(count, b, stream.load_backward, stream.load_hides);
  t.forward += Seconds(f.time + waits_forward);
  t.backward += Seconds(b.time + waits_backward);
  t.loaded += Seconds(waits_forward + waits_backward);
  t.weights += Seconds(count * cost.weights.kernels);
  t.exposed += Seconds(f.exposed + b.exposed);
  t.gather_reduce += Seconds(count * (stream.gather_forward + stream.gather_backward + stream.scatter));
  out.launch_bound += f.launch_bound + b.launch_bound;
  out.convolutions_by_memory += count * (cost.forward.convolutions_by_memory + both.convolutions_by_memory) +
                                recomputed * cost.recompute.convolutions_by_memory;
  for (std::size_t i = 0; i < kTrainingParts; ++i) {
    out.parts[i] += count * (cost.forward.parts[i] + cost.backward.parts[i] + cost.weights.parts[i]) +
                    recomputed * cost.recompute.parts[i];
  }
}

StageSum stage_sum(const TrainingEstimator& estimator, const TrainingJob& job, const StepCosts& costs,
                   const StageCost& work) {
  StageSum out;
  const double layers = work.layers, with_experts = work.moe_layers;
  const double share = layers > 0.0 ? work.recomputed / layers : 0.0;
  const double once = 1.0 / job.micro_batches();  // a step's other passes hide each other's
  add_passes(estimator, costs.dense, costs.dense_stream, layers - with_experts,
             share * (layers - with_experts), out, once);
  add_passes(estimator, costs.sparse, costs.sparse_stream, with_experts, share * with_experts, out, once);
  for (std::size_t i = 0; i < costs.chain.size(); ++i) {
    add_passes(estimator, costs.chain[i], costs.chain_streams.empty() ? StreamCost{} : costs.chain_streams[i],
               1.0, static_cast<int>(i) < work.recomputed ? 1.0 : 0.0, out, i == 0 ? once : 0.0);
  }
  add_passes(estimator, costs.embedding, costs.embedding_stream, work.first ? 1.0 : 0.0, 0.0, out, 0.0);
  add_passes(estimator, costs.head, costs.head_stream, work.last ? 1.0 : 0.0, 0.0, out, 0.0);
  // Every chunk of layers receives before and sends behind each pass; overlapped, only the last is seen.
  const double sends = job.parallelism.pipeline > 1 ? job.parallelism.virtual_stages : 0.0;
  const Seconds boundary(sends * (costs.send * (*job.software.overlap_pipeline ? 0.1 : 1.0) + costs.rejoin));
  out.time.forward += boundary;
  out.time.backward += boundary;
  out.time.exposed += 2.0 * boundary;
  return out;
}

void add_flops(const TrainingJob& job, const StepCosts& costs, StepEstimate& out) {
  const double everywhere = static_cast<double>(job.micro_batches()) * job.parallelism.tensor *
                            job.parallelism.context * static_cast<double>(job.data());
  double flops = costs.head.flops + costs.embedding.flops, again = 0.0;
  for (std::size_t i = 0; i < costs.chain.size(); ++i) {
    flops += costs.chain[i].flops;
    again += static_cast<int>(i) < costs.stages.front().recomputed ? costs.chain[i].flops / 3.0 : 0.0;
  }
  for (const StageCost& s : costs.stages) {
    const double layers = (s.layers - s.moe_layers) * costs.dense.flops + s.moe_layers * costs.sparse.flops;
    flops += layers;
    again += s.layers > 0 ? s.recomputed * layers / s.layers / 3.0 : 0.0;
  }
  out.model_flops = flops * everywhere;
  out.hardware_flops = (flops + (job.recompute == Recompute::full ? again : 0.0)) * everywhere;
}

}  // namespace

StepEstimate TrainingEstimator::estimate(const TrainingJob& job, const StepCosts& costs) const {
  const StepConstants& c = constants_;
  StepEstimate out;
  out.stages.reserve(costs.stages.size());
  const double m = job.micro_batches();
  Seconds slowest{-1.0};
  for (const StageCost& work : costs.stages) {
    const StageSum sum = stage_sum(*this, job, costs, work);
    const Seconds both = sum.time.forward + sum.time.backward;
    if (both > slowest) {
      slowest = both;
      out.slowest = out.stages.size();
      out.launch_bound_seconds = m * sum.launch_bound;
      out.convolutions_by_memory = m * sum.convolutions_by_memory;
      for (std::size_t i = 0; i < kTrainingParts; ++i) {
        out.kernel_seconds[i] = m * sum.parts[i];
      }
    }
    out.stages.push_back(sum.time);
  }
  const StageTime& t = out.stages[out.slowest];
  const StageCost& work = costs.stages[out.slowest];
  out.steady = m * (t.forward + t.backward);
  out.bubble = pipeline_bubble(job, out.stages, out.slowest);
  // Over data, once a step: gradients hide behind the last backward pass, weights behind the first forward.
  const auto beside = [&](const ExchangeCost& exchange, double window) {
    const double layers = std::max(1, work.layers);
    const double before =
        exchange.tail > 0.0 ? exchange.seconds - exchange.tail : exchange.seconds * (layers - 1.0) / layers;
    const double hidden = exchange.hides ? std::min(before, window) : 0.0;
    return Seconds(exchange.seconds - hidden + c.overlap_slowdown * hidden);
  };
  const double passes = job.parallelism.virtual_stages > 1 ? job.parallelism.pipeline : 1.0;
  out.reduce = beside(work.reduce, passes * t.backward.si());
  out.gather = beside(work.parameters, passes * t.forward.si());
  out.optimizer = Seconds(std::max(work.optimizer.kernels, work.optimizer.launches));
  out.kernel_seconds[static_cast<std::size_t>(TrainingPart::optimizer)] = work.optimizer.kernels;
  // Gradients go down as the last backward pass yields them; weights come back as the CPU writes them.
  const OffloadCost& off = work.offload;
  const double share = off.overlaps ? (work.layers - 1.0) / std::max(1, work.layers) : 0.0;
  const double down = off.gradients - std::min(off.gradients * share, passes * t.backward.si());
  const double up = off.overlaps ? std::max(0.0, off.weights - off.pass) : off.weights;
  out.host_optimizer = Seconds(off.pass);
  out.transfer = Seconds(down + up);
  out.overhead = Seconds(c.step_overhead);
  out.exposed = m * t.exposed + out.reduce + out.gather;
  const Seconds sum = out.steady + out.bubble + out.reduce + out.gather + out.optimizer + out.transfer +
                      out.host_optimizer + out.overhead;
  out.straggle =
      sum * (c.jitter * std::sqrt(2.0 * std::log(static_cast<double>(std::max(1, machine_.nodes)))));
  out.step = sum + out.straggle;
  const InputCost& in = costs.input;
  out.input = Seconds(in.prefetch ? (in.blocks ? in.copy : 0.0) : in.total());
  if (in.prefetch) {  // the loader's pace, where it is the slower one
    out.input += max(Seconds(0.0), Seconds(in.total()) - (out.step + out.input));
  }
  out.step += out.input;
  out.transfer += m * t.loaded;
  double kernels = 0.0;
  for (const double seconds : out.kernel_seconds) {
    kernels += seconds;
  }
  out.slowed = max(Seconds(0.0), out.steady + out.optimizer - Seconds(kernels + out.launch_bound_seconds) -
                                     m * (t.exposed + t.loaded));
  add_flops(job, costs, out);
  out.spread80 = job.model.moe                                        ? c.spread_experts
                 : job.sees_images()                                  ? c.spread_images
                 : machine_.gpu.architecture.starts_with("Blackwell") ? c.spread_blackwell
                                                                      : c.spread;
  return out;
}

}  // namespace gpuplan::sim
