#include "hwmodels/collectives/channels.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <limits>
#include <map>
#include <optional>
#include <set>

#include "hwmodels/collectives/schedule.h"

namespace gpuplan::collectives {

namespace {

using fabric::DeviceId;
using fabric::DeviceKind;
using fabric::LinkId;
using fabric::Route;
using fabric::Topology;

constexpr double kMessage = 1e6;         // bytes that ways are compared for
constexpr std::size_t kAllOrders = 12;   // GPUs of which every order is looked at
constexpr double kWorthAChannel = 1.01;  // bandwidth that one more must bring

// GPUs of one node that take part, in the order given.
struct NodeGpus {
  int node = 0;
  std::vector<DeviceId> gpus, nics;
};

std::string name(const Topology& topology, DeviceId id) { return name_of(topology.device(id)); }

std::vector<NodeGpus> by_node(const Topology& topology, std::span<const DeviceId> gpus) {
  std::vector<NodeGpus> nodes;
  std::map<int, std::size_t> index;
  std::set<DeviceId> seen;
  for (const DeviceId gpu : gpus) {
    if (gpu >= topology.device_count() || topology.device(gpu).kind != DeviceKind::gpu) {
      throw InputError({"ranks",
                        gpu >= topology.device_count() ? fmt::format("device {}", gpu) : name(topology, gpu),
                        "GPUs of the topology", ""});
    }
    if (!seen.insert(gpu).second) {
      throw InputError({"ranks", name(topology, gpu) + " twice", "each GPU once", ""});
    }
    const int node = topology.device(gpu).node;
    const auto [at, added] = index.try_emplace(node, nodes.size());
    if (added) {
      nodes.push_back({node, {}, topology.of_node(node, DeviceKind::nic)});
    }
    nodes[at->second].gpus.push_back(gpu);
  }
  if (nodes.empty()) {
    throw InputError({"ranks", "none", "at least one GPU", ""});
  }
  return nodes;
}

// Whether traffic gets out of a NIC and in: a network link each way that is up.
bool reachable(const Topology& topology, DeviceId nic) {
  const auto up = [&](LinkId id) {
    const fabric::Link& link = topology.links()[id];
    return link.spec.kind == fabric::LinkKind::network && link.spec.bandwidth.si() > 0.0;
  };
  const auto out = topology.links_from(nic);
  return std::any_of(out.begin(), out.end(), [&](LinkId id) {
    const std::optional<LinkId> back = topology.link(topology.links()[id].to, nic);
    return up(id) && back && up(*back);
  });
}

// Leaves each node the NICs of the rails that are whole in all nodes, so that channels stay on their rails;
// or those that work, where no rail is whole.
void keep_working_rails(const Topology& topology, std::vector<NodeGpus>& nodes) {
  std::size_t rails = std::numeric_limits<std::size_t>::max();
  for (const NodeGpus& node : nodes) {
    rails = std::min(rails, node.nics.size());
  }
  std::vector<std::size_t> whole;
  for (std::size_t rail = 0; rail < rails; ++rail) {
    if (std::all_of(nodes.begin(), nodes.end(),
                    [&](const NodeGpus& node) { return reachable(topology, node.nics[rail]); })) {
      whole.push_back(rail);
    }
  }
  for (NodeGpus& node : nodes) {
    std::vector<DeviceId> kept;
    for (const std::size_t rail : whole) {
      kept.push_back(node.nics[rail]);
    }
    if (whole.empty()) {
      std::copy_if(node.nics.begin(), node.nics.end(), std::back_inserter(kept),
                   [&](DeviceId nic) { return reachable(topology, nic); });
    }
    node.nics = std::move(kept);
  }
}

// Lays channels one after the other and remembers what they took.
class Planner {
 public:
  Planner(const Topology& topology, std::span<const DeviceId> gpus)
      : topology_(&topology), nodes_(by_node(topology, gpus)), load_(topology.links().size(), 0.0) {
    if (nodes_.size() > 1) {
      keep_working_rails(topology, nodes_);
    }
  }

