// All-reduce inside one node: the best of three lines in the message size.
//
//   T = min over {small, middle, large} of  alpha + 2 (n - 1)/n S / (B share)
//
// B is the GPU's link bandwidth per direction, S the message; the lines stand for one shot, two shots and
// ring or NVLS of an engine's kernel, and for LL, LL128 and Simple of NCCL. Their constants are fitted per
// library and number of ranks on NVSwitch nodes; the share of the large line exceeds what a ring could reach
// where the switch reduces (NVLS), and is cut to a ring's where it does not. Other rank counts take the
// nearest one's constants, outside the measured range. Without NVLink between the ranks (PCIe boxes, pairs
// bridged to one peer only) the large line runs over PCIe, and that is assumed. Known to fail: NCCL's own
// switch points (it is up to 2x slower than its best at 0.5 to 8 MiB).
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "hwmodels/kernels/kernel_model.h"

namespace gpuplan::kernels {

namespace {

// Over PCIe (assumed): bus bandwidth over a GPU's own link with two GPUs below one switch, and when messages
// of more GPUs share the host bridge; and how much longer a start takes than over NVLink.
constexpr double kPcieShare = 0.65;
constexpr double kPcieSharedBridge = 0.5;
constexpr double kPcieStart = 1.5;

// NCCL's ring search on a node of 8 GPUs with NVSwitch ends at 240 of 300 GB/s (A100) and 360 of 450 (H100,
// H200).
constexpr double kRingShare = 0.8;

const AllReduceConstants& nearest_constants(const KernelProfile& profile, bool custom, int gpus) {
  const AllReduceConstants* best = &profile.all_reduce.front();
  double least = 1e300;
  for (const AllReduceConstants& c : profile.all_reduce) {
    const double apart = std::abs(std::log2(static_cast<double>(c.gpus) / gpus)) +
                         ((c.implementation == "custom") == custom ? 0.0 : 100.0);
    if (apart < least) {
      least = apart;
      best = &c;
    }
  }
  return *best;
}

}  // namespace

Price KernelModel::price(const AllReduce& op, ScaleUp scale_up, bool switch_reduction,
                         Explanation* why) const {
  const bool linked = gpu_.scale_up_bandwidth.si() > 0.0 &&
                      (scale_up == ScaleUp::nvswitch || scale_up == ScaleUp::all_to_all ||
                       (scale_up == ScaleUp::pairs && op.gpus <= 2));
  const AllReduceConstants& c = nearest_constants(profile_, op.custom_kernel && linked, op.gpus);
  const double n = std::max(2, op.gpus), s = op.bytes.si();
  const double bus_bytes = 2.0 * (n - 1.0) / n * s;
  const double link = linked ? gpu_.scale_up_bandwidth.si() : std::max(1e9, gpu_.pcie_bandwidth.si());

  // Where the switch does not reduce, large messages of more than two GPUs go round a ring.
  const bool ring = linked && !switch_reduction && op.gpus > 2 && c.large_share > kRingShare;
  struct Line {
    std::string_view name;
    double alpha, share;
  };
  const double pcie_share = kPcieShare * (op.gpus > 2 ? kPcieSharedBridge : 1.0);
  const std::array<Line, 3> lines =
      linked ? std::array<Line, 3>{{{"small", c.small_alpha, c.small_share},
                                    {"middle", c.middle_alpha, c.middle_share},
                                    {"large", c.large_alpha, ring ? kRingShare : c.large_share}}}
             : std::array<Line, 3>{{{"small", kPcieStart * c.small_alpha, 0.5 * pcie_share},
                                    {"middle", kPcieStart * c.middle_alpha, 0.8 * pcie_share},
                                    {"large", kPcieStart * c.large_alpha, pcie_share}}};
  const auto time_of = [&](const Line& line) { return line.alpha * 1e-6 + bus_bytes / (link * line.share); };
  const Line& best = *std::min_element(lines.begin(), lines.end(),
                                       [&](const Line& a, const Line& b) { return time_of(a) < time_of(b); });

  Price price;
  price.time = Seconds(time_of(best));
  price.fixed = Seconds(best.alpha * 1e-6);
  price.link = price.time - price.fixed;
  price.link_bytes = Bytes(bus_bytes);
  price.hbm_bytes = Bytes(2.0 * s);
  price.limiter = price.fixed > price.link ? Limiter::latency : Limiter::link_bandwidth;
  price.fraction_of_peak = bus_bytes / link / price.time.si();
  const bool own_constants = linked && !(ring && &best == &lines[2]) && c.gpus == op.gpus &&
                             (c.implementation == "custom") == op.custom_kernel;
  set_standing(price, c.error, own_constants, (linked && c.gpus != op.gpus) || s > 1.1e9);
  if (!linked) {
    price.provenance = Provenance::assumed;
    price.relative_error = std::max(price.relative_error, 0.5);
    price.spread80 = std::max(price.spread80, 1.0);
  }
  if (why != nullptr) {
    why->add(fmt::format(
        "all-reduce of {:.4g} B over {} GPUs, {}, constants of {} GPUs: bus bytes 2 (n-1)/n S = {:.4g} B", s,
        op.gpus, linked ? c.implementation : "PCIe (assumed)", c.gpus, bus_bytes));
    for (const Line& line : lines) {
      why->add(fmt::format("{}: alpha {:.2f} + {:.4g} B / ({:.3g} B/s x {:.3f}) = {:.2f} us{}", line.name,
                           line.alpha, bus_bytes, link, line.share, time_of(line) * 1e6,
                           &line == &best ? " <-" : ""));
    }
    why->add(fmt::format("bus bandwidth {:.1f} GB/s", bus_bytes / price.time.si() / 1e9));
    explain_standing(price, c.error, *why);
  }
  return price;
}

}  // namespace gpuplan::kernels
