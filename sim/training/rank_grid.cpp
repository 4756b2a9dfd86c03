#include <algorithm>
#include <numeric>

#include "sim/training/step_play.h"
#include "workloads/traffic/random.h"

namespace gpuplan::sim {

namespace {

// Coordinates of a rank, and what makes its groups.
class Layout {
 public:
  explicit Layout(const TrainingJob& job) : job_(job) {
    std::vector<Group> order = job.parallelism.placement;
    if (order.empty()) {
      order = {Group::tensor, Group::context, Group::data, Group::pipeline};
    }
    std::uint32_t stride = 1;
    for (const Group group : order) {
      stride_[static_cast<std::size_t>(group)] = stride;
      stride *= degree(group);
    }
    const TrainingParallelism& p = job.parallelism;
    same_ = degree(Group::data) * degree(Group::context);
    shards_ = static_cast<std::uint32_t>(std::clamp(job.shard_ranks(), 1, static_cast<int>(same_)));
    // Ranks that share a layer: a context group, and the data-parallel ranks that its experts spread over.
    const auto experts = static_cast<std::uint32_t>(std::max(1, p.expert));
    sharers_ = std::lcm(degree(Group::context), experts);
    sharers_ = same_ % sharers_ == 0 ? sharers_ : same_;
  }

  [[nodiscard]] std::uint32_t ranks() const {
    return same_ * degree(Group::tensor) * degree(Group::pipeline);
  }
  [[nodiscard]] std::uint32_t coordinate(Group group, std::uint32_t rank) const {
    return rank / stride_[static_cast<std::size_t>(group)] % degree(group);
  }
  // Among the ranks that hold the same weights, context innermost.
  [[nodiscard]] std::uint32_t same(std::uint32_t rank) const {
    return coordinate(Group::data, rank) * degree(Group::context) + coordinate(Group::context, rank);
  }
  // Which group a rank is in; ranks of one stage and group have the same key.
  [[nodiscard]] std::uint32_t key(Meet meet, std::uint32_t rank) const {
    const std::uint32_t stage = coordinate(Group::pipeline, rank), t = coordinate(Group::tensor, rank);
    const std::uint32_t i = same(rank), tensor = degree(Group::tensor);
    switch (meet) {
      case Meet::none:
        return rank;
      case Meet::block:
        return stage * (same_ / sharers_) + i / sharers_;
      case Meet::shard:
        return (stage * tensor + t) * (same_ / shards_) + i / shards_;
      case Meet::replica:
        return (stage * tensor + t) * shards_ + i % shards_;
      case Meet::data:
        return stage * tensor + t;
    }
    return rank;
  }
  [[nodiscard]] std::uint32_t size(Meet meet) const {
    switch (meet) {
      case Meet::none:
        return 1;
      case Meet::block:
        return sharers_ * degree(Group::tensor);
      case Meet::shard:
        return shards_;
      case Meet::replica:
        return same_ / shards_;
      case Meet::data:
        return same_;
    }
    return 1;
  }
  [[nodiscard]] std::uint32_t degree(Group group) const {
    const TrainingParallelism& p = job_.parallelism;
    return static_cast<std::uint32_t>(group == Group::tensor     ? p.tensor
                                      : group == Group::context  ? p.context
                                      : group == Group::data     ? job_.data()
                                      : group == Group::pipeline ? p.pipeline
                                                                 : 1);
  }

 private:
  const TrainingJob& job_;
  std::array<std::uint32_t, 8> stride_{};
  std::uint32_t same_ = 1, shards_ = 1, sharers_ = 1;
};

}  // namespace

std::vector<double> node_slowdowns(std::size_t ranks, int gpus_per_node, double width, std::uint64_t seed) {
  std::vector<double> out;
  out.reserve(ranks);
  const auto per_node = static_cast<std::size_t>(std::max(1, gpus_per_node));
  Random random(seed, 0);
  double node = 1.0;
  for (std::size_t rank = 0; rank < ranks; ++rank) {
    if (rank % per_node == 0) {
      node = std::max(0.5, 1.0 + width * random.normal());
    }
    out.push_back(node);
  }
  return out;
}

RankGrid folded_grid(int stages) {
  RankGrid out;
  out.stages = static_cast<std::uint16_t>(stages);
  for (int stage = 0; stage < stages; ++stage) {
    out.stage.push_back(static_cast<std::uint16_t>(stage));
    out.within.push_back(0);
    out.by_place.push_back(static_cast<std::uint32_t>(stage));
  }
  return out;
}

RankGrid full_grid(const TrainingJob& job) {
  const Layout layout(job);
  RankGrid out;
  const std::uint32_t ranks = layout.ranks(), stages = layout.degree(Group::pipeline);
  out.stages = static_cast<std::uint16_t>(stages);
  std::vector<std::uint32_t> seen(stages, 0);
  out.by_place.resize(ranks);
  for (std::uint32_t rank = 0; rank < ranks; ++rank) {
    const std::uint32_t stage = layout.coordinate(Group::pipeline, rank);
    out.stage.push_back(static_cast<std::uint16_t>(stage));
    out.within.push_back(seen[stage]);
    out.by_place[stage * (ranks / stages) + seen[stage]++] = rank;
  }
  for (std::size_t meet = 1; meet < kMeets; ++meet) {
    const auto which = static_cast<Meet>(meet);
    out.size[meet] = layout.size(which);
    if (out.size[meet] == 1) {
      continue;
    }
    out.group[meet].resize(ranks);
    out.members[meet].resize(ranks);
    std::vector<std::uint32_t> filled(ranks / out.size[meet], 0);
    for (std::uint32_t rank = 0; rank < ranks; ++rank) {
      const std::uint32_t key = layout.key(which, rank);
      out.group[meet][rank] = key;
      out.members[meet][key * out.size[meet] + filled[key]++] = rank;
    }
  }
  return out;
}

}  // namespace gpuplan::sim
