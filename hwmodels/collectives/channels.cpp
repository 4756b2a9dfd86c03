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
                    [&](const NodeGpus& node) { return reaches_network(topology, node.nics[rail]); })) {
      whole.push_back(rail);
    }
  }
  for (NodeGpus& node : nodes) {
    std::vector<DeviceId> kept;
    kept.reserve(node.nics.size());
    for (const std::size_t rail : whole) {
      kept.push_back(node.nics[rail]);
    }
    if (whole.empty()) {
      std::copy_if(node.nics.begin(), node.nics.end(), std::back_inserter(kept),
                   [&](DeviceId nic) { return reaches_network(topology, nic); });
    }
    node.nics = std::move(kept);
  }
}

// Where only some GPUs of the nodes take part: leaves out the NICs that are farther from all of them than the
// nearest ones (another PCIe switch, another socket), as NCCL does.
void keep_near_rails(const Topology& topology, std::vector<NodeGpus>& nodes) {
  const std::size_t rails = nodes.front().nics.size();
  const bool some = std::any_of(nodes.begin(), nodes.end(), [&](const NodeGpus& node) {
    return node.gpus.size() < topology.of_node(node.node, DeviceKind::gpu).size();
  });
  const bool alike = std::all_of(nodes.begin(), nodes.end(),
                                 [&](const NodeGpus& node) { return node.nics.size() == rails; });
  if (!some || !alike || rails < 2) {
    return;
  }
  std::vector<fabric::PathKind> farthest(rails, fabric::PathKind::self);
  for (std::size_t rail = 0; rail < rails; ++rail) {
    for (const NodeGpus& node : nodes) {
      fabric::PathKind nearest = fabric::PathKind::none;
      for (const DeviceId gpu : node.gpus) {
        nearest = std::min(nearest, topology.path_kind(gpu, node.nics[rail]));
      }
      farthest[rail] = std::max(farthest[rail], nearest);
    }
  }
  const fabric::PathKind best = *std::min_element(farthest.begin(), farthest.end());
  for (NodeGpus& node : nodes) {
    std::vector<DeviceId> kept;
    for (std::size_t rail = 0; rail < rails; ++rail) {
      if (farthest[rail] == best) {
        kept.push_back(node.nics[rail]);
      }
    }
    node.nics = std::move(kept);
  }
}

// Lays channels one after the other and remembers what they took.
class Planner {
 public:
  Planner(const Topology& topology, std::span<const DeviceId> gpus, std::optional<std::uint64_t> ecmp_seed)
      : topology_(&topology), ecmp_seed_(ecmp_seed), nodes_(by_node(topology, gpus)) {
    if (nodes_.size() > 1 && ecmp_seed_) {
      lanes_ = fabric::Lanes(topology);
    }
    load_.assign(lanes_.places(topology), 0.0);
    if (nodes_.size() > 1) {
      keep_working_rails(topology, nodes_);
      keep_near_rails(topology, nodes_);
    }
    local_.resize(topology.device_count());
    for (const NodeGpus& node : nodes_) {
      std::uint32_t place = 0;
      for (const DeviceId device : topology.devices_of(node.node)) {
        local_[device] = place++;
      }
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
    const std::vector<Way> ways = ways_of(channel);
    ChannelRing out;
    for (std::size_t i = 0; i < ways.size(); ++i) {
      for (const Hop& hop : ways[i].hops) {
        take(out.hops, hop);
      }
      const std::size_t next = (i + 1) % ways.size();
      if (next != i) {
        take(out.hops, between(i, ways[i].last, ways[i].out, next, ways[next], channel));
      } else if (ways[i].first != ways[i].last) {
        take(out.hops, {ways[i].last, ways[i].first, within(ways[i].last, ways[i].first), 0});
      }
    }
    return out;
  }

  // A tree whose nodes hang together as `parents` say (-1: the root); a chain in each node.
  ChannelTree tree(int channel, const std::vector<int>& parents) {
    const std::vector<Way> ways = ways_of(channel);
    ChannelTree out;
    for (std::size_t i = 0; i < ways.size(); ++i) {
      for (const Hop& hop : ways[i].hops) {
        take(out.up, {hop.to, hop.from, within(hop.to, hop.from), 0});
        take(out.down, hop);
      }
      if (parents[i] < 0) {
        out.root = ways[i].first;
        continue;
      }
      const auto parent = static_cast<std::size_t>(parents[i]);
      take(out.up,
           between(i, ways[i].first, out_of(i, ways[i].first, channel), parent, ways[parent], channel));
      take(out.down, between(parent, ways[parent].first, out_of(parent, ways[parent].first, channel), i,
                             ways[i], channel));
    }
    return out;
  }

  [[nodiscard]] const std::vector<double>& load() const { return load_; }
  [[nodiscard]] const fabric::Lanes& lanes() const { return lanes_; }

  // Rate that each of `count` channels reaches when all take their links at once.
  [[nodiscard]] double rate() const {
    double least = std::numeric_limits<double>::infinity();
    for (fabric::PlaceId place = 0; place < load_.size(); ++place) {
      if (load_[place] > 0.0) {
        least = std::min(least, lanes_.usable(*topology_, place).si() / load_[place]);
      }
    }
    return least;
  }

 private:
  // The way of a channel through one node.
  struct Way {
    DeviceId first = 0, last = 0;  // GPUs that it enters at and leaves from
    std::vector<Hop> hops = {};
    Route in = {}, out = {};  // from the NIC and to it; empty where it takes none
  };

  void take(std::vector<Hop>& hops, Hop hop) {
    for (const LinkId link : hop.route) {
      load_[lanes_.place(*topology_, link, hop.flow)] += 1.0;
    }
    hops.push_back(std::move(hop));
  }

  // Ways through all nodes. Nodes that are built, wired and loaded alike take the same one: it is searched
  // for once and carried over.
  [[nodiscard]] std::vector<Way> ways_of(int channel) const {
    std::map<std::vector<double>, std::size_t> known;
    std::vector<Way> ways;
    ways.reserve(nodes_.size());
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
      const auto [like, added] = known.try_emplace(signature(nodes_[i]), i);
      ways.push_back(added ? way(nodes_[i], channel) : carried(ways[like->second], nodes_[i].node));
    }
    return ways;
  }