  [[nodiscard]] const std::vector<NodeGpus>& nodes() const { return nodes_; }

  // Channels that the network suggests: one for each NIC of the node that has fewest.
  [[nodiscard]] int rails() const {
    std::size_t least = std::numeric_limits<std::size_t>::max();
    for (const NodeGpus& node : nodes_) {
      least = std::min(least, node.nics.size());
    }
    return static_cast<int>(std::max<std::size_t>(1, least));
  }

  ChannelRing ring(int channel) {
    ChannelRing out;
    std::vector<std::vector<DeviceId>> orders;
    for (const NodeGpus& node : nodes_) {
      orders.push_back(nodes_.size() > 1 ? through(node, channel) : around(node));
    }
    for (std::size_t i = 0; i < orders.size(); ++i) {
      for (std::size_t g = 0; g + 1 < orders[i].size(); ++g) {
        take(out.hops, orders[i][g], orders[i][g + 1], within(orders[i][g], orders[i][g + 1]));
      }
      const std::size_t next = (i + 1) % orders.size();
      const DeviceId from = orders[i].back(), to = orders[next].front();
      if (from != to) {
        take(out.hops, from, to,
             next == i ? within(from, to) : between(nodes_[i], from, nodes_[next], to, channel));
      }
    }
    return out;
  }

  // A tree whose nodes hang together as `parents` say (-1: the root); a chain in each node.
  ChannelTree tree(int channel, const std::vector<int>& parents) {
    ChannelTree out;
    std::vector<std::vector<DeviceId>> chains;
    for (const NodeGpus& node : nodes_) {
      chains.push_back(nodes_.size() > 1 ? through(node, channel) : around(node));
    }
    const auto join = [&](DeviceId child, DeviceId parent, const Route& up, const Route& down) {
      take(out.up, child, parent, up);
      take(out.down, parent, child, down);
    };
    for (std::size_t i = 0; i < chains.size(); ++i) {
      const std::vector<DeviceId>& chain = chains[i];
      for (std::size_t g = 1; g < chain.size(); ++g) {
        join(chain[g], chain[g - 1], within(chain[g], chain[g - 1]), within(chain[g - 1], chain[g]));
      }
      if (parents[i] < 0) {
        out.root = chain.front();
        continue;
      }
      const auto parent = static_cast<std::size_t>(parents[i]);
      const DeviceId above = chains[parent].front(), below = chain.front();
      join(below, above, between(nodes_[i], below, nodes_[parent], above, channel),
           between(nodes_[parent], above, nodes_[i], below, channel));
    }
    return out;
  }

  // Rate that each of `count` channels reaches when all take their links at once.
  [[nodiscard]] double rate() const {
    double least = std::numeric_limits<double>::infinity();
    for (std::size_t link = 0; link < load_.size(); ++link) {
      if (load_[link] > 0.0) {
        least = std::min(least, topology_->links()[link].spec.usable().si() / load_[link]);
      }
    }
    return least;
  }

 private:
  void take(std::vector<Hop>& hops, DeviceId from, DeviceId to, const Route& route) {
    for (const LinkId link : route) {
      load_[link] += 1.0;
    }
    hops.push_back({from, to, route});
  }

  [[nodiscard]] Route required(DeviceId from, DeviceId to, int choice) const {
    Route route = topology_->route(from, to, static_cast<std::uint64_t>(choice));
    if (route.empty()) {
      throw InputError({"ranks", "no way from " + name(*topology_, from) + " to " + name(*topology_, to),
                        "GPUs that reach each other", ""});
    }
    return route;
  }
  [[nodiscard]] Route within(DeviceId from, DeviceId to) const { return required(from, to, 0); }

