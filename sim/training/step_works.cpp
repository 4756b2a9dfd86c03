#include "sim/training/step_works.h"

#include <fmt/format.h>

#include <algorithm>

#include "sim/collective/gpu_demand.h"
#include "sim/training/offload_price.h"

namespace gpuplan::sim {

namespace {

StepDemand& operator+=(StepDemand& a, const StepDemand& b) {
  a.sm_seconds += b.sm_seconds;
  a.hbm += b.hbm;
  a.nvlink += b.nvlink;
  a.nic += b.nic;
  a.pcie += b.pcie;
  return a;
}

StepDemand operator*(StepDemand a, double factor) {
  return {a.sm_seconds * factor, a.hbm * factor, a.nvlink * factor, a.nic * factor, a.pcie * factor};
}

// Kernels and collectives of one phase, one after the other.
struct PhaseWork {
  PhaseSum sum;
  double heavy = 0.0;               // of its kernels: matrix products and attention, which fill the SMs
  StepDemand demand, heavy_demand;  // of all but those, and of those
  bool with_data = false;           // a collective over data-parallel ranks lies in it
};

PhaseWork operator+(PhaseWork a, const PhaseWork& b) {
  a.sum.kernels += b.sum.kernels;
  a.sum.matrices += b.sum.matrices;
  a.sum.launches += b.sum.launches;
  a.sum.blocked += b.sum.blocked;
  a.sum.in_line += b.sum.in_line;
  a.sum.behind += b.sum.behind;
  a.heavy += b.heavy;
  a.demand += b.demand;
  a.heavy_demand += b.heavy_demand;
  a.with_data = a.with_data || b.with_data;
  return a;
}

class Works {
 public:
  Works(const TrainingEstimator& estimator, const TrainingJob& job, const TrainingStep& step)
      : estimator_(estimator), job_(job), step_(step), resources_(resources_of(estimator)) {}

  StepWorks all() {
    const std::array<const LayerWork*, kBlocks> layers = {&step_.dense, &step_.sparse, &step_.embedding,
                                                          &step_.head};
    constexpr std::array<const char*, kBlocks> kNames = {"layer", "layer with experts", "embedding", "head"};
    for (std::size_t i = 0; i < kBlocks; ++i) {
      const bool named = !layers[i]->name.empty();
      out_.blocks.push_back(block(named ? layers[i]->name.c_str() : kNames[i], *layers[i]));
    }
    for (const LayerWork& layer : step_.chain) {
      out_.blocks.push_back(block(layer.name, layer));
    }
    for (const StageWork& stage : step_.stages) {
      out_.stages.push_back(stage_works(stage));
    }
    if (job_.parallelism.pipeline > 1) {
      out_.send = collective(
          {"send to the next stage", collectives::Collective::send_recv, Group::pipeline, step_.boundary},
          StepPart::send, StepStream::send);
    }
    if (!step_.rejoin.empty()) {
      TrainingPhase gather;
      gather.collectives.push_back(step_.rejoin.front());
      out_.rejoin = compute("gather what was received", StepPart::forward, phase(gather), {}).whole;
    }
    add_input();
    out_.nothing =
        put({"no layer", StepStream::compute, StepPart::forward, Meet::none, Seconds(0.0), Seconds(0.0), {}});
    return std::move(out_);
  }

  static RankResources resources_of(const TrainingEstimator& estimator) {
    const TrainingMachine& m = estimator.machine();
    const auto positive = [](double x) { return x > 0.0 ? x : 1.0; };
    double network = 1.0, nvlink = 1.0;  // that faults left to the slowest group
    for (const FabricLoss& loss : m.losses) {
      network = std::min(network, loss.network);
      nvlink = std::min(nvlink, loss.nvlink);
    }
    return {positive(m.gpu.sm_count), positive(estimator.achievable_hbm().si()),
            positive(nvlink * m.gpu.scale_up_bandwidth.si()),
            positive(network * m.node.nic_bandwidth.si() * m.node.nic_count / std::max(1, m.gpus_per_node)),
            positive(m.gpu.pcie_bandwidth.si())};
  }

 private:
  PhaseWork phase(const TrainingPhase& phase) const {
    PhaseWork out;
    for (const TrainingKernel& kernel : phase.kernels) {
      const bool streams = kernel.part == TrainingPart::elementwise || kernel.part == TrainingPart::optimizer;
      const kernels::Price price = estimator_.price_of(kernel);
      const double stretch = streams ? 1.0 : estimator_.stretch(job_);
      out.heavy += streams ? 0.0 : kernel.count * stretch * price.time.si();
      StepDemand demand;
      demand.sm_seconds = kernel.count * stretch * sm_seconds(price, estimator_.machine().gpu.sm_count);
      demand.hbm = kernel.count * price.hbm_bytes.si();
      (streams ? out.demand : out.heavy_demand) += demand;
    }
    for (const TrainingCollective& one : phase.collectives) {
      out.demand += demand_of(one, estimator_.price_of(one, job_)) * one.count;
      out.with_data = out.with_data || one.group == Group::data;
    }
    out.sum = cost_of(estimator_, job_, phase);
    return out;
  }

