// Sums of gradients in 16 and 32 bit, against arithmetic by hand and the machine's own float.
#include "workloads/numerics/gradient_accumulation.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>

#include "workloads/numerics/rounding.h"
#include "workloads/traffic/random.h"

using namespace gpuplan;
using namespace gpuplan::numerics;

TEST_CASE("rounding: fp32 is the machine's") {
  const FloatFormat fp32 = *float_format(Precision::fp32);
  Random random(7, 0);
  for (int i = 0; i < 20000; ++i) {
    const double value = random.normal() * std::ldexp(1.0, static_cast<int>(random.uniform() * 300) - 160);
    REQUIRE(rounded(value, fp32) == static_cast<double>(static_cast<float>(value)));
  }
  CHECK(rounded(1e39, fp32) == std::numeric_limits<double>::infinity());
  CHECK(rounded(1e-46, fp32) == 0.0);
}

TEST_CASE("rounding: bf16 is the upper half of a float, ties to even") {
  const FloatFormat bf16 = *float_format(Precision::bf16);
  Random random(8, 0);
  for (int i = 0; i < 20000; ++i) {
    const auto value = static_cast<float>(random.normal() * std::ldexp(1.0, (i % 200) - 100));
    std::uint32_t bits = 0;
    std::memcpy(&bits, &value, 4);
    bits += 0x7fffu + ((bits >> 16u) & 1u);  // round half to even on the lower 16 bits
    bits &= 0xffff0000u;
    float expected = 0;
    std::memcpy(&expected, &bits, 4);
    REQUIRE(rounded(static_cast<double>(value), bf16) == static_cast<double>(expected));
  }
}

TEST_CASE("rounding: fp16 and fp8 at their edges") {
  const FloatFormat fp16 = *float_format(Precision::fp16), fp8 = *float_format(Precision::fp8);
  CHECK(rounded(65504.0, fp16) == 65504.0);
  CHECK(std::isinf(rounded(65520.0, fp16)));                           // half way to 65,536
  CHECK(rounded(std::ldexp(1.0, -24), fp16) == std::ldexp(1.0, -24));  // the least subnormal
  CHECK(rounded(std::ldexp(1.0, -26), fp16) == 0.0);
  CHECK(rounded(2049.0, fp16) == 2048.0);  // a tie, to even
  CHECK(rounded(2051.0, fp16) == 2052.0);
  CHECK(rounded(1000.0, fp8) == 448.0);
  CHECK(rounded(-17.0, fp8) == -16.0);  // 16, 18, 20 ...: a tie, to even
  CHECK_FALSE(float_format(Precision::int8));
}

TEST_CASE("accumulation: equal addends are swamped after 2^8 in bf16, 2^11 in fp16, 2^24 in fp32") {
  // 256 + 1 in bf16: the next number is 258, 257 is a tie and goes to the even 256.
  CHECK(swamping_count(Precision::bf16) == 256);
  CHECK(swamping_count(Precision::fp16) == 2048);
  CHECK(swamping_count(Precision::fp32) == 16777216);
}

TEST_CASE("accumulation: without noise the sum stops where addends are swamped") {
  AccumulationSpec spec;
  spec.noise = 0.0;
  spec.divide_first = false;
  spec.elements = 1;
  spec.micro_batches = 512;
  spec.buffer = Precision::bf16;
  // 256 of 512 counted: half is missing, and half of the additions did nothing.
  CHECK(accumulate(spec).bias == Approx(-0.5));
  CHECK(accumulate(spec).swamped == Approx(0.5));
  CHECK(accumulate(spec).relative_rms == Approx(0.5));
  spec.buffer = Precision::fp16;
  CHECK(accumulate(spec).bias == 0.0);
  spec.micro_batches = 4096;
  CHECK(accumulate(spec).bias == Approx(-0.5));
  spec.buffer = Precision::fp32;
  CHECK(accumulate(spec).bias == 0.0);
}

TEST_CASE("accumulation: pure noise grows as a random walk, and its rounding too") {
  // Sums of n unit normals have size sqrt(n); an addition rounds by a uniform error of a unit in the last
  // place u, whose variance is u^2 / 12. With u = 2^-8 to 2^-7 of the sum (8 bits), n additions to sums that
  // grow as sqrt(i): relative rms between sqrt(1/12/2 n) 2^-8 and twice that.
  AccumulationSpec spec;
  spec.signal = 0.0;
  spec.divide_first = false;
  spec.buffer = Precision::bf16;
  spec.micro_batches = 64;
  const double low = std::sqrt(64.0 / 24.0) * std::ldexp(1.0, -8);
  const double error = accumulate(spec).relative_rms;
  CHECK(error > low);
  CHECK(error < 2.0 * low);
  CHECK(std::abs(accumulate(spec).bias) < 0.01);  // no growth is lost yet
  spec.buffer = Precision::fp32;
  CHECK(accumulate(spec).relative_rms < error * std::ldexp(1.0, -14));  // 16 bits more
}

TEST_CASE("accumulation: more micro-batches and fewer bits are never better, the same seed is the same") {
  AccumulationSpec spec;
  spec.buffer = Precision::bf16;
  double before = 0.0;
  for (const int count : {4, 16, 64, 256, 1024}) {
    spec.micro_batches = count;
    const double error = accumulate(spec).relative_rms;
    CHECK(error > before);
    CHECK(error == accumulate(spec).relative_rms);
    before = error;
  }
  spec.buffer = Precision::fp16;
  CHECK(accumulate(spec).relative_rms < before);
  spec.micro_batches = 0;
  CHECK_THROWS(accumulate(spec));
}
