#include "hwmodels/units/units.h"

#include <catch2/catch.hpp>
#include <type_traits>

using namespace gpuplan;
using namespace gpuplan::literals;

namespace {

template <class A, class B>
concept CanAdd = requires(A a, B b) {
  a + b;
};
template <class A, class B>
concept CanSubtract = requires(A a, B b) {
  a - b;
};
template <class A, class B>
concept CanCompare = requires(A a, B b) {
  a < b;
};
template <class A, class B>
concept CanAssign = requires(A& a, B b) {
  a = b;
};
template <class A, class B>
concept CanAccumulate = requires(A& a, B b) {
  a += b;
};
template <class A, class B>
concept CanConvert = std::is_convertible_v<B, A>;
template <class A, class B>
concept CanTakeMax = requires(A a, B b) {
  max(a, b);
};

// What must not compile.
static_assert(!CanAdd<Seconds, Bytes>);
static_assert(!CanAdd<Seconds, double>);
static_assert(!CanAdd<Bytes, Flops>);
static_assert(!CanAdd<BytesPerSecond, FlopsPerSecond>);
static_assert(!CanSubtract<Joules, Watts>);
static_assert(!CanSubtract<Dollars, DollarsPerSecond>);
static_assert(!CanCompare<Seconds, Hertz>);
static_assert(!CanCompare<Metres, SquareMetres>);
static_assert(!CanCompare<Seconds, double>);
static_assert(!CanAssign<Seconds, double>);
static_assert(!CanAssign<Bytes, Seconds>);
static_assert(!CanAccumulate<Seconds, double>);
static_assert(!CanAccumulate<Watts, Joules>);
static_assert(!CanConvert<Seconds, double>);
static_assert(!CanConvert<double, Seconds>);
static_assert(!CanConvert<Bytes, int>);
static_assert(!CanTakeMax<Seconds, Bytes>);

// What must compile, and to which type.
static_assert(CanAdd<Seconds, Seconds>);
static_assert(std::is_same_v<decltype(Bytes() / BytesPerSecond()), Seconds>);
static_assert(std::is_same_v<decltype(Flops() / FlopsPerSecond()), Seconds>);
static_assert(std::is_same_v<decltype(Flops() / Bytes()), FlopsPerByte>);
static_assert(std::is_same_v<decltype(FlopsPerSecond() / BytesPerSecond()), FlopsPerByte>);
static_assert(std::is_same_v<decltype(Watts() * Seconds()), Joules>);
static_assert(std::is_same_v<decltype(Joules() * DollarsPerJoule()), Dollars>);
static_assert(std::is_same_v<decltype(Seconds() * DollarsPerSecond()), Dollars>);
static_assert(std::is_same_v<decltype(Metres() * Metres()), SquareMetres>);
static_assert(std::is_same_v<decltype(1.0 / Seconds()), Hertz>);
static_assert(std::is_same_v<decltype(Seconds() / Seconds()), double>);
static_assert(std::is_same_v<decltype(Seconds() * Hertz()), double>);
static_assert(sizeof(Seconds) == sizeof(double));

}  // namespace

TEST_CASE("units: literals are powers of 1000, binary ones of 1024") {
  CHECK((1_s).si() == 1.0);
  CHECK((250_ms).si() == Approx(0.25));
  CHECK((3_us).si() == Approx(3e-6));
  CHECK((5_ns).si() == Approx(5e-9));
  CHECK((80_GB).si() == 80e9);
  CHECK((16_GiB).si() == 16.0 * 1024 * 1024 * 1024);
  CHECK((1_MiB).si() == 1048576.0);
  CHECK((1_KiB).si() == 1024.0);
  CHECK((1.5_TB).si() == 1.5e12);
  CHECK((3.35_TBps).si() == Approx(3.35e12));
  CHECK((989.4_TFLOPS).si() == Approx(989.4e12));
  CHECK((2_GFLOP).si() == 2e9);
  CHECK((10.2_kW).si() == Approx(10200));
  CHECK((1_kWh).si() == 3.6e6);
  CHECK((814_mm2).si() == Approx(814e-6));
}

TEST_CASE("units: arithmetic by hand") {
  // 80 GB through 3.35 TB/s takes 80 / 3350 s = 23.88 ms.
  CHECK((80_GB / 3.35_TBps).si() == Approx(80.0 / 3350.0));
  // 700 W for one hour is 0.7 kWh; at 0.08 USD per kWh 5.6 cents.
  const Joules energy = 700_W * 3600_s;
  CHECK(energy / 1_kWh == Approx(0.7));
  const DollarsPerJoule tariff = 0.08_USD / 1_kWh;
  CHECK((energy * tariff).si() == Approx(0.056));
  // 2 USD per hour, one day: 48 USD.
  CHECK((dollars_per_hour(2.0) * 86400_s).si() == Approx(48.0));
  CHECK(1.0 / 4_ms == Hertz(250.0));
}

TEST_CASE("units: comparison, sign and compound assignment") {
  CHECK(1_ms < 1_s);
  CHECK(1000_ms == 1_s);
  CHECK(max(1_GB, 1_GiB) == 1_GiB);
  CHECK(min(1_GB, 1_GiB) == 1_GB);
  CHECK(-(-1_s) == 1_s);
  Seconds total;
  CHECK(total.si() == 0.0);
  total += 2_s;
  total -= 500_ms;
  total *= 4;
  total /= 3;
  CHECK(total.si() == Approx(2.0));
  CHECK(1_GiB / 1_GB == Approx(1.073741824));
}

TEST_CASE("units: formulas are usable in constant expressions") {
  static_assert(1_s == 1000_ms);
  constexpr Seconds time = 1_GB / 1_GBps;
  static_assert(time == 1_s);
  SUCCEED();
}
