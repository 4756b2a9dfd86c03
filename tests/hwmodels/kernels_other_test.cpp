// All-reduce, passes, experts, launch, profiles and where prices stand.
#include <cmath>

#include "hwmodels/collectives/collective_model.h"
#include "kernels_testing.h"

using namespace gpuplan;
using namespace gpuplan::kernels;

TEST_CASE("All-reduce: a floor for small messages, the bus for large ones") {
  const KernelModel model = model_of("H200-SXM-141GB");
  const auto time = [&](double bytes, int gpus, bool custom) {
    return model
        .price(AllReduce{.bytes = Bytes(bytes), .gpus = gpus, .custom_kernel = custom}, ScaleUp::nvswitch,
               true)
        .time.si();
  };
  // Measured on 8 x H200: engine's kernel 3.0 to 3.5 us up to 16 KiB, NCCL 16 to 17 us; 512 MiB in 2.04 ms.
  CHECK(time(8192, 8, true) == Approx(3.4e-6).epsilon(0.15));
  CHECK(time(8192, 8, false) == Approx(16.5e-6).epsilon(0.15));
  CHECK(time(512.0 * 1048576.0, 8, true) == Approx(2.04e-3).epsilon(0.15));
  // Bus bandwidth 2 (n-1)/n S / T of a large message: 461 GB/s there, within the link's 450 GB/s and its NVLS
  // gain.
  const double bus = 2.0 * 7.0 / 8.0 * 512.0 * 1048576.0 / time(512.0 * 1048576.0, 8, true);
  CHECK(bus > 350e9);
  CHECK(bus < 500e9);
  for (const int gpus : {2, 4, 8}) {
    double last = 0.0;
    for (double bytes = 256.0; bytes < 2e9; bytes *= 1.7) {
      const double t = time(bytes, gpus, true);
      CHECK(t >= last);
      last = t;
    }
  }
}

TEST_CASE("Serving's all-reduce is the collectives' own price") {
  const auto collectives = collectives::CollectiveModel::load(data_root());
  for (const char* name : {"A100-SXM4-80GB", "H100-SXM5-80GB", "L40S"}) {
    const Gpu& gpu = gpu_named(name);
    const KernelModel model = model_of(name);
    for (const ScaleUp scale_up : {ScaleUp::nvswitch, ScaleUp::pcie, ScaleUp::pairs}) {
      for (const double bytes : {4096.0, 1e6, 3e8}) {
        for (const bool custom : {false, true}) {
          const auto group = collectives::communicator_in(gpu, scale_up, scale_up == ScaleUp::nvswitch, 4);
          const auto whole = collectives.price(group, {collectives::Collective::all_reduce, Bytes(bytes)},
                                               {.custom_kernel = custom});
          const Price price =
              model.price(AllReduce{.bytes = Bytes(bytes), .gpus = 4, .custom_kernel = custom}, scale_up,
                          scale_up == ScaleUp::nvswitch);
          CHECK(price.time.si() == whole.time.si());
          CHECK(price.spread80 == whole.spread80);
          CHECK(price.provenance == whole.provenance);
        }
      }
    }
  }
}

TEST_CASE("A switch that does not reduce leaves large messages to the ring") {
  const KernelModel model = model_of("H200-SXM-141GB");
  const AllReduce op{.bytes = Bytes(8589934592.0), .gpus = 8, .custom_kernel = false};
  const Price reduced = model.price(op, ScaleUp::nvswitch, true);
  const Price ring = model.price(op, ScaleUp::nvswitch, false);
  // Measured bus bandwidth of the ring on this node at large sizes: 367 GB/s, of NVLS 480.
  const auto bus = [&](const Price& price) { return 2.0 * 7.0 / 8.0 * op.bytes.si() / price.time.si(); };
  CHECK(bus(ring) == Approx(367e9).epsilon(0.05));
  CHECK(bus(reduced) > 1.1 * bus(ring));
  CHECK(ring.provenance == Provenance::physics);
}

TEST_CASE("All-reduce over PCIe is slower, and assumed") {
  const KernelModel model = model_of("L40S");
  const AllReduce op{.bytes = Bytes(64e6), .gpus = 4};
  const Price price = model.price(op, ScaleUp::pcie, false);
  CHECK(price.provenance == Provenance::assumed);
  CHECK(price.relative_error >= 0.5);
  const double link = gpu_named("L40S").pcie_bandwidth.si();
  CHECK(price.time.si() > 2.0 * 3.0 / 4.0 * 64e6 / link);  // no faster than the wire
  // A bridge to one peer helps two GPUs, not four.
  const KernelModel a100 = model_of("A100-80GB-PCIe");
  const auto time = [&](int gpus) {
    return a100.price(AllReduce{.bytes = Bytes(64e6), .gpus = gpus}, ScaleUp::pairs, false).time.si();
  };
  CHECK(time(4) > 3.0 * time(2));
}

