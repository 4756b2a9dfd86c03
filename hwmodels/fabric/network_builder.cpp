#include "hwmodels/fabric/network_builder.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

namespace gpuplan::fabric {

namespace {

[[noreturn]] void too_small(const std::string& path, const std::string& found, const std::string& expected) {
  throw InputError(Problem{path, found, expected, ""});
}

int ceil_div(int a, int b) { return (a + b - 1) / b; }

// The smallest divisor of `n` that is at least `least`; 0 where there is none.
int divisor_from(int n, int least) {
  for (int d = std::max(1, least); d <= n; ++d) {
    if (n % d == 0) {
      return d;
    }
  }
  return 0;
}

class NetworkBuilder {
 public:
  NetworkBuilder(Topology& topology, const FabricSpec& spec, const LinkSpec& port, int trays,
                 std::string path)
      : topology_(topology), spec_(spec), port_(port), trays_(trays), path_(std::move(path)) {
    for (int node = 0; node < topology_.node_count(); ++node) {
      nics_.push_back(topology_.of_node(node, DeviceKind::nic));
    }
    per_node_ = nics_.empty() ? 0 : static_cast<int>(nics_.front().size());
    total_ = per_node_ * static_cast<int>(nics_.size());
  }

  void build() {
    switch (spec_.kind) {
      case FabricKind::single_switch:
        single_switch();
        return;
      case FabricKind::rail_optimised:
        rails();
        return;
      case FabricKind::fat_tree:
        fat_tree();
        return;
      case FabricKind::dragonfly:
        dragonfly();
        return;
    }
  }

 private:
  LinkSpec cables(int count) const {
    LinkSpec link = port_;
    link.bandwidth = port_.bandwidth * count;
    link.width = count;
    return link;
  }
  DeviceId add_switch(DeviceKind kind, int index) { return topology_.add({kind, -1, index}); }
  DeviceId leaf(int number) const { return leaves_[static_cast<std::size_t>(number)]; }
  void add_leaves(int count) {
    for (int i = 0; i < count; ++i) {
      leaves_.push_back(add_switch(DeviceKind::leaf, i));
    }
  }
  void plug(DeviceId nic, int number) { topology_.connect(nic, leaf(number), port_); }

  void single_switch() {
    if (total_ > spec_.ports) {
      too_small(path_ + ".ports", fmt::format("{} for {} NICs", spec_.ports, total_),
                "a port for each NIC, or another kind of fabric");
    }
    add_leaves(1);
    for (const auto& node : nics_) {
      for (const DeviceId nic : node) {
        plug(nic, 0);
      }
    }
  }

  // Ports of a leaf towards NICs: the most that leave enough for the way up.
  int leaf_down() const {
    if (spec_.leaf_down) {
      return *spec_.leaf_down;
    }
    int down = 1;
    while (down + 1 + uplinks(down + 1) <= spec_.ports) {
      ++down;
    }
    return down;
  }
  int uplinks(int down) const {
    return static_cast<int>(std::ceil(static_cast<double>(down) / spec_.oversubscription - 1e-9));
  }
  void check_leaf(int down) const {
    if (down + uplinks(down) > spec_.ports) {
      too_small(path_ + ".leaf_down", fmt::format("{} down and {} up", down, uplinks(down)),
                fmt::format("at most {} ports on a switch", spec_.ports));
    }
  }

  // NIC r of each tray on the leaf of rail r; a new set of leaves when those are full.
  void rails() {
    const int down = leaf_down();
    check_leaf(down);
    const int rails = std::max(1, per_node_ % trays_ == 0 ? per_node_ / trays_ : per_node_);
    const int units = total_ / rails;  // trays, or nodes
    add_leaves(ceil_div(units, down) * rails);
    int port = 0;
    for (const auto& node : nics_) {
      for (const DeviceId nic : node) {
        plug(nic, port / rails / down * rails + port % rails);
        ++port;
      }
    }
    upper_levels(uplinks(std::min(down, units)));
  }

  // All NICs of a node on one leaf where they fit.
  void fat_tree() {
    int down = leaf_down();
    check_leaf(down);
    if (per_node_ <= down) {
      down -= down % per_node_;
    }
    const int used = std::min(down, total_);
    add_leaves(ceil_div(total_, down));
    int port = 0;
    for (const auto& node : nics_) {
      for (const DeviceId nic : node) {
        plug(nic, port++ / down);
      }
    }
    upper_levels(uplinks(used));
  }

  void upper_levels(int up) {
    const int leaves = static_cast<int>(leaves_.size());
    if (leaves == 1) {
      return;
    }
    const int levels = spec_.levels.value_or(leaves <= spec_.ports ? 2 : 3);
    if (levels == 2) {
      two_levels(up);
    } else {
      three_levels(up);
    }
  }