  // Over the NICs of the channel's rail; directly where a node has none.
  [[nodiscard]] Route between(const NodeGpus& a, DeviceId from, const NodeGpus& b, DeviceId to,
                              int channel) const {
    if (a.nics.empty() || b.nics.empty()) {
      return required(from, to, channel);
    }
    const DeviceId out = rail(a, channel), in = rail(b, channel);
    Route route = required(from, out, 0);
    for (const Route& part : {required(out, in, channel), required(in, to, 0)}) {
      route.insert(route.end(), part.begin(), part.end());
    }
    return route;
  }
  [[nodiscard]] static DeviceId rail(const NodeGpus& node, int channel) {
    return node.nics[static_cast<std::size_t>(channel) % node.nics.size()];
  }

  // Seconds for a message on a way beside the channels that are there.
  [[nodiscard]] double cost(const Route& route) const {
    double slowest = 0.0;
    for (const LinkId link : route) {
      slowest = std::max(slowest, (1.0 + load_[link]) / topology_->links()[link].spec.usable().si());
    }
    return kMessage * slowest + topology_->latency(route).si();
  }

  // The GPUs of a node from the one nearest to the channel's NIC to the next nearest.
  [[nodiscard]] std::vector<DeviceId> through(const NodeGpus& node, int channel) const {
    if (node.gpus.size() == 1) {
      return node.gpus;
    }
    DeviceId first = node.gpus[0], last = node.gpus[1];
    if (!node.nics.empty()) {
      // Of equally near ones that whose way fewer channels have taken.
      const DeviceId nic = rail(node, channel);
      const auto nearest = [&](auto&& route_of, std::optional<DeviceId> but) {
        std::optional<DeviceId> best;
        std::pair<std::size_t, double> least;
        for (const DeviceId gpu : node.gpus) {
          const Route route = route_of(gpu);
          const std::pair<std::size_t, double> here(route.size(), cost(route));
          if (gpu != but && (!best || here < least)) {
            best = gpu;
            least = here;
          }
        }
        return *best;
      };
      first = nearest([&](DeviceId gpu) { return required(nic, gpu, 0); }, std::nullopt);
      last = nearest([&](DeviceId gpu) { return required(gpu, nic, 0); }, first);
    }
    return path(node.gpus, first, last);
  }

  // The GPUs of a lone node as a ring: the first given begins.
  [[nodiscard]] std::vector<DeviceId> around(const NodeGpus& node) const {
    return path(node.gpus, node.gpus.front(), std::nullopt);
  }

  // The cheapest way over all `gpus` from `first` to `last`, or back to `first` where there is none.
  [[nodiscard]] std::vector<DeviceId> path(const std::vector<DeviceId>& gpus, DeviceId first,
                                           std::optional<DeviceId> last) const {
    const std::size_t n = gpus.size();
    std::vector<std::vector<double>> costs(n, std::vector<double>(n, 0.0));
    std::size_t begin = 0, end = n;
    for (std::size_t a = 0; a < n; ++a) {
      begin = gpus[a] == first ? a : begin;
      end = last && gpus[a] == *last ? a : end;
      for (std::size_t b = 0; b < n; ++b) {
        costs[a][b] = a == b ? 0.0 : cost(within(gpus[a], gpus[b]));
      }
    }
    const std::vector<std::size_t> order =
        n <= kAllOrders ? best_order(costs, begin, end) : near_order(costs, begin, end);
    std::vector<DeviceId> out;
    for (const std::size_t i : order) {
      out.push_back(gpus[i]);
    }
    return out;
  }

