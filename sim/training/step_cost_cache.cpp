#include "sim/training/step_cost_cache.h"

namespace gpuplan::sim {

namespace {

// Packs fields one after the other, each into a word or a byte of one.
class KeyMaker {
 public:
  explicit KeyMaker(const TrainingJob& job, int gpus_per_node) : job_(job), gpus_per_node_(gpus_per_node) {}
  template <class T>
  KeyMaker& number(T value) {
    key_.words.at(next_++) = static_cast<std::uint32_t>(value);
    return *this;
  }
  template <class... T>
  KeyMaker& small(T... values) {
    std::uint32_t word = 0;
    ((word = word << 6U | static_cast<std::uint32_t>(values)), ...);
    return number(word);
  }
  // What a communicator depends on.
  KeyMaker& group(Group group) {
    const GroupPlace where = place(group, job_, gpus_per_node_);
    number(where.per_node);
    return number(where.nodes);
  }
  [[nodiscard]] const CostKey& key() const { return key_; }

 private:
  const TrainingJob& job_;
  int gpus_per_node_;
  CostKey key_;
  std::size_t next_ = 0;
};

template <class Table, class Make>
const auto& found_or(Table& table, const CostKey& key, Make make) {
  const auto found = table.find(key);
  return found != table.end() ? found->second : table.emplace(key, make()).first->second;
}

}  // namespace

std::size_t CostKeyHash::operator()(const CostKey& key) const {
  std::uint64_t hash = 0x9e3779b97f4a7c15U;
  for (const std::uint32_t word : key.words) {
    hash = (hash ^ word) * 0xff51afd7ed558ccdU;
    hash ^= hash >> 32U;
  }
  return hash;
}

const StepCostCache::Passes& StepCostCache::passes(const TrainingJob& job) {
  const TrainingParallelism& p = job.parallelism;
  const CostKey key =
      KeyMaker(job, estimator_.machine().gpus_per_node)
          .number(p.tensor)
          .number(p.context)
          .number(job.convnet() != nullptr ? job.data() : p.expert)  // it has no experts
          .number(job.batch.micro_batch)
          .small(p.context_exchange, job.sequence_parallel(), job.micro_batches() > 1, job.recompute)
          .small(*job.precision.gather, *job.software.overlap_tensor,
                 job.shards_weights() && !job.gathers_once())
          .group(Group::tensor)
          .group(Group::context)
          .group(Group::expert)
          .key();
  return found_or(passes_, key, [&] {
    Passes out{passes_of(estimator_, job, lower_layer(job, false)),
               job.model.moe ? passes_of(estimator_, job, lower_layer(job, true)) : PassCost{},
               passes_of(estimator_, job, lower_embedding(job)),
               passes_of(estimator_, job, lower_head(job)),
               {}};
    for (const LayerWork& layer : lower_chain(job)) {
      out.chain.push_back(passes_of(estimator_, job, layer));
    }
    return out;
  });
}

const StepCostCache::Streams& StepCostCache::streams(const TrainingJob& job) {
  const TrainingParallelism& p = job.parallelism;
  static const Streams none;
  const bool gathers = job.shards_weights() && !job.gathers_once();
  if (!gathers && job.offload != Offload::optimizer_and_weights) {
    return none;
  }
  const CostKey key = KeyMaker(job, estimator_.machine().gpus_per_node)
                          .number(p.tensor)
                          .number(p.expert)
                          .number(job.shard_ranks())
                          .small(*job.precision.gather, *job.precision.reduce, p.reshard_after_forward,
                                 *job.software.overlap_parameters, *job.software.overlap_gradients)
                          .small(job.shards_weights(), job.offload)
                          .group(Group::shard)
                          .key();
  return found_or(streams_, key, [&] {
    const auto of = [&](bool experts) {
      LayerWork work;
      if (job.convnet() == nullptr) {
        add_sharded_layer(job, experts, work);
      }
      return streams_of(estimator_, job, work);
    };
    // All that the ends stream is what lies with the host.
    const bool ends = job.offload != Offload::none;
    Streams out{of(false),
                job.model.moe ? of(true) : StreamCost{},
                ends ? streams_of(estimator_, job, lower_embedding(job)) : StreamCost{},
                ends ? streams_of(estimator_, job, lower_head(job)) : StreamCost{},
                {}};
    for (const LayerWork& layer : lower_chain(job)) {
      out.chain.push_back(streams_of(estimator_, job, layer));
    }
    return out;
  });
}

const std::vector<StageCost>& StepCostCache::stages(const TrainingJob& job) {
  const TrainingParallelism& p = job.parallelism;
  const CostKey key =
      KeyMaker(job, estimator_.machine().gpus_per_node)
          .number(p.tensor)
          .number(p.pipeline)
          .number(p.expert)
          .number(job.recompute == Recompute::none ? -1 : job.recompute_layers)
          .small(p.sharding, *job.precision.gather, *job.precision.reduce, job.offload)
          .small(*job.software.overlap_parameters, *job.software.overlap_gradients, job.gathers_once())
          .group(Group::data)
          .group(Group::shard)
          .group(Group::replica)
          .key();
  return found_or(stages_, key, [&] {
    std::vector<StageCost> out;
    out.reserve(static_cast<std::size_t>(p.pipeline));
    for (int stage = 0; stage < p.pipeline; ++stage) {
      out.push_back(cost_of(estimator_, job, lower_stage(job, stage)));
    }
    return out;
  });
}

const StepCostCache::Boundary& StepCostCache::boundary(const TrainingJob& job) {
  const TrainingParallelism& p = job.parallelism;
  static const Boundary none;
  if (p.pipeline == 1) {
    return none;
  }
  const CostKey key = KeyMaker(job, estimator_.machine().gpus_per_node)
                          .number(p.tensor)
                          .number(p.context)
                          .number(job.batch.micro_batch)
                          .number(job.sequence_parallel())
                          .group(Group::tensor)
                          .group(Group::pipeline)
                          .key();
  return found_or(boundaries_, key, [&] {
    const StageBoundary work = lower_boundary(job);
    return Boundary{send_of(estimator_, job, work.bytes), total_of(estimator_, job, work.rejoin)};
  });
}

const StepCosts& StepCostCache::costs(const TrainingJob& job) {
  const Passes& layers = passes(job);
  const Streams& weights = streams(job);
  const Boundary& edge = boundary(job);
  costs_.dense = layers.dense;
  costs_.sparse = layers.sparse;
  costs_.embedding = layers.embedding;
  costs_.head = layers.head;
  costs_.dense_stream = weights.dense;
  costs_.sparse_stream = weights.sparse;
  costs_.chain = layers.chain;
  costs_.chain_streams = weights.chain;
  costs_.embedding_stream = weights.embedding;
  costs_.head_stream = weights.head;
  costs_.stages = stages(job);
  costs_.send = edge.send;
  costs_.rejoin = edge.rejoin;
  costs_.input = price_input(estimator_, job);
  return costs_;
}

}  // namespace gpuplan::sim
