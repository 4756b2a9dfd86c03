#include "sim/plan/training_space.h"

#include <algorithm>

namespace gpuplan::sim {

namespace {

std::vector<int> divisors(int of) {
  std::vector<int> out;
  for (int d = 1; d <= of; ++d) {
    if (of % d == 0) {
      out.push_back(d);
    }
  }
  return out;
}

// Those given, or the others.
template <class T>
std::vector<T> given_or(const std::vector<T>& given, std::vector<T> otherwise) {
  return given.empty() ? std::move(otherwise) : given;
}

std::vector<int> contexts(const TrainingScenario& s, int gpus) {
  constexpr std::int64_t tokens_of_rank = 4096;  // shorter shares are not worth a ring
  std::vector<int> out;
  for (int c = 1; c <= gpus && (c == 1 || s.job.batch.seq_len / c >= tokens_of_rank); c *= 2) {
    out.push_back(c);
  }
  return out;
}

std::vector<int> powers_of_two(const std::vector<int>& all) {
  std::vector<int> out;
  std::copy_if(all.begin(), all.end(), std::back_inserter(out), [](int n) { return (n & (n - 1)) == 0; });
  return out;
}

// Chunks that divide the layers evenly, or, with embedding and head as a layer each, layers + 2.
std::vector<int> chunks_of(const Model& model, int pipeline, bool exhaustive) {
  constexpr int usual = 8;
  std::vector<int> out = {1};
  const int most = pipeline > 1 ? (model.layers + 2) / pipeline : 1;
  for (int v = 2; v <= (exhaustive ? most : std::min(most, usual)); ++v) {
    if (model.layers % (pipeline * v) == 0 || (model.layers + 2) % (pipeline * v) == 0) {
      out.push_back(v);
    }
  }
  return out;
}

// The choices of one split, independent of each other.
struct Choices {
  std::vector<int> virtual_stages, micro_batch, recompute_layers, shard_group;
  std::vector<Sharding> sharding;
  std::vector<Recompute> recompute;
  std::vector<Offload> offload;
  std::vector<bool> sequence_parallel, either;  // either: of flags that an exhaustive search sets both ways
};

Choices choices_of(const TrainingScenario& s, const PlanSplit& split) {
  const PlanSpec& plan = s.spec.plan;
  const TrainingJob& job = s.job;
  Choices out;
  const int layers = std::max(1, job.model.layers / split.pipeline);
  out.virtual_stages = given_or(plan.virtual_stages, chunks_of(job.model, split.pipeline, plan.exhaustive));
  const std::vector<int> batches = divisors(std::max(1, job.batch.global_batch / split.data));
  out.micro_batch = given_or(plan.micro_batch, plan.exhaustive ? batches : powers_of_two(batches));
  const int ranks = split.data * split.context;
  if (ranks == 1) {
    out.sharding = {Sharding::ddp};
  } else {
    out.sharding = given_or(plan.sharding, {Sharding::ddp, Sharding::zero1, Sharding::zero2, Sharding::fsdp});
  }
  out.shard_group = {0};
  const int near = s.machine.gpus_per_node / std::min(s.machine.gpus_per_node, split.tensor);
  if (near > 1 && near < ranks && ranks % near == 0) {
    out.shard_group.push_back(near);  // HSDP: one copy a node
  }
  std::vector<Recompute> again = {Recompute::none};
  const bool convnet = job.convnet() != nullptr;
  if (!convnet && *job.software.attention == AttentionKernel::standard) {
    again.push_back(Recompute::selective);  // FlashAttention keeps no scores: nothing to save
  }
  if (!convnet &&
      (job.software.framework == Framework::compiled || job.software.framework == Framework::fsdp)) {
    again.push_back(Recompute::operations);
  }
  again.push_back(Recompute::full);
  out.recompute = given_or(plan.recompute, again);
  out.recompute_layers = {0};
  for (int n = 1; plan.exhaustive && n < layers; ++n) {
    out.recompute_layers.push_back(n);
  }
  out.offload = given_or(plan.offload, {job.offload});
  out.sequence_parallel = {split.tensor > 1 &&
                           s.given.parallelism.sequence_parallel.value_or(
                               !job.sees_images() && (job.software.framework == Framework::megatron ||
                                                      job.software.framework == Framework::compiled))};
  if (plan.exhaustive && split.tensor > 1 && !s.given.parallelism.sequence_parallel) {
    out.sequence_parallel = {true, false};
  }
  return out;
}

std::vector<PipelineSchedule> schedules_of(const PlanSpec& plan, const PlanPoint& point) {
  using enum PipelineSchedule;
  if (point.pipeline == 1) {
    return {one_forward_one_backward};
  }
  if (!plan.schedule.empty()) {
    return plan.schedule;
  }
  if (point.virtual_stages > 1) {
    return {interleaved};
  }
  return plan.exhaustive ? std::vector{one_forward_one_backward, gpipe, zero_bubble, dualpipe}
                         : std::vector{one_forward_one_backward};
}

// Orders that a split can tell apart: groups of one rank have no place, and within a node all places are
// equal.
std::vector<int> orders_of(const TrainingScenario& s, const PlanSplit& split) {
  const PlanSpec& plan = s.spec.plan;
  std::vector<int> out = {0};
  const auto& orders = placement_orders();
  if ((!plan.exhaustive && !plan.placements) || split.nodes == 1) {
    return out;
  }
  const auto shape = [&](std::size_t order) {
    std::vector<Group> kept;
    for (const Group group : orders[order]) {
      const int degree = group == Group::tensor     ? split.tensor
                         : group == Group::context  ? split.context
                         : group == Group::pipeline ? split.pipeline
                                                    : split.data;
      if (degree > 1) {
        kept.push_back(group);
      }
    }
    return kept;
  };
  std::vector<std::vector<Group>> seen = {shape(0)};
  for (std::size_t i = 1; i < orders.size(); ++i) {
    std::vector<Group> one = shape(i);
    if (std::find(seen.begin(), seen.end(), one) == seen.end()) {
      seen.push_back(std::move(one));
      out.push_back(static_cast<int>(i));
    }
  }
  return out;
}

}  // namespace

const std::vector<std::vector<Group>>& placement_orders() {
  using enum Group;
  static const std::vector<std::vector<Group>> orders = {
      {tensor, context, data, pipeline},  // Megatron's
      {tensor, context, pipeline, data},  // stages in the node, replicas across
      {tensor, data, context, pipeline},  // a sequence over nodes
      {tensor, pipeline, data, context},  // and stages in the node
      {tensor, pipeline, context, data},  // stages next to the matrices
      {data, context, tensor, pipeline},  // weights gathered in the node, matrices across
      {context, data, tensor, pipeline}, {context, tensor, data, pipeline},  // keys and values in the node
      {pipeline, tensor, context, data}};  // neighbouring stages side by side
  return orders;
}

int complexity(const PlanPoint& p) {
  const PlanPoint plain;
  const auto one = [](bool differs) { return differs ? 1 : 0; };
  return one(p.tensor > 1) + one(p.context > 1) + 2 * one(p.pipeline > 1) + one(p.expert > 1) +
         one(p.virtual_stages > 1) + one(p.shard_group > 0) + one(p.recompute_layers > 0) +
         one(p.sharding != Sharding::ddp) + one(p.recompute != Recompute::none) +
         2 * one(p.offload != Offload::none) + one(!p.reshard) + one(p.order != 0) +
         one(p.schedule != plain.schedule) + one(p.overlap_tensor);
}

TrainingSpace::TrainingSpace(const TrainingScenario& scenario) : scenario_(scenario) {
  const PlanSpec& plan = scenario.spec.plan;
  const Model& model = scenario.job.model;
  for (const int nodes : given_or(plan.nodes, {scenario.machine.nodes})) {
    const int gpus = nodes * scenario.machine.gpus_per_node;
    for (const int tensor : given_or(plan.tensor, divisors(gpus))) {
      for (const int context : given_or(plan.context, contexts(scenario, gpus))) {
        for (const int pipeline : given_or(plan.pipeline, divisors(gpus))) {
          const std::int64_t inner = std::int64_t{1} * tensor * context * pipeline;
          if (inner > gpus || gpus % inner != 0 || model.heads % tensor != 0 || pipeline > model.layers + 2) {
            continue;
          }
          if (inner > 1 && scenario.job.convnet() != nullptr) {
            continue;  // split over data alone
          }
          const int data = static_cast<int>(gpus / inner);
          for (const int expert : given_or(plan.expert, divisors(model.moe ? model.moe->experts : 1))) {
            if ((data * context * tensor) % expert == 0) {
              splits_.push_back({nodes, tensor, context, pipeline, expert, data});
            }
          }
        }
      }
    }
  }
}

void TrainingSpace::each(const PlanSplit& split, const std::function<bool(const PlanPoint&)>& visit) const {
  const PlanSpec& plan = scenario_.spec.plan;
  const Choices c = choices_of(scenario_, split);
  const TrainingSoftware& software = scenario_.job.software;
  const auto both = [&](bool matters, bool otherwise) {
    return plan.exhaustive && matters ? std::vector{otherwise, !otherwise} : std::vector{otherwise};
  };
  const bool data = split.data * split.context > 1, stages = split.pipeline > 1;
  const auto gradients = both(data, *software.overlap_gradients);
  const auto parameters = both(data, *software.overlap_parameters);
  const auto matrices = both(split.tensor > 1, *software.overlap_tensor);
  const auto sends = both(stages, *software.overlap_pipeline);
  const std::vector<int> orders = orders_of(scenario_, split);
  PlanPoint p;
  p.nodes = split.nodes;
  p.tensor = split.tensor;
  p.context = split.context;
  p.pipeline = split.pipeline;
  p.expert = split.expert;
  p.data = split.data;
  bool more = true;
  // Every combination of the lists, the last varying fastest.
  const auto loop = [&](const auto& values, auto& field, const auto& body) {
    for (auto it = values.begin(); more && it != values.end(); ++it) {
      field = *it;
      body();
    }
  };
  const auto flags = [&] {
    loop(gradients, p.overlap_gradients, [&] {
      loop(parameters, p.overlap_parameters, [&] {
        loop(matrices, p.overlap_tensor, [&] {
          loop(sends, p.overlap_pipeline, [&] { loop(orders, p.order, [&] { more = visit(p); }); });
        });
      });
    });
  };
  const auto shards = [&] {
    loop(c.sharding, p.sharding, [&] {
      const bool weights = p.sharding == Sharding::fsdp || p.sharding == Sharding::zero3;
      const std::vector<int> whole = {0};
      loop(p.sharding == Sharding::ddp ? whole : c.shard_group, p.shard_group, [&] {
        const std::vector<bool> keep = weights ? std::vector{true, false} : std::vector{true};
        loop(keep, p.reshard, flags);
      });
    });
  };
  loop(c.micro_batch, p.micro_batch, [&] {
    loop(c.virtual_stages, p.virtual_stages, [&] {
      loop(schedules_of(plan, p), p.schedule, [&] {
        loop(c.sequence_parallel, p.sequence_parallel, [&] {
          loop(c.recompute, p.recompute, [&] {
            const std::vector<int> all = {0};
            loop(p.recompute == Recompute::full ? c.recompute_layers : all, p.recompute_layers,
                 [&] { loop(c.offload, p.offload, shards); });
          });
        });
      });
    });
  });
}

std::int64_t TrainingSpace::size_of(const PlanSplit& split) const {
  const PlanSpec& plan = scenario_.spec.plan;
  const Choices c = choices_of(scenario_, split);
  const auto size = [](const auto& list) { return static_cast<std::int64_t>(list.size()); };
  std::int64_t schedules = 0, recomputes = 0, shards = 0;
  for (const int chunks : c.virtual_stages) {
    PlanPoint p;
    p.pipeline = split.pipeline;
    p.virtual_stages = chunks;
    schedules += size(schedules_of(plan, p));
  }
  for (const Recompute recompute : c.recompute) {
    recomputes += recompute == Recompute::full ? size(c.recompute_layers) : 1;
  }
  for (const Sharding sharding : c.sharding) {
    const bool weights = sharding == Sharding::fsdp || sharding == Sharding::zero3;
    shards += (sharding == Sharding::ddp ? 1 : size(c.shard_group)) * (weights ? 2 : 1);
  }
  // Each overlap both ways, where it matters.
  const int data = split.data * split.context > 1 ? 2 : 0;
  const int flags = plan.exhaustive ? data + (split.tensor > 1 ? 1 : 0) + (split.pipeline > 1 ? 1 : 0) : 0;
  return size(c.micro_batch) * schedules * size(c.sequence_parallel) * recomputes * size(c.offload) * shards *
         (std::int64_t{1} << flags) * size(orders_of(scenario_, split));
}

PlanPoint TrainingSpace::own() const {
  const TrainingJob& job = scenario_.job;
  const TrainingParallelism& s = job.parallelism;
  PlanPoint p;
  p.nodes = scenario_.machine.nodes;
  p.tensor = s.tensor;
  p.context = s.context;
  p.pipeline = s.pipeline;
  p.expert = s.expert;
  p.data = job.data();
  p.virtual_stages = s.virtual_stages;
  p.micro_batch = job.batch.micro_batch;
  p.shard_group = s.shard_group;
  p.recompute_layers = job.recompute_layers;
  p.schedule = job.schedule();
  p.sharding = s.sharding;
  p.recompute = job.recompute;
  p.offload = job.offload;
  p.sequence_parallel = job.sequence_parallel();
  p.reshard = s.reshard_after_forward;
  const auto& orders = placement_orders();
  const auto own = std::find(orders.begin(), orders.end(), s.placement);
  p.order = s.placement.empty()   ? 0
            : own == orders.end() ? kOwnOrder
                                  : static_cast<int>(own - orders.begin());
  p.overlap_gradients = *job.software.overlap_gradients;
  p.overlap_parameters = *job.software.overlap_parameters;
  p.overlap_tensor = *job.software.overlap_tensor;
  p.overlap_pipeline = *job.software.overlap_pipeline;
  return p;
}

void TrainingSpace::apply(const PlanPoint& point, TrainingJob& out) const {
  out.gpus = point.nodes * scenario_.machine.gpus_per_node;
  TrainingParallelism& p = out.parallelism;
  p.tensor = point.tensor;
  p.context = point.context;
  p.pipeline = point.pipeline;
  p.expert = point.expert;
  p.data = point.data;
  p.virtual_stages = point.virtual_stages;
  p.shard_group = point.shard_group;
  p.schedule = point.schedule;
  p.sharding = point.sharding;
  p.sequence_parallel = point.sequence_parallel;
  p.reshard_after_forward = point.reshard;
  if (point.order == kOwnOrder) {
    p.placement = scenario_.given.parallelism.placement;
  } else if (point.order > 0) {
    p.placement = placement_orders()[static_cast<std::size_t>(point.order)];
  } else {
    p.placement.clear();
  }
  out.batch.micro_batch = point.micro_batch;
  out.recompute = point.recompute;
  out.recompute_layers = point.recompute_layers;
  out.offload = point.offload;
  out.precision = scenario_.given.precision;  // what is left to default follows the sharding
  out.software.overlap_gradients = point.overlap_gradients;
  out.software.overlap_parameters = point.overlap_parameters;
  out.software.overlap_tensor = point.overlap_tensor;
  out.software.overlap_pipeline = point.overlap_pipeline;
}

}  // namespace gpuplan::sim
