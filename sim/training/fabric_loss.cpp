#include "sim/training/fabric_loss.h"

#include <algorithm>
#include <set>

#include "hwmodels/collectives/channels.h"
#include "hwmodels/collectives/delay.h"
#include "sim/training/placement.h"

namespace gpuplan::sim {

namespace {

using fabric::DeviceId;
using fabric::LinkId;
using fabric::LinkKind;
using fabric::Topology;

bool is_nvlink(const fabric::Link& link) {
  return link.spec.kind == LinkKind::nvlink || link.spec.kind == LinkKind::xgmi;
}

bool in_network(const Topology& topology, const fabric::Link& link) {
  return topology.device(link.from).node < 0 && topology.device(link.to).node < 0;
}

// Seconds that a byte sent by every rank of every group keeps each kind of link of the nodes busy.
struct Busiest {
  double network = 0.0, nvlink = 0.0;
  Seconds pass{0.0};
  LinkId narrowest = 0;
  bool leaves = false;  // a switch for another switch
};
Busiest busiest(const Topology& topology, const std::vector<std::vector<DeviceId>>& groups) {
  std::vector<double> bytes(topology.links().size(), 0.0);
  Busiest out;
  for (const std::vector<DeviceId>& group : groups) {
    const collectives::RingPlan plan = collectives::plan_rings(topology, group);
    const double share = 1.0 / static_cast<double>(std::max<std::size_t>(1, plan.channels.size()));
    for (fabric::PlaceId place = 0; place < plan.hops_by_link.size(); ++place) {
      bytes[plan.lanes.link_of(place)] += share * plan.hops_by_link[place];
    }
    out.pass = max(out.pass, collectives::delay_of(topology, plan, static_cast<int>(group.size()) - 1));
  }
  for (LinkId id = 0; id < bytes.size(); ++id) {
    const fabric::Link& link = topology.links()[id];
    if (bytes[id] <= 0.0 || in_network(topology, link)) {
      out.leaves = out.leaves || bytes[id] > 0.0;
      continue;
    }
    const double seconds = bytes[id] / link.spec.usable().si();
    double& most = is_nvlink(link) ? out.nvlink : out.network;
    if (seconds > most && !is_nvlink(link)) {
      out.narrowest = id;
    }
    most = std::max(most, seconds);
  }
  return out;
}

// What the faults left of the links of the worst switch to others of its level and above. A switch that is
// down altogether carries nothing for anyone.
double uplinks_left(const Topology& built, const Topology& faulted) {
  std::vector<double> before(built.device_count(), 0.0), after(built.device_count(), 0.0);
  for (LinkId id = 0; id < built.links().size(); ++id) {
    const fabric::Link& link = built.links()[id];
    if (in_network(built, link) && built.device(link.to).kind >= built.device(link.from).kind) {
      before[link.from] += link.spec.bandwidth.si();
      after[link.from] += faulted.links()[id].spec.bandwidth.si();
    }
  }
  double out = 1.0;
  for (DeviceId id = 0; id < built.device_count(); ++id) {
    if (after[id] > 0.0) {
      out = std::min(out, after[id] / before[id]);
    }
  }
  return out;
}

// Ranks of a group lie `stride` apart; a pipeline's neighbours talk in pairs.
std::vector<std::vector<DeviceId>> groups_of(Group kind, const GroupPlace& where, const TrainingJob& job,
                                             const std::vector<DeviceId>& gpus) {
  std::vector<std::vector<DeviceId>> out;
  const int size = kind == Group::pipeline ? job.parallelism.pipeline : where.size;
  for (int rank = 0; rank < static_cast<int>(gpus.size()); ++rank) {
    const int place = rank / where.stride % size;
    if (kind == Group::pipeline ? place + 1 == size : place != 0) {
      continue;
    }
    std::vector<DeviceId> group(static_cast<std::size_t>(where.size));
    auto at = static_cast<std::size_t>(rank);
    for (DeviceId& gpu : group) {
      gpu = gpus[at];
      at += static_cast<std::size_t>(where.stride);
    }
    out.push_back(std::move(group));
  }
  return out;
}

std::vector<DeviceId> ranks_of(const Topology& topology, int gpus_per_node) {
  std::vector<DeviceId> gpus;
  for (int node = 0; node < topology.node_count(); ++node) {
    const auto all = topology.of_node(node, fabric::DeviceKind::gpu);
    gpus.insert(gpus.end(), all.begin(), all.begin() + gpus_per_node);
  }
  return gpus;
}

// Of a large cluster only groups with a rank on a node beside a fault are laid (or on the first nodes): those
// are all that the links of such a node carry.
constexpr int kAllNodes = 64;      // up to which every group is
constexpr std::size_t kWatch = 8;  // nodes; as good as more where a whole switch is down
std::set<int> watched_nodes(const Topology& built, const Topology& faulted) {
  std::set<int> out;
  for (LinkId id = 0; built.node_count() > kAllNodes && id < built.links().size(); ++id) {
    const fabric::Link &before = built.links()[id], &after = faulted.links()[id];
    const int node = std::max(built.device(before.from).node, built.device(before.to).node);
    const bool same = before.spec.bandwidth == after.spec.bandwidth && before.spec.delay == after.spec.delay;
    if (!same && node >= 0 && out.size() < kWatch) {
      out.insert(node);
    }
  }
  for (int node = 0; built.node_count() > kAllNodes && out.size() < kWatch; ++node) {
    out.insert(node);
  }
  return out;
}

bool nvlink_differs(const Topology& built, const Topology& faulted) {
  for (LinkId id = 0; id < built.links().size(); ++id) {
    if (is_nvlink(built.links()[id]) &&
        built.links()[id].spec.bandwidth != faulted.links()[id].spec.bandwidth) {
      return true;
    }
  }
  return false;
}

double left(double built, double faulted) {
  return faulted > 0.0 && built > 0.0 ? std::min(1.0, built / faulted) : 1.0;
}

}  // namespace

bool any_loss(const FabricLosses& losses) {
  return std::any_of(losses.begin(), losses.end(), [](const FabricLoss& one) {
    return one.network < 1.0 || one.nvlink < 1.0 || one.pass.si() > 0.0;
  });
}

FabricLosses losses_of(const TrainingJob& job, int gpus_per_node, const Topology& built,
                       const Topology& faulted) {
  const std::vector<DeviceId> gpus = ranks_of(built, gpus_per_node);
  // Rings on fewer rails cross NVLink where they left by the NIC; what a ring reaches there is the
  // collectives' model's to say, unless a fault took some of it.
  const bool nvlink = nvlink_differs(built, faulted);
  const std::set<int> watched = watched_nodes(built, faulted);
  const double uplinks = uplinks_left(built, faulted);
  FabricLosses out;
  for (std::size_t i = 0; i < out.size(); ++i) {
    const auto kind = static_cast<Group>(i);
    const GroupPlace where = place(kind, job, gpus_per_node);
    if (where.size < 2) {
      continue;
    }
    auto groups = groups_of(kind, where, job, gpus);
    if (!watched.empty()) {
      std::erase_if(groups, [&](const std::vector<DeviceId>& group) {
        return std::none_of(group.begin(), group.end(),
                            [&](DeviceId gpu) { return watched.count(built.device(gpu).node) > 0; });
      });
    }
    const Busiest before = busiest(built, groups), after = busiest(faulted, groups);
    out[i].network = left(before.network, after.network);
    const bool deep = after.leaves && uplinks < out[i].network;
    out[i].network = deep ? uplinks : out[i].network;
    out[i].nvlink = nvlink ? left(before.nvlink, after.nvlink) : 1.0;
    out[i].pass = after.pass;
    if (deep) {
      out[i].narrowest = "uplinks of a switch";
    } else if (out[i].network < 1.0) {
      const fabric::Link& link = faulted.links()[after.narrowest];
      out[i].narrowest = name_of(faulted.device(link.from)) + " -> " + name_of(faulted.device(link.to));
    }
  }
  return out;
}

}  // namespace gpuplan::sim
