#include "hwmodels/kernels/memory_hierarchy.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace gpuplan::kernels {

namespace {

constexpr std::array<std::string_view, 4> kLevelNames = {"l1", "l2_near", "l2_far", "dram"};

// L1 and shared memory of an SM are one memory; at least what shared memory can take.
double l1_bytes(const Gpu& gpu) { return gpu.shared_memory_per_sm.si(); }

}  // namespace

std::span<const std::string_view> enum_names(MemoryLevel /*tag*/) { return kLevelNames; }

MemoryAccess memory_access(const KernelModel& model, Bytes footprint, bool private_to_sm, Explanation* why) {
  const MemoryConstants& c = model.operations().memory;
  const Gpu& gpu = model.gpu();
  const double clock = gpu.boost_clock.si(), sms = gpu.sm_count;
  const double total = footprint.si() * (private_to_sm ? sms : 1.0);
  const double per_sm = footprint.si();
  const double l1_rate = sms * c.l1_bytes_per_clock * clock, l2_rate = sms * c.l2_bytes_per_clock * clock;
  const double dram_rate = gpu.memory_bandwidth.si() * c.dram_share;
  const double full = c.l2_full * gpu.l2.si(), gone = c.l2_gone * gpu.l2.si();
  const double hits = std::clamp((gone - total) / (gone - full), 0.0, 1.0);

  MemoryAccess access;
  double nanoseconds = 0.0;
  if (per_sm <= l1_bytes(gpu)) {
    access.level = MemoryLevel::l1;
    access.bandwidth = BytesPerSecond(l1_rate);
    nanoseconds = c.l1_latency;
  } else {
    const bool near = total <= 0.5 * gpu.l2.si();
    access.level = hits < 0.5 ? MemoryLevel::dram : near ? MemoryLevel::l2_near : MemoryLevel::l2_far;
    access.l2_hits = hits;
    access.bandwidth = BytesPerSecond(1.0 / (hits / l2_rate + (1.0 - hits) / dram_rate));
    nanoseconds = hits * (near ? c.l2_near_latency : c.l2_far_latency) + (1.0 - hits) * c.dram_latency;
  }
  access.latency = Seconds(nanoseconds * 1e-9);
  Price standing;
  stand_on(standing, c, gpu);
  access.provenance = access.level == MemoryLevel::l1 ? Provenance::datasheet : standing.provenance;
  access.relative_error = standing.relative_error;
  access.spread80 = standing.spread80;
  if (why != nullptr) {
    why->add(fmt::format(
        "{:.4g} B against L2 {:.4g} B: full rate below {:.4g}, none above {:.4g}; L2 serves {:.0f} %", total,
        gpu.l2.si(), full, gone, 100.0 * hits));
    why->add(fmt::format("L1 {:.3g}, L2 {:.3g}, memory {:.3g} B/s: here {:.4g} B/s, {:.1f} ns ({})", l1_rate,
                         l2_rate, dram_rate, access.bandwidth.si(), nanoseconds,
                         json::name_of(access.level)));
    explain_evidence(standing, c, *why);
  }
  return access;
}

}  // namespace gpuplan::kernels
