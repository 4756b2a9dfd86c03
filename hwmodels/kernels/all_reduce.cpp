// All-reduce inside one node: latency and bandwidth of one or two phases.
//
//   one shot: T = alpha + (n - 1) S / (B one_shot)             every rank reads all others
//   two shot: T = alpha + alpha2 + 2 (n - 1)/n S / (B bus) + ramp sqrt(S / 1 MiB)    reduce-scatter,
//   all-gather T = min(one shot, two shot)
//
// B is the GPU's NVLink bandwidth per direction, S the message. Constants are fitted per library and number
// of ranks (inference engines' own kernel, NCCL). With switch reduction the bus share exceeds what a ring
// could reach. On PCIe (no NVLink) the physics is the same with PCIe's bandwidth, a quarter of it shared
// through the host bridge, and that is assumed.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "hwmodels/kernels/kernel_model.h"

namespace gpuplan::kernels {

namespace {

const AllReduceConstants* nearest_constants(const KernelProfile& profile, bool custom, int gpus) {
  const AllReduceConstants* best = nullptr;
  const auto distance = [&](const AllReduceConstants& c) {
    return std::abs(std::log2(static_cast<double>(c.gpus) / gpus)) +
           ((c.library == "custom") == custom ? 0.0 : 100.0);
  };
  for (const AllReduceConstants& c : profile.all_reduce) {
    if (best == nullptr || distance(c) < distance(*best)) {
      best = &c;
    }
  }
  return best;
}

}  // namespace

Price KernelModel::price(const AllReduce& op, ScaleUp scale_up, bool switch_reduction,
                         Explanation* why) const {
  (void)switch_reduction;  // the fitted bus share of NVSwitch machines includes it
  const bool nvlink = scale_up != ScaleUp::pcie && gpu_.scale_up_bandwidth.si() > 0.0;
  const AllReduceConstants& c = *nearest_constants(profile_, op.custom_kernel && nvlink, op.gpus);
  const double link = nvlink ? gpu_.scale_up_bandwidth.si() : 0.25 * std::max(1e9, gpu_.pcie_bandwidth.si());
  const double n = op.gpus, s = op.bytes.si();
  const double phases = 2.0 * (n - 1.0) / n;
  const double one = c.alpha * 1e-6 + (n - 1.0) * s / (link * c.one_shot_share);
  const double two_bus = phases * s / (link * c.bus_share);
  const double two = (c.alpha + c.two_shot_alpha) * 1e-6 + two_bus + c.ramp * 1e-6 * std::sqrt(s / 1048576.0);
  const bool single = one <= two;

  Price price;
  price.time = Seconds(std::min(one, two));
  price.fixed = Seconds((c.alpha + (single ? 0.0 : c.two_shot_alpha)) * 1e-6);
  price.link = price.time - price.fixed;
  price.link_bytes = Bytes(single ? (n - 1.0) * s : phases * s);
  price.hbm_bytes = Bytes(2.0 * s);
  price.limiter = price.fixed > price.link ? Limiter::latency : Limiter::link_bandwidth;
  price.fraction_of_peak = price.link_bytes.si() / link / price.time.si();
  price.provenance = nvlink ? standing(c.error) : Provenance::assumed;
  price.relative_error = nvlink ? expected_error(c.error) : 0.5;
  price.outside_measured_range = c.gpus != op.gpus;
  if (why != nullptr) {
    why->add(fmt::format("{:.4g} B over {} GPUs, {}, {}: one shot {:.2f} us, two shot {:.2f} us", s, op.gpus,
                         c.library, nvlink ? "NVLink" : "PCIe (assumed)", one * 1e6, two * 1e6));
    why->add(
        fmt::format("two shot = {:.2f} + 2 (n-1)/n S / ({:.3g} B/s x {:.3f}) + {:.2f} sqrt(S / MiB) = {:.2f} "
                    "us; bus bandwidth {:.1f} GB/s",
                    c.alpha + c.two_shot_alpha, link, c.bus_share, c.ramp, two * 1e6,
                    phases * s / price.time.si() / 1e9));
  }
  return price;
}

}  // namespace gpuplan::kernels
