#include <catch2/catch.hpp>
#include <cmath>

#include "hwmodels/kernels/kernel_model.h"
#include "hwmodels/kernels/residual.h"

using namespace gpuplan;
using namespace gpuplan::kernels;

namespace {

constexpr std::array<std::string_view, 2> kNames = {"x", "y"};

ResidualGrid plane() {  // values x + 10 y at the knots, in steps
  return {{{"x", {0.0, 1.0, 3.0}}, {"y", {0.0, 2.0}}}, {"0 1 3", "20 21 23"}};
}

std::string refusal(const ResidualGrid& grid) {
  try {
    (void)ResidualField({grid}, kNames);
  } catch (const InputError& error) {
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("A residual field is linear between knots and constant beyond them") {
  const ResidualField field({plane()}, kNames);
  const auto at = [&](double x, double y) { return field.at(std::array{x, y}) / kResidualStep; };
  CHECK(at(0.0, 0.0) == Approx(0.0).margin(1e-6));
  CHECK(at(3.0, 2.0) == Approx(23.0));
  CHECK(at(2.0, 0.0) == Approx(2.0));   // between 1 and 3
  CHECK(at(0.5, 1.0) == Approx(10.5));  // inside a cell: x + 10 y
  CHECK(at(2.5, 1.5) == Approx(17.5));
  CHECK(at(9.0, -1.0) == Approx(3.0));  // clamped on both axes
  CHECK(at(-5.0, 7.0) == Approx(20.0));
  CHECK(ResidualField().at(std::array{1.0, 1.0}) == 0.0);
  // Grids over different features add up.
  const ResidualGrid more = {{{"y", {0.0, 1.0}}}, {"0 -4"}};
  const ResidualField both({plane(), more}, kNames);
  CHECK(both.at(std::array{1.0, 2.0}) / kResidualStep == Approx(21.0 - 4.0));
}

TEST_CASE("A residual field refuses grids that make no sense, and says where") {
  ResidualGrid bad = plane();
  bad.axes[1].feature = "z";
  CHECK(refusal(bad).find("axes[1].feature") != std::string::npos);
  bad = plane();
  bad.axes[0].knots = {0.0, 0.0, 1.0};
  CHECK(refusal(bad).find("axes[0].knots") != std::string::npos);
  bad = plane();
  bad.values[1] = "20 x 23";
  CHECK(refusal(bad).find("values[1]") != std::string::npos);
  bad = plane();
  bad.values.pop_back();
  CHECK(refusal(bad).find("3 numbers") != std::string::npos);
  bad = plane();
  bad.axes.clear();
  CHECK(refusal(bad).find("axes") != std::string::npos);
}

TEST_CASE("Features of operations are what their names say") {
  const auto gemm = features(Gemm{.m = 8, .n = 1024, .k = 4096});
  CHECK(gemm[0] == Approx(3.0));
  CHECK(gemm[1] == Approx(10.0));
  CHECK(gemm[2] == Approx(12.0));
  const auto whole =
      features(AttentionPrefill{.batch = 4, .queries = 2048, .context = 2048, .heads = 32, .kv_heads = 8});
  CHECK(whole[0] == Approx(2.0));
  CHECK(whole[1] == Approx(11.0));
  CHECK(whole[2] == Approx(7.0));
  CHECK(whole[4] == Approx(2.0));
  CHECK(whole[6] == 0.0);
  // A chunk of a quarter of the context: a quarter of the sequences, each whole.
  const auto chunk =
      features(AttentionPrefill{.batch = 4, .queries = 512, .context = 2048, .heads = 32, .kv_heads = 8});
  CHECK(chunk[0] == Approx(0.0));
  CHECK(chunk[1] == Approx(11.0));
  const auto windowed =
      features(AttentionDecode{.batch = 2, .context = 4096, .heads = 8, .kv_heads = 2, .window = 1024});
  CHECK(windowed[6] == Approx(-2.0));
  CHECK(windowed[2] == Approx(2.0));
}

TEST_CASE("A correction holds on the measured GPU and its architecture, and says so") {
  const Catalogue catalogue = Catalogue::load(GPUPLAN_SOURCE_DIR);
  const Gpu* h100 = catalogue.gpu("H100-SXM5-80GB");
  REQUIRE(h100 != nullptr);
  KernelProfile profile = KernelModel::for_gpu(*h100, GPUPLAN_SOURCE_DIR).profile();
  for (GemmConstants& c : profile.gemm) {  // 20 % longer everywhere: ln 1.2 = 0.182 = 36.5 steps
    c.correction.curves = {{{{"log2_m", {0.0, 15.0}}}, {"36 36"}}};
    c.correction.error = {};
  }
  KernelProfile plain = profile;
  for (GemmConstants& c : plain.gemm) {
    c.correction.curves.clear();
  }
  const Gemm op{.m = 64, .n = 4096, .k = 4096};
  Explanation why;
  const Price with = KernelModel(*h100, profile).price(op, &why);
  const Price without = KernelModel(*h100, plain).price(op);
  CHECK(with.time / without.time == Approx(std::exp(36 * kResidualStep)).epsilon(1e-5));
  CHECK(with.correction == Approx(std::exp(0.18)).epsilon(1e-5));
  CHECK(without.correction == 1.0);
  bool said = false;
  for (const std::string& line : why.lines) {
    said = said || line.find("measured shapes nearby take 19.7 % longer") != std::string::npos;
  }
  CHECK(said);
  // A format with borrowed constants, or another architecture, gets none.
  const Gpu* a100 = catalogue.gpu("A100-80GB-SXM4");
  REQUIRE(a100 != nullptr);
  CHECK(KernelModel(*a100, profile).price(op).correction == 1.0);
  CHECK(KernelModel(*h100, profile)
            .price(Gemm{
                .m = 64, .n = 4096, .k = 4096, .activations = Precision::int8, .weights = Precision::int8})
            .correction == 1.0);
  const Gpu* h200 = catalogue.gpu("H200-SXM-141GB");
  REQUIRE(h200 != nullptr);
  CHECK(KernelModel(*h200, profile).price(op).correction > 1.0);
}