  [[nodiscard]] Way way(const NodeGpus& node, int channel) const {
    const std::vector<DeviceId> order = nodes_.size() > 1 ? through(node, channel) : around(node);
    Way out{.first = order.front(), .last = order.back()};
    for (std::size_t g = 0; g + 1 < order.size(); ++g) {
      out.hops.push_back({order[g], order[g + 1], within(order[g], order[g + 1]), 0});
    }
    if (nodes_.size() > 1 && !node.nics.empty()) {
      out.in = required(rail(node, channel), out.first, 0);
      out.out = required(out.last, rail(node, channel), 0);
    }
    return out;
  }

  // Everything that a way through a node depends on, in terms of the node's own devices.
  [[nodiscard]] std::vector<double> signature(const NodeGpus& node) const {
    const auto devices = topology_->devices_of(node.node);
    std::vector<double> out = {static_cast<double>(devices.size())};
    for (const DeviceId gpu : node.gpus) {
      out.push_back(local_[gpu]);
    }
    for (const DeviceId nic : node.nics) {
      out.push_back(-1.0 - local_[nic]);
    }
    for (const DeviceId device : devices) {
      out.push_back(static_cast<double>(topology_->device(device).kind));
      for (const LinkId id : topology_->links_from(device)) {
        const fabric::Link& link = topology_->links()[id];
        if (topology_->device(link.to).node == node.node) {
          out.insert(out.end(), {static_cast<double>(local_[link.to]), static_cast<double>(link.spec.kind),
                                 link.spec.usable().si(), link.spec.latency.si(), load_[id]});
        } else {
          out.push_back(-1.0);
        }
      }
    }
    return out;
  }

  // A way through another node as the same one through `to`, a node of the same signature.
  [[nodiscard]] Way carried(const Way& way, int to) const {
    const auto devices = topology_->devices_of(to);
    const auto device = [&](DeviceId id) { return devices[local_[id]]; };
    const auto route = [&](const Route& like) {
      Route out;
      out.reserve(like.size());
      for (const LinkId id : like) {
        const DeviceId at = topology_->links()[id].from;
        const auto there = topology_->links_from(at);
        const auto place =
            static_cast<std::size_t>(std::find(there.begin(), there.end(), id) - there.begin());
        out.push_back(topology_->links_from(device(at))[place]);
      }
      return out;
    };
    Way out{.first = device(way.first), .last = device(way.last)};
    out.hops.reserve(way.hops.size());
    for (const Hop& hop : way.hops) {
      out.hops.push_back({device(hop.from), device(hop.to), route(hop.route), 0});
    }
    out.in = route(way.in);
    out.out = route(way.out);
    return out;
  }

  [[nodiscard]] Route required(DeviceId from, DeviceId to, std::uint64_t choice) const {
    Route route = topology_->route(from, to, choice);
    if (route.empty()) {
      throw InputError({"ranks", "no way from " + name(*topology_, from) + " to " + name(*topology_, to),
                        "GPUs that reach each other", ""});
    }
    return route;
  }
  [[nodiscard]] Route within(DeviceId from, DeviceId to) const { return required(from, to, 0); }