TEST_CASE("Rank counts that nobody measured are marked") {
  const KernelModel model = model_of("H100-SXM5-80GB");
  const auto outside = [&](int gpus) {
    return model.price(AllReduce{.bytes = Bytes(1e6), .gpus = gpus}, ScaleUp::nvswitch, true)
        .outside_measured_range;
  };
  CHECK_FALSE(outside(2));
  CHECK_FALSE(outside(8));
  CHECK(outside(3));
  CHECK(outside(72));
}

TEST_CASE("A pass is a floor and bytes over its share of the bandwidth") {
  const KernelModel model = model_of("H100-SXM5-80GB");
  const PassConstants& c = model.profile().passes;
  // A norm over 4096 x 8192 in bf16: reads and writes 67 MB each.
  const double bytes = 2.0 * 4096.0 * 8192.0 * 2.0;
  const Elementwise norm{.kind = Elementwise::Kind::norm,
                         .elements = 4096.0 * 8192.0,
                         .read = Bytes(bytes / 2),
                         .written = Bytes(bytes / 2)};
  const Price price = model.price(norm);
  CHECK(microseconds(price) ==
        Approx(c.floor + 1e6 * bytes / (gpu_named("H100-SXM5-80GB").memory_bandwidth.si() * c.norm)));
  CHECK(price.limiter == Limiter::hbm_bandwidth);
  CHECK(price.provenance == Provenance::assumed);
  const Price small = model.price(Elementwise{.kind = Elementwise::Kind::residual,
                                              .elements = 4096.0,
                                              .read = Bytes(16384.0),
                                              .written = Bytes(8192.0)});
  CHECK(microseconds(small) == Approx(c.floor).epsilon(0.01));
  CHECK(small.limiter == Limiter::latency);
  CHECK(model.price(Embedding{.tokens = 2048, .hidden = 8192}).hbm_bytes.si() ==
        Approx(2.0 * 2048.0 * 8192.0 * 2.0));
  CHECK(model.price(Sampling{.sequences = 256, .vocab = 128256}).time >
        model.price(Sampling{.sequences = 1, .vocab = 128256}).time);
  CHECK(model.price(Sampling{.sequences = 64, .vocab = 128256, .greedy = false}).time >
        model.price(Sampling{.sequences = 64, .vocab = 128256}).time);
}

TEST_CASE("Experts: few tokens stream the experts they touch, many tokens compute") {
  const KernelModel model = model_of("H100-SXM5-80GB");
  GroupedExperts op{
      .tokens = 1, .hidden = 4096, .expert_ffn = 14336, .experts = 8, .local_experts = 8, .top_k = 2};
  const double expert = 3.0 * 4096.0 * 14336.0 * 2.0;  // bytes of one expert
  const Price one = model.price(op);
  CHECK(one.hbm_bytes.si() == Approx(2.0 * expert).epsilon(0.01));  // two experts, no more
  CHECK(one.time.si() > 2.0 * expert / gpu_named("H100-SXM5-80GB").memory_bandwidth.si());
  op.tokens = 8192;
  const Price many = model.price(op);
  CHECK(many.limiter == Limiter::compute);
  CHECK(many.flops.si() == Approx(2.0 * 8192.0 * 2.0 * 3.0 * 4096.0 * 14336.0));
  double last = 0.0;
  for (const std::int64_t tokens : {1, 2, 4, 8, 16, 64, 256, 1024, 4096, 16384}) {
    op.tokens = tokens;
    CHECK(model.price(op).time.si() >= 0.97 * last);
    last = model.price(op).time.si();
  }
  op.tokens = 1024;
  const double even = model.price(op).time.si();
  op.rank_load = 2.0;
  CHECK(model.price(op).time.si() > even);
}

TEST_CASE("Launches: a graph replays faster than the stream launches") {
  for (const std::string& name : kMeasuredGpus) {
    const KernelModel model = model_of(name);
    CHECK(model.launch(true) < model.launch(false));
    CHECK(model.launch(true).si() > 0.5e-6);
    CHECK(model.launch(false).si() < 5e-6);
  }
  CHECK(model_of("H200-SXM-141GB").launch(false).si() == Approx(2.43e-6));
  CHECK(model_of("H200-SXM-141GB").launch(true).si() == Approx(1.23e-6));
}

