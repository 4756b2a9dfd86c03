#include "hwmodels/collectives/timing.h"

#include <algorithm>

namespace gpuplan::collectives {

namespace {

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
  if (algorithm == Algorithm::tree) {
    return {2.0 * (n - 1.0), 2.0 * (n - 1.0)};  // up and down a chain inside the node
  }
  const bool whole = collective == Collective::broadcast || collective == Collective::reduce;
  const double steps = whole ? n - 1.0 : ring_steps(collective, group.ranks);
  return {steps, whole ? n - 1.0 : steps};
}

TimeParts ring_time(const TimingConstants& c, const Communicator& group, const CollectiveOperation& operation,
                    const Choice& choice) {
  const double n = group.ranks, s = operation.bytes.si(), chunk = s / n;
  const Hops hops = hops_of(group, operation.collective, choice.algorithm);
  const double link = group.link.si() * 1e-6;  // bytes per us
  const double reduced = c.reduce * reducing_steps(operation.collective, group.ranks);
  TimeParts t;
  t.step_count = static_cast<int>(hops.steps);
  t.wire_bytes = chunk * hops.chunks;
  switch (choice.protocol) {
    case Protocol::ll: {
      const double more = chunk / c.ll_more_bytes;
      t.fixed = c.floor;
      t.steps = hops.steps * (c.ll_step + c.ll_more * more * more / (1.0 + more * more));
      t.transfer = chunk * (hops.chunks + 1.0) / (link * c.ll_share);
      break;
    }
    case Protocol::ll128:
      t.fixed = c.floor + c.ll128_start;
      t.steps = hops.steps * c.ll128_step;
      t.transfer = chunk * (hops.chunks + c.own + reduced) / (link * c.ll128_share);
      break;
    case Protocol::simple:
      t.fixed = c.floor + c.simple_start;
      t.steps = hops.steps * c.simple_step;
      t.pipeline = hops.steps * c.slice * filled(chunk, c.slice_bytes);
      t.transfer = chunk * (hops.chunks + c.own + reduced) / (link * c.simple_share);
      break;
  }
  return t;
}

TimeParts nvls_time(const TimingConstants& c, const Communicator& group,
                    const CollectiveOperation& operation) {
  const double n = group.ranks, s = operation.bytes.si();
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
  const double link = group.link.si() * 1e-6;
  TimeParts ll, simple;
  ll.step_count = simple.step_count = 1;
  ll.wire_bytes = simple.wire_bytes = message * (n - 1.0);
  ll.fixed = c.floor + c.p2p_ll_start;
  ll.steps = simple.steps = c.p2p_peer * (n - 1.0);
  ll.transfer = message / (link * c.p2p_ll_share);
  simple.fixed = c.floor + c.p2p_start;
  simple.pipeline = c.p2p_slice * filled(message, c.p2p_slice_bytes);
  simple.transfer = message * (n - 1.0 + (all ? c.own : 0.0)) / (link * c.p2p_share);
  return ll.total() < simple.total() ? ll : simple;
}

}  // namespace

TimeParts time_of(const TimingConstants& c, const Communicator& group, const CollectiveOperation& operation,
                  const Choice& choice) {
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
      t = ring_time(c, group, operation, choice);
      break;
  }
  t.link_seconds = t.wire_bytes / group.link.si();
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
