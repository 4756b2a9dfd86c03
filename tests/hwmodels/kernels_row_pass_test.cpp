// Row passes, fused and not, and the int8 linear layer.
#include <cmath>

#include "hwmodels/kernels/int8_linear.h"
#include "kernels_testing.h"

using namespace gpuplan;
using namespace gpuplan::kernels;
using Step = RowPass::Step;

TEST_CASE("A pass reads and writes its tensor once") {
  const KernelModel model = model_of("A100-80GB-SXM4");
  const double tensor = 4096.0 * 8192.0 * 2.0;
  const auto bytes = [&](RowPass op) {
    op.rows = 4096;
    op.cols = 8192;
    return model.price(op).hbm_bytes.si();
  };
  CHECK(bytes({.steps = {Step::softmax}}) == Approx(2.0 * tensor));
  CHECK(bytes({.steps = {Step::norm}}) == Approx(2.0 * tensor));
  CHECK(bytes({.steps = {Step::residual}}) == Approx(3.0 * tensor));
  // fp8 and a 4 B scale a row.
  CHECK(bytes({.steps = {Step::quantise}}) == Approx(1.5 * tensor + 4096.0 * 4.0));
  CHECK(bytes({.steps = {Step::dequantise}}) == Approx(1.5 * tensor + 4096.0 * 4.0));
}

TEST_CASE("Fusing saves what passes between kernels") {
  const KernelModel model = model_of("H100-SXM5-80GB");
  RowPass op{.rows = 8192, .cols = 4096, .steps = {Step::residual, Step::norm, Step::quantise}, .count = 3};
  const double tensor = 8192.0 * 4096.0 * 2.0, scales = 8192.0 * 4.0;
  const Price fused = model.price(op);
  // In: x and the residual. Out: their sum and the quantised norm.
  CHECK(fused.hbm_bytes.si() == Approx(3.5 * tensor + scales));
  op.fused = false;
  const Price apart = model.price(op);
  // Add: 3; norm: 2; quantise: 1.5.
  CHECK(apart.hbm_bytes.si() == Approx(6.5 * tensor + scales));
  CHECK(apart.fixed.si() == Approx(3.0 * fused.fixed.si()));
  CHECK(apart.time > fused.time);
  CHECK(fused.provenance == Provenance::assumed);
  // Norm and quantise: 1.5 against 3.5 tensors.
  RowPass two{.rows = 8192, .cols = 4096, .steps = {Step::norm, Step::quantise}, .count = 2};
  CHECK(model.price(two).hbm_bytes.si() == Approx(1.5 * tensor + scales));
  two.fused = false;
  CHECK(model.price(two).hbm_bytes.si() == Approx(3.5 * tensor + scales));
}

TEST_CASE("A row that does not fit on chip is read twice") {
  const KernelModel model = model_of("A100-80GB-SXM4");
  const double tensor = 1024.0 * 32768.0 * 2.0;
  CHECK(model.price(RowPass{.rows = 1024, .cols = 32768, .steps = {Step::norm}}).hbm_bytes.si() ==
        Approx(3.0 * tensor));
  CHECK(model.price(RowPass{.rows = 1024, .cols = 32768, .steps = {Step::activation}}).hbm_bytes.si() ==
        Approx(2.0 * tensor));
}