TEST_CASE("Where a price stands: measured on its own GPU, physics on a sibling, assumed without a profile") {
  const Gemm op{.m = 64, .n = 8192, .k = 8192};
  for (const std::string& name : kMeasuredGpus) {
    const Price price = model_of(name).price(op);
    CHECK(price.provenance == Provenance::measured);
    CHECK_FALSE(price.outside_measured_range);
    CHECK(price.relative_error < 0.10);
  }
  const Price sibling = model_of("H100-NVL-94GB").price(op);
  CHECK(sibling.provenance == Provenance::physics);
  CHECK(sibling.relative_error > model_of("H100-SXM5-80GB").price(op).relative_error);
  Gpu unknown = gpu_named("H100-SXM5-80GB");
  unknown.name = "X1";
  unknown.kernel_profile = "";
  const Price assumed = KernelModel::for_gpu(unknown, GPUPLAN_SOURCE_DIR).price(op);
  CHECK(assumed.provenance == Provenance::assumed);
  CHECK(assumed.relative_error >= sibling.relative_error);
  // Defaults are Hopper-like: not far from the measured sibling.
  CHECK(assumed.time.si() == Approx(model_of("H100-SXM5-80GB").price(op).time.si()).epsilon(0.3));
}

TEST_CASE("Every GPU of the catalogue has prices") {
  for (const Gpu& gpu : catalogue().gpus()) {
    const KernelModel model = KernelModel::for_gpu(gpu, GPUPLAN_SOURCE_DIR);
    INFO(gpu.name);
    for (const Price& price :
         {model.price(Gemm{.m = 16, .n = 4096, .k = 4096}),
          model.price(
              Gemm{.m = 16, .n = 4096, .k = 4096, .activations = Precision::fp8, .weights = Precision::fp8}),
          model.price(Gemm{
              .m = 16, .n = 4096, .k = 4096, .activations = Precision::bf16, .weights = Precision::int4}),
          model.price(AttentionPrefill{.queries = 1024, .context = 1024, .heads = 32, .kv_heads = 8}),
          model.price(AttentionDecode{.batch = 8, .context = 1024.0, .heads = 32, .kv_heads = 8}),
          model.price(GroupedExperts{.tokens = 8,
          .hidden = 2048,
          .expert_ffn = 768,
          .experts = 128,
          .local_experts = 128,
          .top_k = 8}),
          model.price(AllReduce{.bytes = Bytes(1e6), .gpus = 4}, ScaleUp::pcie, false)}) {
      CHECK(std::isfinite(price.time.si()));
      CHECK(price.time.si() > 1e-7);
      CHECK(price.time.si() < 1.0);
      CHECK(price.relative_error > 0.0);
    }
  }
}

TEST_CASE("A profile reads back as it was written, and its mistakes are reported") {
  const KernelModel model = model_of("B200-SXM-180GB");
  const json::Value written = json::write(model.profile());
  KernelProfile again;
  std::vector<Problem> problems;
  json::read(written, "$", again, problems);
  CHECK(problems.empty());
  CHECK(json::dump(json::write(again)) == json::dump(written));

  json::Value damaged = written;
  damaged["gemm"].array()[0]["hbm_efficiency"] = json::Value(-1.0);
  damaged["surprise"] = json::Value(1);
  json::read(damaged, "$", again, problems);
  REQUIRE(problems.size() == 2);
  CHECK(problems[0].path.find("hbm_efficiency") != std::string::npos);
}

TEST_CASE("Profiles name their data, and were fitted on the catalogue's datasheet") {
  for (const std::string& name : kMeasuredGpus) {
    const KernelProfile profile = model_of(name).profile();
    INFO(name);
    CHECK(profile.gpu == name);
    CHECK(profile.source.find("aiconfigurator") != std::string::npos);
    CHECK(profile.datasheet.sm_count == gpu_named(name).sm_count);
    for (const GemmConstants& c : profile.gemm) {
      CHECK(c.error.rows > 500);
      CHECK(c.hbm_efficiency <= 1.0);
      CHECK(c.mma_efficiency <= 1.0);
    }
  }
}

TEST_CASE("Names of enums are those of the contract") {
  CHECK(json::name_of(Limiter::hbm_bandwidth) == "hbm_bandwidth");
  CHECK(json::name_of(Limiter::link_bandwidth) == "link_bandwidth");
  CHECK(json::name_of(Provenance::measured) == "measured");
  CHECK(json::name_of(Provenance::assumed) == "assumed");
}
