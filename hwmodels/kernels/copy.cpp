// Copies: T = fixed + bytes / rate, hence half of the rate at bytes = fixed x rate.
//
//   device to device   floor of a small kernel; every byte is read and written: rate = BW x share / 2
//   host, page-locked  the DMA engine: rate = PCIe (line rate, catalogue) x share, or the coherent link's;
//                      packets of 256 B with headers and credits leave 12.35 of 15.75 GB/s on V100, 0.784,
//                      which makes 24 on PCIe 4 and 49 on PCIe 5
//   host, pageable     staged through a page-locked buffer by the CPU: that rate x share; always blocking
//   both directions    each at a share of its rate, for both share the host's memory and the link's credits
//
// A blocking call costs its fixed time (28.8 us on V100: launch, transfer start, synchronising); in a stream
// only the start. V100 PCIe: all ten published sizes within 4 %. The pageable share is a user's measurement
// on PCIe 3 (5 to 6 against 11 to 12 GB/s, RAPIDS dask-cuda issue 98); it depends on the host's CPU and
// memory.
#include "hwmodels/kernels/copy.h"

#include <fmt/format.h>

#include <algorithm>

namespace gpuplan::kernels {

namespace {

// Rate of `copy` between host and device.
BytesPerSecond link_rate(const Gpu& gpu, const CopyConstants& c, const Copy& copy) {
  const bool coherent = gpu.c2c_bandwidth.si() > 0.0;
  BytesPerSecond rate = coherent ? gpu.c2c_bandwidth * c.c2c_share : gpu.pcie_bandwidth * c.pinned_share;
  if (!copy.pinned && !coherent) {
    rate *= c.pageable_share;
  }
  return copy.other_way_busy ? rate * c.both_share : rate;
}

}  // namespace

Price KernelModel::price(const Copy& op, Explanation* why) const {
  const CopyConstants& c = operations_.copy;
  Price price;
  if (op.path == Copy::Path::device_to_device) {
    const double share = profile_.passes.copy;
    price.fixed = Seconds(profile_.passes.floor * 1e-6);
    price.hbm_bytes = op.bytes * 2.0;
    price.hbm = price.hbm_bytes / (gpu_.memory_bandwidth * share);
    price.time = price.fixed + price.hbm;
    price.relative_error = price.spread80 = 0.0;
    assume(price, 0.1);  // STREAM scale and triad on five NVIDIA GPUs: 0.84 to 0.96 of the datasheet
    if (why != nullptr) {
      why->add(fmt::format("T = floor {:.2f} us + 2 x {:.4g} B / ({:.3g} B/s x {:.2f}) = {:.2f} us",
                           price.fixed.si() * 1e6, op.bytes.si(), gpu_.memory_bandwidth.si(), share,
                           price.time.si() * 1e6));
    }
  } else {
    const bool blocking = op.blocking || !op.pinned;
    const BytesPerSecond rate = link_rate(gpu_, c, op);
    price.fixed = Seconds((blocking ? c.call : c.asynchronous) * 1e-6);
    price.link_bytes = op.bytes;
    price.hbm_bytes = op.bytes;
    price.hbm = op.bytes / gpu_.memory_bandwidth;
    price.link = rate.si() > 0.0 ? op.bytes / rate : Seconds(0.0);
    price.time = price.fixed + max(price.link, price.hbm);
    stand_on(price, c, gpu_);
    if (!op.pinned || !blocking || op.other_way_busy) {  // not what was measured
      assume(price, 0.25);
    }
    if (why != nullptr) {
      why->add(fmt::format(
          "T = {} call {:.2f} us + {:.4g} B / {:.4g} B/s ({}) = {:.2f} us; half of that rate at "
          "{:.3g} B",
          blocking ? "blocking" : "asynchronous", price.fixed.si() * 1e6, op.bytes.si(), rate.si(),
          op.pinned ? "page-locked" : "pageable", price.time.si() * 1e6, (price.fixed * rate).si()));
      explain_evidence(price, c, *why);
    }
  }
  set_limiter(price, gpu_.vector_fp32_peak, gpu_.memory_bandwidth);
  if (price.limiter == Limiter::link_bandwidth) {
    const BytesPerSecond link = gpu_.c2c_bandwidth.si() > 0.0 ? gpu_.c2c_bandwidth : gpu_.pcie_bandwidth;
    price.fraction_of_peak = price.link_bytes / link / price.time;
  }
  return price;
}

Overlap overlap(const KernelModel& model, const Copy& copy, const Price& kernel) {
  const Price alone = model.price(copy);
  if (copy.path != Copy::Path::device_to_device && !copy.pinned) {
    return {.together = kernel.time + alone.time, .exposed = alone.time};
  }
  const auto demand = [&](const Price& p) {  // of the memory bandwidth, at full speed
    return p.time.si() > 0.0 ? p.hbm_bytes / p.time / model.achievable_bandwidth() : 0.0;
  };
  const double stretch = std::max(1.0, demand(alone) + demand(kernel));
  const Seconds shorter = min(alone.time, kernel.time), longer = max(alone.time, kernel.time);
  const Seconds together = shorter * stretch + (longer - shorter);
  return {.together = together, .exposed = together - kernel.time, .kernel_stretch = stretch};
}

Bytes half_speed_size(const KernelModel& model, Copy copy) {
  copy.bytes = Bytes(1e9);
  const Price price = model.price(copy);
  return price.fixed * (copy.bytes / (price.time - price.fixed));
}

}  // namespace gpuplan::kernels
