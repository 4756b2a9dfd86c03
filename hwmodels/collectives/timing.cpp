#include "hwmodels/collectives/timing.h"

#include <algorithm>
#include <cmath>

#include "hwmodels/collectives/tuner_constants.h"

namespace gpuplan::collectives {

namespace {

// Over PCIe (assumed): two GPUs below one switch reach 0.65 of a GPU's own link (20 of 31.5 GB/s measured on
// L40S), and half of that where more of them share the way between sockets.
constexpr double kPcieShare = 0.65, kPcieSharedBridge = 0.5;

// Bytes per us that a GPU sends to its peers at the datasheet's rate, of which constants take their shares.
double link_rate(const TimingConstants& c, const Communicator& group) {
  const double shared = kPcieShare * (group.gpus_per_node() > 2 ? kPcieSharedBridge : 1.0) / c.simple_share;
  return group.link.si() * 1e-6 * (group.nvlink ? 1.0 : shared);
}

// How far something that grows with `x` and levels off has grown: half at `half`.
double filled(double x, double half) { return x / (x + half); }

// Steps of a ring's operation that reduce what they receive.
double reducing_steps(Collective collective, int ranks) {
  switch (collective) {
    case Collective::all_reduce:
    case Collective::reduce_scatter:
    case Collective::reduce:
      return ranks - 1.0;
    case Collective::all_gather:
    case Collective::broadcast:
    case Collective::all_to_all:
    case Collective::send_recv:
      return 0.0;
  }
  return 0.0;
}

// Sequential hops, and chunks of S/n that a rank sends, of a ring or a tree.
struct Hops {
  double steps, chunks;
};
Hops hops_of(const Communicator& group, Collective collective, Algorithm algorithm) {
  const double n = group.ranks;
  if (algorithm == Algorithm::tree || algorithm == Algorithm::collnet_chain ||
      algorithm == Algorithm::collnet_direct) {
    const double local = group.gpus_per_node();
    return {2.0 * (local - 1.0), 2.0 * (local - 1.0) / local * n};  // up and down a chain inside the node
  }
  const bool whole = collective == Collective::broadcast || collective == Collective::reduce;
  const double steps = whole ? n - 1.0 : ring_steps(collective, group.ranks);
  return {steps, whole ? n - 1.0 : steps};
}

TimeParts ring_time(const TimingConstants& c, const Communicator& group, const CollectiveOperation& operation,
                    const Choice& choice) {
  const double n = group.ranks, s = operation.bytes.si(), chunk = s / n;
  const Hops hops = hops_of(group, operation.collective, choice.algorithm);
  const double link = link_rate(c, group);
  const double reduced = c.reduce * reducing_steps(operation.collective, group.ranks);
  const double own = group.nvlink ? c.own : 0.0;  // next to PCIe, a GPU's own part costs nothing
  TimeParts t;
  t.step_count = static_cast<int>(hops.steps);
  t.wire_bytes = chunk * hops.chunks;
  switch (choice.protocol) {
    case Protocol::ll: {
      const double more = chunk / c.ll_more_bytes;
      t.fixed = c.floor;
      t.steps = hops.steps * (c.ll_step + c.ll_more * more * more / (1.0 + more * more));
      const double bytes = chunk * (hops.chunks + 1.0) / (link * c.ll_share);
      t.transfer =
          std::pow(std::pow(t.steps, c.ll_overlap) + std::pow(bytes, c.ll_overlap), 1.0 / c.ll_overlap) -
          t.steps;
      break;
    }
    case Protocol::ll128:
      t.fixed = c.floor + c.ll128_start;
      t.steps = hops.steps * c.ll128_step;
      t.transfer = chunk * (hops.chunks + own + reduced) / (link * c.ll128_share);
      break;
    case Protocol::simple:
      t.fixed = c.floor + c.simple_start;
      t.steps = hops.steps * c.simple_step;
      t.pipeline = hops.steps * c.slice * filled(chunk, c.slice_bytes);
      t.transfer = chunk * (hops.chunks + own + reduced) / (link * c.simple_share);
      break;
  }
  return t;
}

TimeParts nvls_time(const TimingConstants& c, const Communicator& group,
                    const CollectiveOperation& operation) {
  const double n = group.gpus_per_node(), s = operation.bytes.si();
  TimeParts t;
  t.step_count = 2;
  t.fixed = c.floor + c.nvls_start;
  t.wire_bytes = s * (1.0 + 1.0 / n);  // its part of the sums out, all of the summands to the switch
  t.pipeline = c.nvls_slice * filled(s / n, c.nvls_slice_bytes);
  t.transfer = t.wire_bytes / (group.link.si() * 1e-6 * c.nvls_share);
  return t;
}

TimeParts peers_time(const TimingConstants& c, const Communicator& group,
                     const CollectiveOperation& operation) {
  const bool all = operation.collective == Collective::all_to_all;
  const double n = all ? group.ranks : 2.0;
  const double message = all ? operation.bytes.si() / n : operation.bytes.si();
  const double link = link_rate(c, group);
  TimeParts ll, simple;
  ll.step_count = simple.step_count = 1;
  ll.wire_bytes = simple.wire_bytes = message * (n - 1.0);
  ll.fixed = c.floor + c.p2p_ll_start;
  ll.steps = simple.steps = c.p2p_peer * (n - 1.0);
  ll.transfer = message / (link * c.p2p_ll_share);
  simple.fixed = c.floor + c.p2p_start;
  simple.pipeline = c.p2p_slice * filled(message, c.p2p_slice_bytes);
  simple.transfer = message * (n - 1.0 + (all ? c.p2p_own : 0.0)) / (link * c.p2p_share);
  return ll.total() < simple.total() ? ll : simple;
}

// Hops through the network that follow on each other, and bytes that each node sends through its NICs.
struct Crossing {
  double hops, bytes;
};
Crossing crossing_of(const Communicator& group, const CollectiveOperation& operation, Algorithm algorithm) {
  const double n = group.ranks, nodes = group.nodes, s = operation.bytes.si();
  const double depth = std::ceil(std::log2(nodes));
  switch (algorithm) {
    case Algorithm::ring:
    case Algorithm::one_shot:
    case Algorithm::two_shot:
    case Algorithm::hierarchical:
    case Algorithm::torus:
      return {static_cast<double>(ring_steps_between_nodes(operation.collective, group.nodes)),
              s * bus_factor(operation.collective, group.ranks)};
    case Algorithm::tree:
    case Algorithm::nvls_tree:  // an inner node of one tree has two children, and is a leaf of the other
      return {2.0 * depth, group.nodes == 2 ? s : 2.0 * s};
    case Algorithm::nvls:
    case Algorithm::collnet_direct:
    case Algorithm::collnet_chain:
      return {2.0, s};
    case Algorithm::pat:
      return {depth, s * (n - 1.0) / n};
    case Algorithm::point_to_point:
      if (operation.collective == Collective::send_recv) {
        return {1.0, s};
      }
      // Every rank of a node sends to those of the others.
      return {1.0, s * group.gpus_per_node() * (nodes - 1.0) / nodes};
  }
  return {0.0, 0.0};
}

// What the network adds to the parts inside the nodes.
void across(TimeParts& t, const NetworkConstants& net, const Communicator& group,
            const CollectiveOperation& operation, const Choice& choice) {
  const Crossing crossing = crossing_of(group, operation, choice.algorithm);
  const double nics =
      choice.algorithm == Algorithm::point_to_point && operation.collective == Collective::send_recv
          ? 1.0
          : group.nics;
  t.net_bytes = crossing.bytes;
  if (choice.algorithm == Algorithm::tree) {
    // What a channel of a tree reaches at most, by NCCL's own table: bytes go up and come down.
    const double most = group.channels *
                        nccl::kTree.at(nccl::index(group.architecture)).at(nccl::node_index(group.nodes)) *
                        1e3;  // bytes per us
    t.transfer = std::max(t.transfer, 2.0 * operation.bytes.si() / most);
  }
  const double transfer = crossing.bytes / (nics * group.nic.si() * 1e-6 * net.share);
  t.network_bound = transfer > t.transfer;
  t.transfer = std::max(t.transfer, transfer);
  t.network = crossing.hops * (net.step + group.net_latency.si() * 1e6 +
                               net.slice * filled(operation.bytes.si(), net.slice_bytes));
}

}  // namespace

TimeParts time_of(const TimingConstants& c, const NetworkConstants& net, const Communicator& group,
                  const CollectiveOperation& operation, const Choice& choice) {
  TimeParts t;
  switch (choice.algorithm) {
    case Algorithm::nvls:
    case Algorithm::nvls_tree:
      t = nvls_time(c, group, operation);
      break;
    case Algorithm::point_to_point:
      t = peers_time(c, group, operation);
      break;
    case Algorithm::ring:
    case Algorithm::tree:
    case Algorithm::collnet_direct:
    case Algorithm::collnet_chain:
    case Algorithm::pat:
    case Algorithm::one_shot:
    case Algorithm::two_shot:
    case Algorithm::hierarchical:
    case Algorithm::torus:
      t = ring_time(c, group, operation, choice);
      break;
  }
  t.link_seconds = t.wire_bytes / group.link.si();
  if (group.nodes > 1) {
    across(t, net, group, operation, choice);
  }
  return t;
}

TimeParts time_of(const CustomConstants& c, const Communicator& group, Bytes bytes, Algorithm algorithm) {
  const double n = group.ranks, s = bytes.si(), link = group.link.si() * 1e-6;
  const bool one = algorithm == Algorithm::one_shot;
  TimeParts t;
  t.step_count = one ? 1 : 2;
  t.fixed = one ? c.one_start : c.two_start;
  t.steps = (n - 1.0) * (one ? c.one_peer : c.two_peer);
  t.wire_bytes = one ? s * (n - 1.0) : 2.0 * s * (n - 1.0) / n;
  t.transfer = t.wire_bytes / (link * (one ? c.one_share : c.two_share));
  t.link_seconds = t.wire_bytes / group.link.si();
  return t;
}

}  // namespace gpuplan::collectives