  // From a GPU of a node to its NIC of the channel's rail; nothing where it has none.
  [[nodiscard]] Route out_of(std::size_t node, DeviceId gpu, int channel) const {
    return nodes_[node].nics.empty() ? Route{} : required(gpu, rail(nodes_[node], channel), 0);
  }

  // From GPU `from` of node a, `out` being its way to the NIC, to where the channel enters node b; directly
  // where one of them has no NIC.
  [[nodiscard]] Hop between(std::size_t a, DeviceId from, const Route& out, std::size_t b, const Way& to,
                            int channel) const {
    const std::uint64_t flow = choice(a, b, channel);
    if (nodes_[a].nics.empty() || nodes_[b].nics.empty()) {
      return {from, to.first, required(from, to.first, flow), flow};
    }
    Route route = out;
    const DeviceId leaves = rail(nodes_[a], channel), enters = rail(nodes_[b], channel);
    const Route cable = topology_->route(leaves, enters, flow);
    if (cable.empty()) {
      throw InputError({"ranks",
                        "no way from " + name(*topology_, from) + " to " + name(*topology_, to.first) + " (" +
                            name(*topology_, leaves) + " to " + name(*topology_, enters) + ")",
                        "GPUs that reach each other", ""});
    }
    route.insert(route.end(), cable.begin(), cable.end());
    route.insert(route.end(), to.in.begin(), to.in.end());
    return {from, to.first, std::move(route), flow};
  }
  // Which of the equal ways from node a to node b a channel takes.
  [[nodiscard]] std::uint64_t choice(std::size_t a, std::size_t b, int channel) const {
    return ecmp_seed_ ? fabric::ecmp_hash(*ecmp_seed_, {a, b, static_cast<std::uint64_t>(channel)})
                      : static_cast<std::uint64_t>(channel);
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
    out.reserve(n);
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
  std::optional<std::uint64_t> ecmp_seed_;
  std::vector<NodeGpus> nodes_;
  fabric::Lanes lanes_;
  std::vector<double> load_;          // by place of `lanes_`, first the links: hops of all channels over it
  std::vector<std::uint32_t> local_;  // by device: its place in its node
};

// Channels one after the other: as many as told, or as long as one more brings something.
template <class Lay>
double lay(Planner& planner, int wanted, Lay&& lay_one, const std::function<void()>& drop_last) {
  const bool alone = planner.nodes().size() == 1;
  const int most = wanted > 0 ? wanted : alone ? 64 : planner.rails();
  double best = 0.0;
  for (int channel = 0; channel < most; ++channel) {
    std::optional<Planner> before;
    if (wanted == 0 && alone && channel > 0) {
      before = planner;
    }
    const double parts = lay_one(channel);
    const double bandwidth = parts * planner.rate();
    if (before && bandwidth < kWorthAChannel * best) {
      planner = std::move(*before);
      drop_last();
      break;
    }
    best = bandwidth;
  }
  return best;
}

}  // namespace

bool reaches_network(const Topology& topology, DeviceId nic) {
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

RingPlan plan_rings(const Topology& topology, std::span<const DeviceId> gpus, const ChannelOptions& options) {
  Planner planner(topology, gpus, options.ecmp_seed);
  RingPlan plan;
  if (gpus.size() == 1) {
    return plan;
  }
  plan.bandwidth = BytesPerSecond(lay(
      planner, options.channels,
      [&](int channel) {
        plan.channels.push_back(planner.ring(channel));
        return static_cast<double>(plan.channels.size());
      },
      [&] { plan.channels.pop_back(); }));
  plan.hops_by_link = planner.load();
  plan.lanes = planner.lanes();
  return plan;
}

TreePlan plan_trees(const Topology& topology, std::span<const DeviceId> gpus, const ChannelOptions& options) {
  Planner planner(topology, gpus, options.ecmp_seed);
  TreePlan plan;
  if (gpus.size() == 1) {
    return plan;
  }
  const DoubleTree pair = double_binary_tree(static_cast<int>(planner.nodes().size()));
  plan.bandwidth = BytesPerSecond(lay(
      planner, options.channels,
      [&](int channel) {
        plan.trees.push_back(planner.tree(channel, pair.first.parent));
        plan.trees.push_back(planner.tree(channel, pair.second.parent));
        return static_cast<double>(plan.trees.size());
      },
      [&] { plan.trees.resize(plan.trees.size() - 2); }));
  plan.hops_by_link = planner.load();
  plan.lanes = planner.lanes();
  return plan;
}

}  // namespace gpuplan::collectives