  StepDemand demand_of(const TrainingCollective& one, const collectives::CollectivePrice& price) const {
    const GroupPlace where = place(one.group, job_, estimator_.machine().gpus_per_node);
    if (where.size < 2) {
      return {};
    }
    StepDemand out;
    out.sm_seconds = price.choice.channels * price.time.si();
    out.hbm = hbm_bytes({one.kind, one.bytes}, price.choice.algorithm, where.size).si();
    out.nvlink = where.per_node > 1 ? price.parts.wire_bytes : 0.0;
    out.nic = where.nodes > 1 ? price.parts.net_bytes / where.per_node : 0.0;
    return out;
  }

  // No piece of work asks for more of a resource than it gets alone.
  [[nodiscard]] StepDemand within(StepDemand d, double alone) const {
    return {std::min(d.sm_seconds, alone * resources_.sms), std::min(d.hbm, alone * resources_.hbm),
            std::min(d.nvlink, alone * resources_.nvlink), std::min(d.nic, alone * resources_.nic),
            std::min(d.pcie, alone * resources_.pcie)};
  }

  std::uint32_t put(StepWork work) {
    work.demand = within(work.demand, work.alone.si());
    out_.works.push_back(std::move(work));
    return static_cast<std::uint32_t>(out_.works.size() - 1);
  }

  // `again`: computed before it, on its own: host launches of one do not hide behind the other.
  ComputeWork compute(const std::string& name, StepPart part, const PhaseWork& p, const PhaseWork& again) {
    const LayerTime own = estimator_.layer_time(p.sum), more = estimator_.layer_time(again.sum);
    const double time = own.time + more.time, heavy = std::min(time, p.heavy + again.heavy);
    StepWork work{name,        StepStream::compute, part,
                  Meet::block, Seconds(time),       Seconds(own.exposed + more.exposed),
                  p.demand};
    work.meet = p.with_data || again.with_data ? Meet::data : Meet::block;
    work.demand += again.demand;
    StepDemand filled = p.heavy_demand;
    filled += again.heavy_demand;
    StepWork fills = work, light = work;
    fills.name += ", matrices";
    fills.alone = Seconds(heavy);
    fills.demand = filled;
    fills.in_line = Seconds(0.0);
    fills.meet = Meet::none;
    light.name += ", the rest";
    light.alone = Seconds(time - heavy);
    work.demand += filled;
    ComputeWork out;
    out.whole = put(std::move(work));
    out.parts = {put(std::move(fills)), put(std::move(light))};
    return out;
  }

  std::uint32_t collective(const TrainingCollective& one, StepPart part, StepStream stream,
                           double share = 1.0) {
    const collectives::CollectivePrice price = estimator_.price_of(one, job_);
    const double count = one.count * share;
    return put({std::string(one.name), stream, part, meet_of(one.group), price.time * count, Seconds(0.0),
                demand_of(one, price) * count});
  }

  static Meet meet_of(Group group) {
    switch (group) {
      case Group::shard:
        return Meet::shard;
      case Group::replica:
        return Meet::replica;
      case Group::data:
        return Meet::data;
      case Group::tensor:
      case Group::context:
      case Group::expert:
        return Meet::block;
      case Group::pipeline:
        return Meet::none;
    }
    return Meet::none;
  }

  std::vector<std::uint32_t> collectives_of(const std::vector<TrainingCollective>& all, StepPart part,
                                            double share = 1.0) {
    std::vector<std::uint32_t> out;
    out.reserve(all.size());
    for (const TrainingCollective& one : all) {
      out.push_back(collective(one, part, StepStream::data, share));
    }
    return out;
  }

  BlockWorks block(const std::string& name, const LayerWork& work) {
    BlockWorks out;
    const PhaseWork forward = phase(work.forward), again = phase(work.recompute),
                    inputs = phase(work.backward), weights = phase(work.weights);
    const PhaseWork both = inputs + weights, none;
    out.forward = compute(name + " forward", StepPart::forward, forward, none);
    out.backward = {compute(name + " backward", StepPart::backward, both, none),
                    compute(name + " recomputed, backward", StepPart::backward, both, again)};
    out.inputs = {compute(name + " backward, inputs", StepPart::backward, inputs, none),
                  compute(name + " recomputed, inputs", StepPart::backward, inputs, again)};
    out.weights = compute(name + " backward, weights", StepPart::backward, weights, none);
    out.gather_forward = collectives_of(work.gather_forward, StepPart::weights);
    out.gather_backward = collectives_of(work.gather_backward, StepPart::weights);
    out.scatter = collectives_of(work.scatter, StepPart::gradients);
    out.hides = !work.gather_forward.empty() && work.gather_forward.front().overlap == Overlap::pass;
    out.load_hides = job_.software.overlap_offload.value_or(true);
    out.load_forward = load(work.load_forward, out.gather_forward);
    out.load_backward = load(work.load_backward, out.gather_backward);
    return out;
  }

