#include "hwmodels/collectives/collective_model.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "hwmodels/collectives/composed.h"

namespace gpuplan::collectives {

namespace {

// What was measured: 256 B to 512 MB (an engine's own kernels to 1 GB) on 2, 4 and 8 ranks of a node.
constexpr double kLeastBytes = 256.0, kMostBytes = 5.4e8, kMostCustomBytes = 1.1e9;
// Beyond that, and where constants are another machine's, errors count double (assumed).
constexpr double kWider = 2.0;
// Over PCIe, where nobody measured (assumed).
constexpr double kAssumedError = 0.5, kAssumedSpread = 1.0;

struct Timed {
  Choice choice;
  TimeParts parts;
};

Choice forced(const Communicator& group, const CollectiveOperation& operation,
              const CollectiveOptions& options) {
  Choice best = choose(group, operation);
  std::optional<double> least;
  for (const Choice& candidate : candidates(group, operation)) {
    if (candidate.algorithm == options.algorithm.value_or(candidate.algorithm) &&
        candidate.protocol == options.protocol.value_or(candidate.protocol) &&
        (!least || candidate.estimate < *least)) {
      best = candidate;
      least = candidate.estimate;
    }
  }
  if (!least) {
    best.algorithm = options.algorithm.value_or(best.algorithm);
    best.protocol = options.protocol.value_or(best.protocol);
  }
  return best;
}

bool same_way(const Choice& a, const Choice& b) {
  return a.algorithm == b.algorithm && a.protocol == b.protocol;
}

// The longest time, in us, of any smaller message: NCCL changes algorithms a little before or after the point
// where they take equally long, and a larger message never was measured to be clearly faster.
double longest_of_smaller(const TimingConstants& constants, const NetworkConstants& network,
                          const Communicator& group, CollectiveOperation operation, Choice choice) {
  constexpr int kBisections = 16;
  constexpr double kStride = 0.84;  // NCCL's corrections of trees change with powers of two
  double longest = 0.0;
  double size = operation.bytes.si();
  const auto choice_at = [&](double bytes) {
    operation.bytes = Bytes(bytes);
    return choose(group, operation);
  };
  while (size > kLeastBytes) {
    const double less = kStride * size;
    if (same_way(choice_at(less), choice)) {
      size = less;
      continue;
    }
    double below = less, above = size;
    for (int i = 0; i < kBisections; ++i) {
      const double middle = std::sqrt(below * above);
      (same_way(choice_at(middle), choice) ? above : below) = middle;
    }
    size = below;
    choice = choice_at(size);
    longest = std::max(longest, time_of(constants, network, group, operation, choice).total());
  }
  return longest;
}

void explain(const CollectivePrice& price, const Communicator& group, const CollectiveOperation& operation,
             const HeldOutError& error, const std::string& constants, kernels::Explanation& why) {
  const TimeParts& p = price.parts;
  why.add(fmt::format("{} of {:.4g} B over {} ranks on {} node{}, link {:.4g} GB/s, constants of {}",
                      json::name_of(operation.collective), operation.bytes.si(), group.ranks, group.nodes,
                      group.nodes == 1 ? "" : "s", group.link.si() * 1e-9, constants));
  if (price.choice.estimate > 0.0) {
    Choices all = candidates(group, operation);
    std::stable_sort(all.begin(), all.end(),
                     [](const Choice& a, const Choice& b) { return a.estimate < b.estimate; });
    std::string line = "NCCL's estimates:";
    for (std::size_t i = 0; i < all.size() && i < 4; ++i) {
      line += fmt::format("{} {} {} {:.1f} us", i == 0 ? "" : ",", json::name_of(all[i].algorithm),
                          json::name_of(all[i].protocol), all[i].estimate);
    }
    why.add(line);
  }
  why.add(fmt::format("{} {}, {} channels, {} steps, {:.4g} B sent per GPU",
                      json::name_of(price.choice.algorithm), json::name_of(price.choice.protocol),
                      price.choice.channels, p.step_count, p.wire_bytes));
  if (price.choice.algorithm == Algorithm::ring && bus_factor(operation.collective, group.ranks) != 1.0) {
    const int phases = operation.collective == Collective::all_reduce ? 2 : 1;
    why.add(
        fmt::format("ring of N = {0}: {1} (N-1) = {2} steps of a chunk S/N = {3:.4g} B; each GPU sends "
                    "{1} (N-1)/N S = {4:.6g} x {5:.4g} B = {6:.4g} B",
                    group.ranks, phases, phases * (group.ranks - 1), operation.bytes.si() / group.ranks,
                    bus_factor(operation.collective, group.ranks), operation.bytes.si(), p.wire_bytes));
  }
  why.add(fmt::format(
      "T = fixed {:.2f} + steps {:.2f} + pipeline {:.2f} + transfer {:.2f} + network {:.2f}{} = "
      "{:.2f} us",
      p.fixed, p.steps, p.pipeline, p.transfer, p.network,
      p.held > 0.0 ? fmt::format(" + {:.2f} (no faster than smaller messages)", p.held) : "", p.total()));
  if (group.nodes > 1) {
    why.add(fmt::format("each node sends {:.4g} B over {} x {:.4g} GB/s; {} limits the transfer", p.net_bytes,
                        group.nics, group.nic.si() * 1e-9, p.network_bound ? "the network" : "the node"));
  }
  why.add(fmt::format("bus bandwidth {:.1f} GB/s, algorithm bandwidth {:.1f} GB/s",
                      price.bus_bandwidth.si() * 1e-9, price.algorithm_bandwidth.si() * 1e-9));
  why.add(fmt::format("expected error {:.1f} %, 80 % within a factor {:.2f} ({} rows held out{})",
                      100.0 * price.relative_error, 1.0 + price.spread80, error.rows,
                      price.outside_measured_range ? "; outside the measured range" : ""));
}

}  // namespace

CollectivePrice CollectiveModel::price(Communicator group, const CollectiveOperation& operation,
                                       const CollectiveOptions& options, kernels::Explanation* why) const {
  CollectivePrice price;
  if (group.ranks < 2) {
    price.relative_error = price.spread80 = 0.0;
    return price;
  }
  if (options.algorithm && is_composed(*options.algorithm)) {
    return price_phases(*this, group, operation, *options.algorithm, why);
  }
  const VersionConstants& constants = profiles_.version(group.architecture, group.version);
  const MeasuredNetwork& network = profiles_.network(group.fabric);
  const ArchitectureProfile& profile = profiles_.architecture(group.architecture);
  group.ll128 = group.ll128 && constants.ll128;
  price.choice =
      options.algorithm || options.protocol ? forced(group, operation, options) : choose(group, operation);
  price.parts = time_of(constants.time, network.time, group, operation, price.choice);
  if (!options.algorithm && !options.protocol && price.choice.algorithm != Algorithm::point_to_point) {
    const double least = longest_of_smaller(constants.time, network.time, group, operation, price.choice);
    price.parts.held = std::max(0.0, least - price.parts.total());
  }
  HeldOutError error = constants.error;
  bool custom = false;
  if (options.custom_kernel && operation.collective == Collective::all_reduce && group.nodes == 1 &&
      group.nvlink) {
    for (const Algorithm algorithm : {Algorithm::one_shot, Algorithm::two_shot}) {
      const TimeParts parts = time_of(profile.custom, group, operation.bytes, algorithm);
      if (parts.total() < price.parts.total()) {
        price.choice = {algorithm, Protocol::simple, 1, 0.0};
        price.parts = parts;
        custom = true;
      }
    }
    if (custom) {
      error = profile.custom_error;
    }
  }
  price.time = Seconds(price.parts.total() * 1e-6);
  price.algorithm_bandwidth = operation.bytes / price.time;
  price.bus_bandwidth =
      BytesPerSecond(price.algorithm_bandwidth.si() * bus_factor(operation.collective, group.ranks));
  price.limiter = price.parts.transfer > 0.5 * price.parts.total() ? kernels::Limiter::link_bandwidth
                                                                   : kernels::Limiter::latency;
  if (group.nodes > 1) {
    error.median = std::max(error.median, network.error.median);
    error.q80 = std::max(error.q80, network.error.q80);
    error.rows = network.error.rows;
  }
  const double bytes = operation.bytes.si();
  const bool version_known = group.version.empty() || group.version == constants.version;
  price.outside_measured_range =
      bytes < kLeastBytes || bytes > (options.custom_kernel ? kMostCustomBytes : kMostBytes) ||
      !version_known || !group.nvlink ||
      (group.nodes == 1 && group.ranks != 2 && group.ranks != 4 && group.ranks != 8) ||
      (operation.collective != Collective::all_reduce &&
       (group.nodes > 1 || operation.collective == Collective::broadcast ||
        operation.collective == Collective::reduce || operation.collective == Collective::send_recv));
  const double wider = price.outside_measured_range ? kWider : 1.0;
  price.relative_error = std::max(error.median * wider, group.nvlink ? 0.0 : kAssumedError);
  price.spread80 = std::max(error.q80 * wider, group.nvlink ? 0.0 : kAssumedSpread);
  price.provenance = error.rows == 0 || !group.nvlink ? kernels::Provenance::assumed
                     : price.outside_measured_range   ? kernels::Provenance::physics
                                                      : kernels::Provenance::measured;
  if (why != nullptr) {
    const std::string version = constants.version.empty() ? "(assumed)" : constants.version;
    explain(price, group, operation, error, custom ? "the engine's own kernels" : "NCCL " + version, *why);
  }
  return price;
}

}  // namespace gpuplan::collectives