  void two_levels(int up) {
    const int leaves = static_cast<int>(leaves_.size());
    const int spines = divisor_from(up, ceil_div(leaves * up, spec_.ports));
    if (spines == 0) {
      too_small(path_ + ".levels", fmt::format("2 for {} leaves", leaves),
                fmt::format("3, or switches of more than {} ports", spec_.ports));
    }
    for (int s = 0; s < spines; ++s) {
      const DeviceId spine = add_switch(DeviceKind::spine, s);
      for (const DeviceId below : leaves_) {
        topology_.connect(below, spine, cables(up / spines));
      }
    }
  }

  void three_levels(int up) {
    const int leaves = static_cast<int>(leaves_.size());
    const int pod = std::min(leaves, spec_.pod_leaves.value_or(spec_.ports / 2));
    const int pods = ceil_div(leaves, pod);
    const int cores = divisor_from(pod, ceil_div(pods * pod, spec_.ports));  // of a group
    if (2 * pod > spec_.ports || cores == 0) {
      too_small(path_ + ".pod_leaves",
                fmt::format("{} pods of {} leaves on switches of {} ports", pods, pod, spec_.ports),
                fmt::format("at most {} pods of at most {} leaves", spec_.ports, spec_.ports / 2));
    }
    std::vector<DeviceId> group;
    for (int s = 0; s < up; ++s) {
      group.clear();
      for (int c = 0; c < cores; ++c) {
        group.push_back(add_switch(DeviceKind::core, s * cores + c));
      }
      for (int p = 0; p < pods; ++p) {
        const DeviceId spine = add_switch(DeviceKind::spine, p * up + s);
        for (int l = p * pod; l < std::min(leaves, (p + 1) * pod); ++l) {
          topology_.connect(leaf(l), spine, port_);
        }
        for (const DeviceId core : group) {
          topology_.connect(spine, core, cables(pod / cores));
        }
      }
    }
  }

  void dragonfly() {
    // p + (2p - 1) + p / oversubscription ports; the most NICs that fit.
    const auto ports_for = [&](int p) { return p + (2 * p - 1) + uplinks(p); };
    int p = spec_.leaf_down.value_or(1);
    while (!spec_.leaf_down && ports_for(p + 1) <= spec_.ports) {
      ++p;
    }
    const int global = uplinks(p), routers = ceil_div(total_, p);
    const int groups = ceil_div(routers, spec_.pod_leaves.value_or(2 * p));
    const int a = ceil_div(routers, groups);  // routers of a group
    if (p + a - 1 + global > spec_.ports) {
      too_small(
          path_ + ".pod_leaves",
          fmt::format("{} NICs, {} routers of the group and {} global cables on a router", p, a - 1, global),
          fmt::format("at most {} ports", spec_.ports));
    }
    if (groups - 1 > a * global) {
      too_small(path_ + ".pod_leaves",
                fmt::format("{} groups with {} global cables each", groups, a * global),
                "a cable to each other group: larger groups, or switches of more ports");
    }
    add_leaves(groups * a);
    for (int g = 0; g < groups; ++g) {
      for (int i = 0; i < a; ++i) {
        for (int j = i + 1; j < a; ++j) {
          topology_.connect(leaf(g * a + i), leaf(g * a + j), port_);
        }
      }
    }
    connect_groups(groups, a, global);
    int port = 0;
    for (const auto& node : nics_) {
      for (const DeviceId nic : node) {
        plug(nic, port++ / p);
      }
    }
  }

  // Global cable k of a group sits on its router k / global, and goes to the k mod (groups - 1)-th next
  // group.
  void connect_groups(int groups, int a, int global) {
    if (groups == 1) {
      return;
    }
    const int each = a * global / (groups - 1);  // cables between two groups
    for (int i = 0; i < groups; ++i) {
      for (int j = i + 1; j < groups; ++j) {
        std::map<std::pair<int, int>, int> count;  // by router of either
        for (int c = 0; c < each; ++c) {
          const int there = (j - i - 1) + c * (groups - 1), back = (groups - 1 - (j - i)) + c * (groups - 1);
          ++count[{i * a + there / global, j * a + back / global}];
        }
        for (const auto& [ends, width] : count) {
          topology_.connect(leaf(ends.first), leaf(ends.second), cables(width));
        }
      }
    }
  }

  Topology& topology_;
  const FabricSpec& spec_;
  const LinkSpec& port_;
  int trays_;
  std::string path_;
  std::vector<std::vector<DeviceId>> nics_;  // by node
  int per_node_ = 0, total_ = 0;
  std::vector<DeviceId> leaves_;
};

}  // namespace

void add_network(Topology& topology, const FabricSpec& spec, const LinkSpec& port, int trays,
                 const std::string& path) {
  NetworkBuilder(topology, spec, port, std::max(1, trays), path).build();
}

}  // namespace gpuplan::fabric
