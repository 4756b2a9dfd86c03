#include "hwmodels/collectives/link_shares.h"

#include <algorithm>
#include <map>
#include <utility>

#include "hwmodels/collectives/delay.h"
#include "hwmodels/collectives/schedule.h"

namespace gpuplan::collectives {

namespace {

using fabric::DeviceId;
using fabric::DeviceKind;
using fabric::LinkId;
using fabric::Route;
using fabric::Topology;

// Where a channel enters and leaves a node.
struct Door {
  DeviceId head = 0, nic = 0;
  Route out, in;  // from the head to the NIC and back
};
using Doors = std::map<int, Door>;  // by node

class Shares {
 public:
  Shares(const Topology& topology, std::span<const DeviceId> gpus, const TreePlan& trees,
         std::optional<std::uint64_t> ecmp_seed)
      : topology_(topology), trees_(trees), ecmp_seed_(ecmp_seed) {
    out_.by_place.assign(trees.lanes.places(topology), 0.0);
    for (const DeviceId gpu : gpus) {
      nodes_[topology.device(gpu).node].push_back(gpu);
    }
    out_.channels = nodes_.size() > 1 ? trees.trees.size() / 2 : 0;
  }

  // False where the machine has no such way.
  bool nvls() {
    double slowest = 0.0;
    for (const auto& [node, gpus] : nodes_) {
      const auto switches = topology_.of_node(node, DeviceKind::nvswitch);
      if (switches.empty() || gpus.size() < 2) {
        return false;
      }
      const double share = 1.0 + 1.0 / static_cast<double>(gpus.size());
      double up = 0.0, down = 0.0;
      for (const DeviceId gpu : gpus) {
        up = std::max(up, take(needed(gpu, switches.front()), 0, share));
        down = std::max(down, take(needed(switches.front(), gpu), 0, share));
      }
      slowest = std::max(slowest, up + down);
    }
    out_.delay += Seconds(slowest);
    return true;
  }

  void trees_between_nodes() {
    const double share = 1.0 / static_cast<double>(trees_.trees.size());
    for (const ChannelTree& tree : trees_.trees) {
      for (const std::vector<Hop>* hops : {&tree.up, &tree.down}) {
        for (const Hop& hop : *hops) {
          if (crosses(hop)) {
            take(hop.route, hop.flow, share);
          }
        }
      }
    }
    out_.delay += delay_of(topology_, trees_, {.between_nodes = true});
  }

  // Each rail up to the switch where all meet, and down.
  bool reducing_switches() {
    double slowest = 0.0;
    for (std::size_t channel = 0; channel < out_.channels; ++channel) {
      const std::optional<Doors> doors = doors_of(channel);
      if (!doors) {
        return false;
      }
      slowest = std::max(slowest, up_and_down(*doors, channel));
    }
    out_.delay += Seconds(slowest);
    return true;
  }

  // Between each GPU of a node and the head of each rail.
  bool directly_in_nodes() {
    double slowest = 0.0;
    for (std::size_t channel = 0; channel < out_.channels; ++channel) {
      const std::optional<Doors> doors = doors_of(channel);
      if (!doors) {
        return false;
      }
      for (const auto& [node, gpus] : nodes_) {
        const DeviceId head = doors->at(node).head;
        double up = 0.0, down = 0.0;
        for (const DeviceId gpu : gpus) {
          if (gpu != head) {
            up = std::max(up, take(topology_.route(gpu, head), 0, of_channel()));
            down = std::max(down, take(topology_.route(head, gpu), 0, of_channel()));
          }
        }
        slowest = std::max(slowest, up + down);
      }
    }
    out_.delay += Seconds(slowest);
    return true;
  }

  void chains_in_nodes() {
    double slowest = 0.0;
    for (std::size_t channel = 0; channel < out_.channels; ++channel) {
      const ChannelTree& tree = trees_.trees[2 * channel];
      std::map<int, double> by_node;
      for (const std::vector<Hop>* hops : {&tree.up, &tree.down}) {
        for (const Hop& hop : *hops) {
          if (!crosses(hop)) {
            by_node[topology_.device(hop.from).node] += take(hop.route, hop.flow, of_channel());
          }
        }
      }
      for (const auto& [node, delay] : by_node) {
        slowest = std::max(slowest, delay);
      }
    }
    out_.delay += Seconds(slowest);
  }

  bool pat(bool gather) {
    std::vector<PatRound> rounds = pat_rounds(static_cast<int>(nodes_.size()));
    if (!gather) {
      std::reverse(rounds.begin(), rounds.end());
    }
    double slowest = 0.0;
    for (std::size_t channel = 0; channel < out_.channels; ++channel) {
      const std::optional<Doors> doors = doors_of(channel);
      if (!doors) {
        return false;
      }
      slowest = std::max(slowest, pat_of(*doors, rounds, gather, channel));
    }
    out_.delay += Seconds(slowest);
    return true;
  }