  // A copy over the host's link that takes `seconds`.
  std::uint32_t copy(const char* name, StepStream stream, StepPart part, double seconds, Bytes bytes) {
    StepDemand demand;
    demand.pcie = demand.hbm = bytes.si();
    return put({name, stream, part, Meet::none, Seconds(seconds), Seconds(0.0), demand});
  }

  std::optional<std::uint32_t> load(Bytes bytes, const std::vector<std::uint32_t>& gathers) {
    if (bytes.si() <= 0.0) {
      return std::nullopt;
    }
    const double seconds = load_time(estimator_, job_, bytes);
    double gathered = 0.0;
    for (const std::uint32_t work : gathers) {
      gathered += out_.works[work].alone.si();
    }
    for (const std::uint32_t work : gathers) {
      out_.works[work].from_host = seconds > gathered;
    }
    return copy("weights from the host", StepStream::load, StepPart::load, seconds, bytes);
  }

  void add_input() {
    if (!job_.input) {
      return;
    }
    const InputCost cost = price_input(estimator_, job_);
    const InputLoad what = input_load(job_, estimator_.machine().gpus_per_node);
    const double loader = cost.prefetch ? cost.loader() : cost.storage + cost.decode;
    out_.input_loader = put({"input, read and decoded",
                             StepStream::input,
                             StepPart::input,
                             Meet::none,
                             Seconds(loader),
                             Seconds(0.0),
                             {}});
    out_.input_copy = copy("input to the GPU", StepStream::load, StepPart::input, cost.copy,
                           what.samples_per_rank * what.decoded);
    out_.input_prefetches = cost.prefetch;
    out_.input_blocks = cost.blocks;
  }

  void add_offload(const OffloadWork& work, double share, StageWorks& out) {
    const OffloadCost cost = gpuplan::sim::cost_of(estimator_, job_, work);
    if (cost.pass <= 0.0) {
      return;
    }
    if (cost.overlaps) {
      out.store_slice = copy("gradients to the host", StepStream::store, StepPart::load,
                             share * cost.gradients, work.gradients * share);
    } else {
      out.store =
          copy("gradients to the host", StepStream::store, StepPart::load, cost.gradients, work.gradients);
    }
    out.host_pass = put({"optimiser on the host",
                         StepStream::compute,
                         StepPart::host,
                         Meet::none,
                         Seconds(cost.pass),
                         Seconds(0.0),
                         {}});
    if (work.weights.si() > 0.0) {
      out.load =
          copy("new weights from the host", StepStream::load, StepPart::load, cost.weights, work.weights);
    }
  }

  StageWorks stage_works(const StageWork& stage) {
    StageWorks out;
    const auto hides = [](const std::vector<TrainingCollective>& all) {
      return !all.empty() && all.front().overlap == Overlap::pass;
    };
    const double share = 1.0 / std::max(1, stage.layers);
    out.reduce_hides = hides(stage.reduce);
    out.reduce = collectives_of(stage.reduce, StepPart::gradients, out.reduce_hides ? share : 1.0);
    for (const GradientBucket& bucket : stage.buckets) {
      out.buckets.emplace_back(collective(bucket.reduce, StepPart::gradients, StepStream::data),
                               bucket.after);
      out.reduce_hides = bucket.reduce.overlap == Overlap::pass;
    }
    out.parameters_hide = hides(stage.parameters);
    out.parameters = collectives_of(stage.parameters, StepPart::weights, out.parameters_hide ? share : 1.0);
    const PhaseWork optimizer = phase(stage.optimizer);
    if (optimizer.sum.kernels > 0.0) {
      out.optimizer = put({"optimiser", StepStream::compute, StepPart::optimizer, Meet::none,
                           Seconds(std::max(optimizer.sum.kernels, optimizer.sum.launches)), Seconds(0.0),
                           optimizer.demand});
    }
    add_offload(stage.offload, share, out);
    out.host = put({"host, once a step",
                    StepStream::compute,
                    StepPart::host,
                    Meet::none,
                    Seconds(estimator_.constants().step_overhead),
                    Seconds(0.0),
                    {}});
    return out;
  }

  const TrainingEstimator& estimator_;
  const TrainingJob& job_;
  const TrainingStep& step_;
  RankResources resources_;
  StepWorks out_;
};

}  // namespace

RankResources resources_of(const TrainingEstimator& estimator) { return Works::resources_of(estimator); }

StepWorks price_works(const TrainingEstimator& estimator, const TrainingJob& job, const TrainingStep& step) {
  return Works(estimator, job, step).all();
}

}  // namespace gpuplan::sim