  // Held and Karp: least[set][last] of ways from `begin` over `set`. `end` == n: back to `begin`.
  static std::vector<std::size_t> best_order(const std::vector<std::vector<double>>& costs, std::size_t begin,
                                             std::size_t end) {
    const std::size_t n = costs.size(), sets = std::size_t{1} << n;
    constexpr double kNever = 1e300;
    std::vector<double> least(sets * n, kNever);
    std::vector<std::size_t> before(sets * n, n);
    least[(std::size_t{1} << begin) * n + begin] = 0.0;
    for (std::size_t set = 0; set < sets; ++set) {
      for (std::size_t at = 0; at < n; ++at) {
        const double so_far = least[set * n + at];
        if (so_far >= kNever || (at == end && set != sets - 1)) {
          continue;
        }
        for (std::size_t to = 0; to < n; ++to) {
          const std::size_t with = set | (std::size_t{1} << to);
          const double cost = so_far + costs[at][to];
          if (with != set && cost < least[with * n + to] * (1.0 - 1e-12)) {
            least[with * n + to] = cost;
            before[with * n + to] = at;
          }
        }
      }
    }
    std::size_t at = end;
    if (end == n) {
      at = begin;
      double cheapest = kNever;
      for (std::size_t i = 0; i < n; ++i) {
        const double whole = least[(sets - 1) * n + i] + (n > 1 ? costs[i][begin] : 0.0);
        if (whole < cheapest * (1.0 - 1e-12)) {
          cheapest = whole;
          at = i;
        }
      }
    }
    std::vector<std::size_t> order;
    for (std::size_t set = sets - 1; at < n;) {
      order.push_back(at);
      const std::size_t previous = before[set * n + at];
      set &= ~(std::size_t{1} << at);
      at = previous;
    }
    std::reverse(order.begin(), order.end());
    return order;
  }

  static std::vector<std::size_t> near_order(const std::vector<std::vector<double>>& costs, std::size_t begin,
                                             std::size_t end) {
    const std::size_t n = costs.size();
    std::vector<bool> done(n, false);
    std::vector<std::size_t> order = {begin};
    done[begin] = true;
    while (order.size() + (end < n ? 1 : 0) < n) {
      std::size_t next = n;
      for (std::size_t i = 0; i < n; ++i) {
        if (!done[i] && i != end && (next == n || costs[order.back()][i] < costs[order.back()][next])) {
          next = i;
        }
      }
      done[next] = true;
      order.push_back(next);
    }
    if (end < n) {
      order.push_back(end);
    }
    return order;
  }

  const Topology* topology_;
  std::vector<NodeGpus> nodes_;
  std::vector<double> load_;  // by link: hops of all channels over it
};

// Channels one after the other: as many as told, or as long as one more brings something.
template <class Lay>
double lay(Planner& planner, int wanted, Lay&& lay_one, const std::function<void()>& drop_last) {
  const bool alone = planner.nodes().size() == 1;
  const int most = wanted > 0 ? wanted : alone ? 64 : planner.rails();
  double best = 0.0;
  for (int channel = 0; channel < most; ++channel) {
    Planner before = planner;
    const double parts = lay_one(channel);
    const double bandwidth = parts * planner.rate();
    if (wanted == 0 && alone && channel > 0 && bandwidth < kWorthAChannel * best) {
      planner = std::move(before);
      drop_last();
      break;
    }
    best = bandwidth;
  }
  return best;
}

}  // namespace

RingPlan plan_rings(const Topology& topology, std::span<const DeviceId> gpus, int channels) {
  Planner planner(topology, gpus);
  RingPlan plan;
  if (gpus.size() == 1) {
    return plan;
  }
  plan.bandwidth = BytesPerSecond(lay(
      planner, channels,
      [&](int channel) {
        plan.channels.push_back(planner.ring(channel));
        return static_cast<double>(plan.channels.size());
      },
      [&] { plan.channels.pop_back(); }));
  return plan;
}

TreePlan plan_trees(const Topology& topology, std::span<const DeviceId> gpus, int channels) {
  Planner planner(topology, gpus);
  TreePlan plan;
  if (gpus.size() == 1) {
    return plan;
  }
  const DoubleTree pair = double_binary_tree(static_cast<int>(planner.nodes().size()));
  plan.bandwidth = BytesPerSecond(lay(
      planner, channels,
      [&](int channel) {
        plan.trees.push_back(planner.tree(channel, pair.first.parent));
        plan.trees.push_back(planner.tree(channel, pair.second.parent));
        return static_cast<double>(plan.trees.size());
      },
      [&] { plan.trees.resize(plan.trees.size() - 2); }));
  return plan;
}

}  // namespace gpuplan::collectives