  [[nodiscard]] bool one_gpu_a_node() const {
    return std::all_of(nodes_.begin(), nodes_.end(),
                       [](const auto& node) { return node.second.size() == 1; });
  }
  [[nodiscard]] std::size_t node_count() const { return nodes_.size(); }
  [[nodiscard]] LinkShares result() && { return std::move(out_); }

 private:
  [[nodiscard]] double of_channel() const { return 1.0 / static_cast<double>(out_.channels); }
  [[nodiscard]] bool crosses(const Hop& hop) const {
    return topology_.device(hop.from).node != topology_.device(hop.to).node;
  }
  [[nodiscard]] std::uint64_t flow(std::size_t channel, std::uint64_t from, std::uint64_t to) const {
    return ecmp_seed_ ? fabric::ecmp_hash(*ecmp_seed_, {from, to, channel}) : channel;
  }

  // Takes a share of each link of a way; returns what its delays add up to.
  double take(const Route& route, std::uint64_t flow, double share) {
    for (const LinkId link : route) {
      out_.by_place[trees_.lanes.place(topology_, link, flow)] += share;
    }
    return delay_of(topology_, route).si();
  }

  [[nodiscard]] Route required(DeviceId from, DeviceId to, std::uint64_t choice) const {
    Route route = topology_.route(from, to, choice);
    if (route.empty()) {
      refuse(from, to);
    }
    return route;
  }
  // The link itself, which must be up.
  [[nodiscard]] Route needed(DeviceId from, DeviceId to) const {
    const std::optional<LinkId> link = topology_.link(from, to);
    if (!link || !(topology_.links()[*link].spec.bandwidth.si() > 0.0)) {
      refuse(from, to);
    }
    return {*link};
  }
  [[noreturn]] void refuse(DeviceId from, DeviceId to) const {
    throw InputError(
        {"ranks", "no way from " + name_of(topology_.device(from)) + " to " + name_of(topology_.device(to)),
         "links that the algorithm can take, or another `algorithm`", ""});
  }

  // From the hops between nodes; nothing where they take no NIC.
  [[nodiscard]] std::optional<Doors> doors_of(std::size_t channel) const {
    Doors out, in;
    const auto is_nic = [&](DeviceId id) { return topology_.device(id).kind == DeviceKind::nic; };
    const auto look = [&](const Hop& hop) {
      const auto& links = topology_.links();
      const auto leaves =
          std::find_if(hop.route.begin(), hop.route.end(), [&](LinkId id) { return is_nic(links[id].to); });
      const auto enters = std::find_if(hop.route.rbegin(), hop.route.rend(),
                                       [&](LinkId id) { return is_nic(links[id].from); });
      if (leaves != hop.route.end() && enters != hop.route.rend()) {
        out[topology_.device(hop.from).node] = {
            hop.from, links[*leaves].to, {hop.route.begin(), leaves + 1}, {}};
        in[topology_.device(hop.to).node].in = {std::prev(enters.base()), hop.route.end()};
      }
    };
    for (std::size_t half = 0; half < 2; ++half) {
      const ChannelTree& tree = trees_.trees[2 * channel + half];
      for (const std::vector<Hop>* hops : {&tree.up, &tree.down}) {
        for (const Hop& hop : *hops) {
          if (crosses(hop)) {
            look(hop);
          }
        }
      }
    }
    if (out.size() < nodes_.size() || in.size() < nodes_.size()) {
      return std::nullopt;
    }
    for (auto& [node, door] : out) {
      door.in = in.at(node).in;
    }
    return out;
  }

  // The switch in the middle of the longest way from the first NIC to another.
  [[nodiscard]] std::optional<DeviceId> root_of(const Doors& doors, std::uint64_t choice) const {
    Route longest;
    const DeviceId first = doors.begin()->second.nic;
    for (const auto& [node, door] : doors) {
      if (door.nic != first) {
        Route route = required(first, door.nic, choice);
        longest = route.size() > longest.size() ? std::move(route) : std::move(longest);
      }
    }
    return longest.size() < 2 ? std::nullopt
                              : std::optional(topology_.links()[longest[longest.size() / 2 - 1]].to);
  }

