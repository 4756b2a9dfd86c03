// The table of kernels: sums, shares of peak and order, by hand.
#include "sim/report/kernel_table.h"

#include <catch2/catch.hpp>

#include "hwmodels/kernels/kernel_model.h"
#include "hwmodels/kernels/launch_shape.h"

using namespace gpuplan;
using namespace gpuplan::sim;
using kernels::Limiter;
using kernels::Price;
using kernels::Provenance;

namespace {

Price price_of(double seconds, double flops, double bytes, Limiter limiter) {
  Price price;
  price.time = Seconds(seconds);
  price.flops = Flops(flops);
  price.hbm_bytes = Bytes(bytes);
  price.limiter = limiter;
  price.relative_error = 0.1;
  return price;
}

}  // namespace

TEST_CASE("an empty table is empty") {
  const KernelTable table;
  CHECK(table.by_time().empty());
  CHECK(table.seconds() == 0.0);
  CHECK(to_json(table, BytesPerSecond(1e12)).array().empty());
}

TEST_CASE("kernels are summed by name and sorted by time, ties by name") {
  KernelTable table;
  Price gemm = price_of(10e-6, 2e9, 20e6, Limiter::hbm_bandwidth);
  gemm.l2 = Seconds(2e-6);
  gemm.provenance = Provenance::measured;
  table.add("up", gemm, 1000e12, 0.1875, 40.0);
  gemm.time = Seconds(30e-6);
  gemm.limiter = Limiter::compute;
  table.add("up", gemm, 1000e12, std::nullopt, 10.0);
  table.add("norm", price_of(5e-6, 0.0, 1e6, Limiter::latency), 67e12, 0.5, 10.0);
  table.add("b", price_of(5e-6, 0.0, 1e6, Limiter::latency), 67e12, std::nullopt, 10.0);
  const std::vector<KernelUse> rows = table.by_time();
  REQUIRE(rows.size() == 3);
  CHECK(rows[0].name == "up");
  CHECK(rows[1].name == "b");
  CHECK(rows[2].name == "norm");
  // 40 x 10 us + 10 x 30 us = 700 us; 50 x 2 GFLOP = 100 GFLOP, at 1000 TFLOP/s 100 us: 14.3 %.
  CHECK(rows[0].calls == 50.0);
  CHECK(rows[0].seconds == Approx(700e-6));
  CHECK(rows[0].compute_share() == Approx(100.0 / 700.0));
  // 50 x 20 MB = 1 GB, at 2 TB/s 500 us: 71.4 %.
  CHECK(rows[0].hbm_share(BytesPerSecond(2e12)) == Approx(500.0 / 700.0));
  CHECK(rows[0].l2_share().value() == Approx(100.0 / 700.0));  // 50 x 2 us
  CHECK(rows[0].occupancy().value() == Approx(0.1875));        // where known: of the first 400 us
  CHECK(rows[0].limiter() == Limiter::hbm_bandwidth);          // 400 us against 300
  CHECK(rows[0].known_from() == Provenance::measured);
  CHECK(rows[0].error_seconds == Approx(70e-6));
  CHECK_FALSE(rows[1].occupancy().has_value());
  CHECK_FALSE(rows[1].l2_share().has_value());
  CHECK(table.seconds() == Approx(800e-6));
  CHECK(table.total().calls == 70.0);
}

TEST_CASE("a decode GEMM on H100 as bytes over time over 3.35 TB/s, and in JSON") {
  const Catalogue catalogue = Catalogue::load(GPUPLAN_SOURCE_DIR);
  const Gpu& h100 = *catalogue.gpu("H100-SXM5-80GB");
  const kernels::KernelModel model = kernels::KernelModel::for_gpu(h100, GPUPLAN_SOURCE_DIR);
  const kernels::LaunchShapes shapes(model, GPUPLAN_SOURCE_DIR);
  const kernels::Gemm op{.m = 16, .n = 27648, .k = 5120};  // gate and up of a 13B model, 16 sequences
  const Price price = model.price(op);
  KernelTable table;
  table.add("gate_up_proj", price, computing_peak(h100, op).si(), shapes.of(op)->achieved, 40.0);
  const KernelUse use = table.by_time().front();
  // Weights 27648 x 5120 x 2 B = 283.1 MB, activations 16 x (5120 + 27648) x 2 B = 1.05 MB.
  const double bytes = 2.0 * (27648.0 * 5120.0 + 16.0 * (5120.0 + 27648.0));
  CHECK(use.hbm_bytes == Approx(40.0 * bytes));
  CHECK(use.hbm_share(h100.memory_bandwidth) ==
        Approx(bytes / price.time.si() / 3.35e12).epsilon(0.002));  // the catalogue says 3.352
  CHECK(use.hbm_share(h100.memory_bandwidth) > 0.75);               // streaming GEMMs reach 80 to 90 %
  CHECK(use.hbm_share(h100.memory_bandwidth) < 1.0);
  CHECK(use.limiter() == Limiter::hbm_bandwidth);
  // 2 x 16 x 27648 x 5120 = 4.53 GFLOP at 989 TFLOP/s: 4.6 us of some 95.
  CHECK(use.compute_share() == Approx(2.0 * 16 * 27648 * 5120 / 989.4e12 / price.time.si()).epsilon(0.001));
  CHECK(use.occupancy().value() <= 0.1875);

  const json::Value rows = to_json(table, h100.memory_bandwidth);
  REQUIRE(rows.array().size() == 1);
  const json::Value& row = rows.array()[0];
  CHECK(row.find("name")->string() == "gate_up_proj");
  CHECK(row.find("calls")->number() == 40.0);
  CHECK(row.find("share")->number() == 1.0);
  CHECK(row.find("hbm_share_of_peak")->number() == use.hbm_share(h100.memory_bandwidth));
  CHECK(row.find("limiter")->string() == "hbm_bandwidth");
  CHECK(row.find("limited_share")->find("hbm_bandwidth")->number() == 1.0);
  CHECK(row.find("provenance_share")->object().size() == 1);
}