TEST_CASE("Soft-max, norm and GELU against torch's times on A100") {
  const KernelModel model = model_of("A100-80GB-SXM4");
  const double floor = model.profile().passes.floor;
  struct Point {
    Step step;
    std::int64_t rows, cols;
    double gelements;  // measured rate, 1e9 elements a second (LLMCompass artifact, figure 5)
  };
  // Each of its times holds launching and synchronising from Python, read off its smallest tensors: 38 us for
  // GELU, 41 us for layer norm, 13 us for soft-max.
  const auto host = [](Step step) {
    return step == Step::activation ? 38.0 : step == Step::norm ? 41.0 : 13.0;
  };
  for (const Point& p :
       {Point{Step::activation, 8192, 1024, 141.87}, Point{Step::activation, 16384, 1024, 210.37},
        Point{Step::activation, 131072, 1024, 360.17}, Point{Step::activation, 524288, 1024, 390.33},
        Point{Step::norm, 4096, 4096, 211.32}, Point{Step::norm, 4096, 8192, 265.29},
        Point{Step::norm, 8192, 4096, 284.89}, Point{Step::norm, 16384, 4096, 345.79},
        Point{Step::softmax, 4096, 1024, 152.98}, Point{Step::softmax, 4096, 8192, 216.52},
        Point{Step::softmax, 4096, 32768, 240.89}, Point{Step::softmax, 2048, 4096, 166.75},
        Point{Step::softmax, 8192, 4096, 229.96}, Point{Step::softmax, 16384, 4096, 247.12},
        Point{Step::softmax, 4096, 4096, 204.56}}) {
    const double measured = 1e-3 * static_cast<double>(p.rows * p.cols) / p.gelements - host(p.step);
    const Price price = model.price(RowPass{.rows = p.rows, .cols = p.cols, .steps = {p.step}});
    INFO(p.rows << " x " << p.cols << ": measured " << measured << " us, here "
                << microseconds(price) - floor);
    CHECK(microseconds(price) - floor == Approx(measured).epsilon(0.16));
    CHECK(price.provenance == Provenance::measured);
  }
}

TEST_CASE("An int8 linear layer is a quantise pass, a product and a rescale") {
  const KernelModel model = model_of("A100-80GB-SXM4");
  Int8Linear op{.m = 4096, .n = 4096, .k = 4096};
  const Price product = model.price(Gemm{.m = 4096,
                                         .n = 4096,
                                         .k = 4096,
                                         .activations = Precision::int8,
                                         .weights = Precision::int8,
                                         .quantised = true});
  const Price quantise =
      model.price(RowPass{.rows = 4096, .cols = 4096, .steps = {Step::quantise}, .narrow = Precision::int8});
  const Price fused = model.price(op);
  CHECK(fused.time.si() == Approx((product.time + quantise.time).si()));
  const double square = 4096.0 * 4096.0;
  CHECK(fused.hbm_bytes.si() == Approx(product.hbm_bytes.si() + 3.0 * square + 4.0 * 4096.0));
  // A rescale of its own: int32 sums written (4 B instead of 2), read again, 16 bit written.
  op.fused_rescale = false;
  const Price apart = model.price(op);
  CHECK(apart.hbm_bytes.si() - fused.hbm_bytes.si() == Approx((2.0 + 6.0) * square));
  CHECK(apart.time > fused.time);
  // Int8 from layer to layer: no quantise pass, half of the output.
  const Price chained =
      model.price(Int8Linear{.m = 4096, .n = 4096, .k = 4096, .quantised = true, .requantise = true});
  CHECK(chained.hbm_bytes.si() == Approx(3.0 * square));
  CHECK(chained.time <= product.time);
}

TEST_CASE("What int8 loses on random tensors") {
  // Rounding to steps of s / 127, s the largest of k normal values: uniform error of s / (127 sqrt(12)) an
  // operand. For k = 512 the largest is 3.2 sigma in the mean (its square 10.4): sqrt(2) 3.22 / (127
  // sqrt(12)) = 1.04 %.
  const double error = int8_linear_error(48, 48, 512, 7);
  CHECK(error == Approx(std::sqrt(2.0 * 10.4) / (127.0 * std::sqrt(12.0))).epsilon(0.08));
  CHECK(int8_linear_error(48, 48, 512, 7) == error);
  CHECK(int8_linear_error(48, 48, 512, 8) == Approx(error).epsilon(0.1));
  // Outlier channels take the scale for themselves, but the product is theirs too: not all is lost.
  CHECK(int8_linear_error(48, 48, 512, 7, 128, 20.0) > 1.3 * error);
}