  // A channel's tree of switches, every link once each way. Returns what its delays add up to.
  double up_and_down(const Doors& doors, std::size_t channel) {
    const std::uint64_t choice = flow(channel, 0, 0);
    const std::optional<DeviceId> root = root_of(doors, choice);
    std::map<DeviceId, LinkId> above, below;  // the link up from a device, and that by which data comes down
    for (const auto& [node, door] : doors) {
      take(door.out, choice, of_channel());
      take(door.in, choice, of_channel());
      if (!root) {
        continue;  // cable from NIC to NIC: no switch
      }
      for (const LinkId link : required(door.nic, *root, choice)) {
        above.try_emplace(topology_.links()[link].from, link);
      }
      for (const LinkId link : required(*root, door.nic, choice)) {
        below.try_emplace(topology_.links()[link].to, link);
      }
    }
    for (const auto& [at, link] : above) {
      take({link}, choice, of_channel());
    }
    for (const auto& [at, link] : below) {
      take({link}, choice, of_channel());
    }
    return longest(doors, above, below);
  }

  // The longest way up and the longest down.
  [[nodiscard]] double longest(const Doors& doors, const std::map<DeviceId, LinkId>& above,
                               const std::map<DeviceId, LinkId>& below) const {
    double most_up = 0.0, most_down = 0.0;
    const auto& links = topology_.links();
    for (const auto& [node, door] : doors) {
      double up = delay_of(topology_, door.out).si(), down = delay_of(topology_, door.in).si();
      for (auto at = above.find(door.nic); at != above.end(); at = above.find(links[at->second].to)) {
        up += links[at->second].spec.delay.si();
      }
      for (auto at = below.find(door.nic); at != below.end(); at = below.find(links[at->second].from)) {
        down += links[at->second].spec.delay.si();
      }
      most_up = std::max(most_up, up);
      most_down = std::max(most_down, down);
    }
    return most_up + most_down;
  }

  // A channel's rounds. Returns the longest sum of delays: a round sends what all rounds before brought.
  double pat_of(const Doors& doors, const std::vector<PatRound>& rounds, bool gather, std::size_t channel) {
    std::vector<const Door*> at;
    for (const auto& [node, door] : doors) {
      at.push_back(&door);
    }
    const std::size_t n = at.size();
    std::vector<double> ready(n, 0.0), next;
    for (const PatRound& round : rounds) {
      next = ready;
      const double share = of_channel() * round.chunks / static_cast<double>(n);
      for (std::size_t rank = 0; rank < n; ++rank) {
        const std::size_t partner = (rank + static_cast<std::size_t>(round.distance)) % n;
        const std::size_t from = gather ? rank : partner, to = gather ? partner : rank;
        const std::uint64_t hash = flow(channel, from, to);
        double delay = take(at[from]->out, hash, share);
        delay += take(required(at[from]->nic, at[to]->nic, hash), hash, share);
        delay += take(at[to]->in, hash, share);
        next[to] = std::max(next[to], ready[from] + delay);
      }
      ready = next;
    }
    return *std::max_element(ready.begin(), ready.end());
  }

  const Topology& topology_;
  const TreePlan& trees_;
  std::optional<std::uint64_t> ecmp_seed_;
  std::map<int, std::vector<DeviceId>> nodes_;
  LinkShares out_;
};

}  // namespace

std::optional<LinkShares> plan_shares(const Topology& topology, std::span<const DeviceId> gpus,
                                      const TreePlan& trees, Algorithm algorithm, Collective collective,
                                      std::optional<std::uint64_t> ecmp_seed) {
  Shares shares(topology, gpus, trees, ecmp_seed);
  const bool several = shares.node_count() > 1;
  const bool one_node_only = algorithm == Algorithm::nvls && !several;
  if (!one_node_only && (!several || trees.trees.empty())) {
    return std::nullopt;
  }
  bool found = false;
  switch (algorithm) {
    case Algorithm::nvls:
      found = shares.nvls() && (!several || shares.reducing_switches());
      break;
    case Algorithm::nvls_tree:
      found = shares.nvls();
      shares.trees_between_nodes();
      break;
    case Algorithm::collnet_direct:
      found = shares.reducing_switches() && shares.directly_in_nodes();
      break;
    case Algorithm::collnet_chain:
      found = shares.reducing_switches();
      shares.chains_in_nodes();
      break;
    case Algorithm::pat:
      found = shares.one_gpu_a_node() && shares.pat(collective == Collective::all_gather);
      break;
    case Algorithm::ring:
    case Algorithm::tree:
    case Algorithm::point_to_point:
    case Algorithm::one_shot:
    case Algorithm::two_shot:
    case Algorithm::hierarchical:
    case Algorithm::torus:
      break;
  }
  return found ? std::optional(std::move(shares).result()) : std::nullopt;
}

}  // namespace gpuplan::collectives
