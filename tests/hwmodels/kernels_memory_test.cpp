// Latency and bandwidth by footprint.
#include "hwmodels/kernels/memory_hierarchy.h"
#include "kernels_testing.h"

using namespace gpuplan;
using namespace gpuplan::kernels;

TEST_CASE("From L1 to memory: slower and later with every level") {
  for (const char* name : {"H200-SXM-141GB", "A100-80GB-SXM4", "H100-PCIe-80GB", "L40", "B200-SXM-180GB"}) {
    const KernelModel model = model_of(name);
    double last_rate = 1e300, last_latency = 0.0;
    for (double bytes = 4096.0; bytes < 4e9; bytes *= 1.3) {
      const MemoryAccess access = memory_access(model, Bytes(bytes));
      CHECK(access.bandwidth.si() <= last_rate * (1.0 + 1e-12));
      CHECK(access.latency.si() >= last_latency);
      last_rate = access.bandwidth.si();
      last_latency = access.latency.si();
    }
    CHECK(last_rate < gpu_named(name).memory_bandwidth.si());
  }
}

TEST_CASE("H200 against published figures by footprint") {
  const KernelModel model = model_of("H200-SXM-141GB");
  const auto rate = [&](double mib) {
    return memory_access(model, Bytes(mib * 1048576.0)).bandwidth.si() * 1e-12;
  };
  // gpu-benches: 9.7 TB/s from 9 to 40 MB, 4.5 at 62, 3.89 from the memory.
  CHECK(rate(16.0) == Approx(9.8).epsilon(0.03));
  CHECK(rate(36.0) == Approx(9.7).epsilon(0.04));
  CHECK(rate(62.0) == Approx(4.46).epsilon(0.1));
  CHECK(rate(500.0) == Approx(3.89).epsilon(0.01));
  const MemoryAccess far = memory_access(model, Bytes(1e9));
  CHECK(far.level == MemoryLevel::dram);
  CHECK(far.latency.si() == Approx(688.0 / 1.98e9).epsilon(0.01));  // cycles at 1980 MHz
  CHECK(far.provenance == Provenance::measured);
}

TEST_CASE("The partitions of the L2: near, far, and gone well before it is full") {
  const KernelModel model = model_of("A100-80GB-SXM4");
  const MemoryAccess near = memory_access(model, Bytes(10e6)), far = memory_access(model, Bytes(25e6));
  CHECK(near.level == MemoryLevel::l2_near);
  CHECK(far.level == MemoryLevel::l2_far);
  CHECK(near.latency.si() == Approx(206.0 / 1.41e9).epsilon(0.01));
  CHECK(far.latency.si() == Approx(406.0 / 1.41e9).epsilon(0.01));
  CHECK(near.bandwidth == far.bandwidth);
  // Halfway between full rate and none, half of the accesses come from L2: the times add.
  const MemoryConstants& c = model.operations().memory;
  const double l2 = 40.0 * 1048576.0;
  const MemoryAccess middle = memory_access(model, Bytes(0.5 * (c.l2_full + c.l2_gone) * l2));
  CHECK(middle.l2_hits == Approx(0.5));
  const double dram = memory_access(model, Bytes(1e9)).bandwidth.si();
  CHECK(1.0 / middle.bandwidth.si() == Approx(0.5 / near.bandwidth.si() + 0.5 / dram));
}

TEST_CASE("A part for each SM stays in L1") {
  const KernelModel model = model_of("H200-SXM-141GB");
  const MemoryAccess access = memory_access(model, Bytes(128.0 * 1024.0), true);
  CHECK(access.level == MemoryLevel::l1);
  CHECK(access.bandwidth.si() == Approx(132.0 * 128.0 * 1.83e9));  // 128 B a clock and SM
  // 512 KiB an SM are 69 MB over 132 SMs: beyond the L2's full rate.
  CHECK(memory_access(model, Bytes(512.0 * 1024.0), true).l2_hits < 0.5);
  Explanation why;
  (void)memory_access(model, Bytes(60e6), false, &why);
  CHECK(text(why).find("L2 serves") != std::string::npos);
}

TEST_CASE("A GPU that nobody measured borrows, and says so") {
  const MemoryAccess borrowed = memory_access(model_of("B200-SXM-180GB"), Bytes(1e9));
  CHECK(borrowed.provenance == Provenance::physics);
  CHECK(borrowed.relative_error >= 0.15);
  const MemoryAccess sibling = memory_access(model_of("H100-SXM5-80GB"), Bytes(1e9));
  CHECK(sibling.provenance == Provenance::physics);
  CHECK(sibling.relative_error < borrowed.relative_error);
}
