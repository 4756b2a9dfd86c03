#include "hwmodels/collectives/composed.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace gpuplan::collectives {

namespace {

// A level of the hierarchy: groups of that many ranks, all at work at once.
struct Level {
  std::string where;
  Communicator group;
};

Level inside_nodes(const Communicator& all, std::string where) {
  Communicator group = all;
  group.ranks = all.gpus_per_node();
  group.nodes = 1;
  return {std::move(where), group};
}

// One GPU of each node: as many groups as a node has GPUs share its NICs.
Level between_nodes(const Communicator& all, std::string where) {
  const int groups = all.gpus_per_node();
  Communicator group = all;
  group.ranks = all.nodes;
  group.nics = std::max(1, all.nics / groups);
  group.nic = BytesPerSecond(all.nics * all.nic.si() / groups / group.nics);
  group.channels = std::max(1, all.channels / groups);
  return {std::move(where), group};
}

// The divisor of `n` next below its root.
int shorter_side(int n) {
  int side = static_cast<int>(std::sqrt(static_cast<double>(n)));
  while (n % side != 0) {
    --side;
  }
  return side;
}

std::vector<Level> sides_of_torus(const Communicator& all) {
  if (all.nodes > 1 && all.gpus_per_node() > 1) {
    return {inside_nodes(all, "along rows"), between_nodes(all, "along columns")};
  }
  const int columns = shorter_side(all.ranks);
  std::vector<Level> out;
  for (const int side : {all.ranks / columns, columns}) {
    Communicator group = all;
    group.ranks = side;
    group.nodes = all.nodes > 1 ? side : 1;
    out.push_back({out.empty() ? "along rows" : "along columns", group});
  }
  return out;
}

void add(TimeParts& sum, const TimeParts& part) {
  sum.network += part.network;
  sum.fixed += part.fixed;
  sum.steps += part.steps;
  sum.pipeline += part.pipeline;
  sum.transfer += part.transfer;
  sum.held += part.held;
  sum.step_count += part.step_count;
  sum.wire_bytes += part.wire_bytes;
  sum.net_bytes += part.net_bytes;
  sum.link_seconds += part.link_seconds;
}

}  // namespace

bool is_composed(Algorithm algorithm) {
  return algorithm == Algorithm::hierarchical || algorithm == Algorithm::torus;
}

std::vector<Phase> phases_of(const Communicator& group, const CollectiveOperation& operation,
                             Algorithm algorithm) {
  const Collective collective = operation.collective;
  const bool reduces = collective == Collective::all_reduce || collective == Collective::reduce_scatter;
  const bool gathers = collective == Collective::all_reduce || collective == Collective::all_gather;
  if (!reduces && !gathers) {
    return {};
  }
  const std::vector<Level> levels =
      algorithm == Algorithm::torus
          ? sides_of_torus(group)
          : std::vector{inside_nodes(group, "inside nodes"), between_nodes(group, "between nodes")};
  const Level &first = levels[0], &second = levels[1];
  const Bytes whole = operation.bytes, part(whole.si() / first.group.ranks);
  std::vector<Phase> out;
  const auto phase = [&](const Level& level, Collective what, Bytes bytes) {
    if (level.group.ranks > 1) {
      out.push_back({level.where, level.group, {what, bytes}});
    }
  };
  if (reduces) {
    phase(first, Collective::reduce_scatter, whole);
  }
  if (collective == Collective::all_reduce && algorithm == Algorithm::hierarchical) {
    phase(second, Collective::all_reduce, part);
  } else {
    if (reduces) {
      phase(second, Collective::reduce_scatter, part);
    }
    if (gathers) {
      phase(second, Collective::all_gather, part);
    }
  }
  if (gathers) {
    phase(first, Collective::all_gather, whole);
  }
  return out;
}

CollectivePrice price_phases(const CollectiveModel& model, const Communicator& group,
                             const CollectiveOperation& operation, Algorithm algorithm,
                             kernels::Explanation* why) {
  const std::vector<Phase> phases = phases_of(group, operation, algorithm);
  if (phases.empty()) {
    return model.price(group, operation, {}, why);
  }
  CollectivePrice out;
  out.relative_error = out.spread80 = 0.0;
  double longest = 0.0;
  for (const Phase& phase : phases) {
    const CollectivePrice price = model.price(phase.group, phase.operation);
    add(out.parts, price.parts);
    out.time += price.time;
    out.relative_error += price.relative_error * price.time.si();
    out.spread80 += price.spread80 * price.time.si();
    out.outside_measured_range = out.outside_measured_range || price.outside_measured_range;
    if (price.time.si() > longest) {
      longest = price.time.si();
      out.choice = price.choice;
      out.provenance = price.provenance;
      out.parts.network_bound = price.parts.network_bound;
    }
    if (why != nullptr) {
      why->add(fmt::format("{}: {} of {:.4g} B over {} ranks, {} {}: {:.2f} us, of which transfer {:.2f}",
                           phase.where, json::name_of(phase.operation.collective), phase.operation.bytes.si(),
                           phase.group.ranks, json::name_of(price.choice.algorithm),
                           json::name_of(price.choice.protocol), price.time.si() * 1e6,
                           price.parts.transfer));
    }
  }
  // Nobody measured the phases put together: what is known of each is what is known of the sum.
  out.choice.algorithm = algorithm;
  out.provenance =
      out.provenance == kernels::Provenance::measured ? kernels::Provenance::physics : out.provenance;
  out.relative_error /= out.time.si();
  out.spread80 /= out.time.si();
  out.limiter = out.parts.transfer > 0.5 * out.parts.total() ? kernels::Limiter::link_bandwidth
                                                             : kernels::Limiter::latency;
  out.algorithm_bandwidth = operation.bytes / out.time;
  out.bus_bandwidth =
      BytesPerSecond(out.algorithm_bandwidth.si() * bus_factor(operation.collective, group.ranks));
  if (why != nullptr) {
    why->add(fmt::format("{} phases, one after the other: {:.2f} us; each GPU sends {:.4g} B", phases.size(),
                         out.time.si() * 1e6, out.parts.wire_bytes));
    why->add(fmt::format("bus bandwidth {:.1f} GB/s, algorithm bandwidth {:.1f} GB/s",
                         out.bus_bandwidth.si() * 1e-9, out.algorithm_bandwidth.si() * 1e-9));
  }
  return out;
}

}  // namespace gpuplan::collectives
