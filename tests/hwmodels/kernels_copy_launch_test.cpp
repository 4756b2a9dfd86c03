// Copies and launches.
#include <vector>

#include "hwmodels/kernels/copy.h"
#include "hwmodels/kernels/launch_sequence.h"
#include "kernels_testing.h"

using namespace gpuplan;
using namespace gpuplan::kernels;

TEST_CASE("Page-locked copies against the published times of a V100 on PCIe 3") {
  const KernelModel model = model_of("V100-SXM2-32GB");
  struct Point {
    double bytes, microseconds;
  };
  // gpu-benches (RRZE-HPC 1038c5d), cuda-memcpy.
  for (const Point& point : {Point{262144, 50}, Point{524288, 70}, Point{1048576, 110}, Point{2097152, 200},
                             Point{4194304, 370}, Point{8388608, 710}, Point{16777216, 1380},
                             Point{67108864, 5460}, Point{268435456, 21750}, Point{1073741824, 86910}}) {
    const Price price = model.price(Copy{.bytes = Bytes(point.bytes), .blocking = true});
    INFO(point.bytes << " B: " << microseconds(price));
    CHECK(microseconds(price) == Approx(point.microseconds).epsilon(0.04));
  }
  // 28.8 us x 12.35 GB/s = 356 kB: the published curve is at half speed between 256 and 512 KiB.
  const Bytes half = half_speed_size(model, {.blocking = true});
  CHECK(half.si() == Approx(28.8e-6 * 12.35e9).epsilon(1e-4));
  const Price price = model.price(Copy{.bytes = half, .blocking = true});
  CHECK((half / price.time).si() == Approx(0.5 * 12.35e9).epsilon(1e-4));
}

TEST_CASE("Copies: pinned before pageable, device before host, one way before both") {
  const KernelModel model = model_of("H100-SXM5-80GB");
  Copy copy{.bytes = Bytes(1e9)};
  const Price pinned = model.price(copy);
  CHECK(pinned.limiter == Limiter::link_bandwidth);
  // 63 GB/s on the line; 12.35 of V100's 15.75 makes 49.4. Users report 53 to 55.
  CHECK(pinned.time.si() == Approx(1e9 / (63e9 * 12.35 / 15.75)).epsilon(0.01));
  copy.other_way_busy = true;
  CHECK(model.price(copy).time > pinned.time);
  copy.other_way_busy = false;
  copy.pinned = false;
  const Price pageable = model.price(copy);
  CHECK(pageable.time / pinned.time > 1.8);
  CHECK(pageable.provenance == Provenance::assumed);
  copy.path = Copy::Path::device_to_device;
  const Price device = model.price(copy);
  CHECK(device.hbm_bytes.si() == 2e9);  // read and written
  CHECK(device.time.si() == Approx(2e9 / (3.352e12 * 0.85)).epsilon(0.01));
}

TEST_CASE("A coherent link carries copies where there is one") {
  // nvbandwidth on GB300 (450 GB/s a direction): 359 GB/s to the device, 377 back; both at once 175 and 172.
  const KernelModel model = model_of("GB300");
  Copy copy{.bytes = Bytes(4e9)};
  const auto rate = [&] { return copy.bytes.si() / model.price(copy).time.si() * 1e-9; };
  CHECK(rate() == Approx(359.0).epsilon(0.05));
  copy.path = Copy::Path::device_to_host;
  CHECK(rate() == Approx(377.0).epsilon(0.06));
  copy.other_way_busy = true;
  CHECK(rate() == Approx(172.0).epsilon(0.05));
}

TEST_CASE("A copy hides behind a kernel, unless the host waits for it or both want the memory") {
  const KernelModel model = model_of("H100-SXM5-80GB");
  const Price gemm = model.price(Gemm{.m = 8192, .n = 8192, .k = 8192});
  Copy copy{.bytes = Bytes(63e9 * 0.5 * gemm.time.si())};  // half as long as the GEMM
  const Overlap hidden = overlap(model, copy, gemm);
  CHECK(hidden.together == gemm.time);
  CHECK(hidden.exposed.si() == 0.0);
  copy.pinned = false;
  const Overlap waits = overlap(model, copy, gemm);
  CHECK(waits.together > gemm.time);
  CHECK(waits.exposed.si() == Approx((waits.together - gemm.time).si()));
  // Two streams through the same memory share it: nothing is gained.
  const Copy device{.bytes = Bytes(1e9), .path = Copy::Path::device_to_device};
  const Price stream = model.price(device);
  const Overlap both = overlap(model, device, stream);
  CHECK(both.kernel_stretch > 1.8);
  CHECK(both.together / stream.time == Approx(2.0).epsilon(0.1));
}

TEST_CASE("Small kernels: the host's issue rate in a stream, the gap in a graph") {
  const KernelModel model = model_of("H200-SXM-141GB");
  // gpu-benches on H200: empty kernels 2.43 us apart in a stream, 1.23 us in a graph.
  Price empty;
  empty.time = model.launch(true);
  const std::vector<Price> thousand(1000, empty);
  const Price stream = price_sequence(model, thousand, Issue::stream);
  const Price graph = price_sequence(model, thousand, Issue::graph);
  CHECK(stream.time.si() == Approx(1000.0 * 2.43e-6 + 1.23e-6));
  CHECK(graph.time.si() == Approx(1000.0 * 1.23e-6).epsilon(0.01));
  CHECK(stream.fixed.si() == Approx(1000.0 * 1.20e-6).epsilon(0.01));
  CHECK(price_sequence(model, thousand, Issue::framework).limiter == Limiter::launch);
}

TEST_CASE("Long kernels hide their launches but the first") {
  const KernelModel model = model_of("H200-SXM-141GB");
  const std::vector<Price> large(10, model.price(Gemm{.m = 4096, .n = 4096, .k = 4096}));
  const Price stream = price_sequence(model, large, Issue::stream);
  CHECK(stream.fixed.si() == Approx(2.43e-6));
  CHECK(stream.time.si() == Approx(10.0 * large[0].time.si() + 2.43e-6));
  CHECK(stream.limiter == Limiter::compute);
  CHECK(price_sequence(model, {}, Issue::stream).time.si() == 0.0);
}

TEST_CASE("A long kernel lets the queue fill up: later short ones start at once") {
  const KernelModel model = model_of("H200-SXM-141GB");
  Price kernel;
  std::vector<Price> order;
  kernel.time = Seconds(100e-6);
  order.push_back(kernel);
  kernel.time = Seconds(1e-6);
  order.insert(order.end(), 20, kernel);
  // By 102 us the host has issued all 21 (51 us): only the first launch shows.
  CHECK(price_sequence(model, order, Issue::stream).time.si() == Approx(2.43e-6 + 120e-6));
  // The other way round the short ones wait for the host.
  std::reverse(order.begin(), order.end());
  CHECK(price_sequence(model, order, Issue::stream).time.si() == Approx(21.0 * 2.43e-6 + 100e-6));
}
