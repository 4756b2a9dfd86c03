// Units: distinct types for time, data, work, money, energy and their rates, so that a wrong unit
// does not compile. A quantity holds one double in SI base units (s, B, FLOP, USD, J, m); arithmetic
// derives the right type (Bytes / BytesPerSecond -> Seconds) and a dimensionless result is a plain
// double. Decimal prefixes are powers of 1000 (80_GB = 80e9 B), binary ones of 1024 (16_GiB).
#pragma once

#include <compare>

namespace gpuplan {

// Exponents of the base units; a structural type so that it can be a template argument.
struct Dim {
  int second = 0;
  int byte = 0;
  int flop = 0;
  int dollar = 0;
  int joule = 0;
  int metre = 0;
  constexpr bool operator==(const Dim&) const = default;
};

constexpr Dim operator+(Dim a, Dim b) {
  return {a.second + b.second, a.byte + b.byte,   a.flop + b.flop,
          a.dollar + b.dollar, a.joule + b.joule, a.metre + b.metre};
}
constexpr Dim operator-(Dim a) { return {-a.second, -a.byte, -a.flop, -a.dollar, -a.joule, -a.metre}; }

template <Dim D>
class Quantity {
 public:
  constexpr Quantity() = default;
  // Explicit on purpose: a bare number has no unit. The argument is in SI base units.
  constexpr explicit Quantity(double si) : value_(si) {}
  // The value in SI base units; for formulas and for output only.
  [[nodiscard]] constexpr double si() const { return value_; }

  constexpr auto operator<=>(const Quantity&) const = default;
  constexpr Quantity operator-() const { return Quantity(-value_); }
  constexpr Quantity& operator+=(Quantity other) {
    value_ += other.value_;
    return *this;
  }
  constexpr Quantity& operator-=(Quantity other) {
    value_ -= other.value_;
    return *this;
  }
  constexpr Quantity& operator*=(double factor) {
    value_ *= factor;
    return *this;
  }
  constexpr Quantity& operator/=(double factor) {
    value_ /= factor;
    return *this;
  }
  friend constexpr Quantity operator+(Quantity a, Quantity b) { return Quantity(a.value_ + b.value_); }
  friend constexpr Quantity operator-(Quantity a, Quantity b) { return Quantity(a.value_ - b.value_); }
  friend constexpr Quantity operator*(Quantity a, double f) { return Quantity(a.value_ * f); }
  friend constexpr Quantity operator*(double f, Quantity a) { return Quantity(a.value_ * f); }
  friend constexpr Quantity operator/(Quantity a, double f) { return Quantity(a.value_ / f); }

 private:
  double value_ = 0.0;
};

namespace detail {
template <Dim D>
constexpr auto make_quantity(double si) {
  if constexpr (D == Dim{}) {
    return si;
  } else {
    return Quantity<D>(si);
  }
}
}  // namespace detail

template <Dim A, Dim B>
constexpr auto operator*(Quantity<A> a, Quantity<B> b) {
  return detail::make_quantity<A + B>(a.si() * b.si());
}
template <Dim A, Dim B>
constexpr auto operator/(Quantity<A> a, Quantity<B> b) {
  return detail::make_quantity<A + (-B)>(a.si() / b.si());
}
template <Dim A>
constexpr auto operator/(double a, Quantity<A> b) {
  return detail::make_quantity<-A>(a / b.si());
}

using Seconds = Quantity<Dim{.second = 1}>;
using Hertz = Quantity<Dim{.second = -1}>;  // also requests per second
using Bytes = Quantity<Dim{.byte = 1}>;
using Flops = Quantity<Dim{.flop = 1}>;
using Dollars = Quantity<Dim{.dollar = 1}>;
using Joules = Quantity<Dim{.joule = 1}>;
using Watts = Quantity<Dim{.second = -1, .joule = 1}>;
using Metres = Quantity<Dim{.metre = 1}>;
using SquareMetres = Quantity<Dim{.metre = 2}>;
using BytesPerSecond = Quantity<Dim{.second = -1, .byte = 1}>;
using FlopsPerSecond = Quantity<Dim{.second = -1, .flop = 1}>;
using FlopsPerByte = Quantity<Dim{.byte = -1, .flop = 1}>;  // arithmetic intensity
using DollarsPerSecond = Quantity<Dim{.second = -1, .dollar = 1}>;
using DollarsPerJoule = Quantity<Dim{.dollar = 1, .joule = -1}>;

constexpr DollarsPerSecond dollars_per_hour(double usd) { return DollarsPerSecond(usd / 3600.0); }

template <Dim D>
constexpr Quantity<D> max(Quantity<D> a, Quantity<D> b) {
  return a < b ? b : a;
}
template <Dim D>
constexpr Quantity<D> min(Quantity<D> a, Quantity<D> b) {
  return b < a ? b : a;
}

namespace literals {
// One literal per unit and prefix; `scale` converts to the SI base unit.
#define GPUPLAN_UNIT_LITERAL(suffix, type, scale)                                                      \
  constexpr type operator""_##suffix(long double v) { return type(static_cast<double>(v) * (scale)); } \
  constexpr type operator""_##suffix(unsigned long long v) { return type(static_cast<double>(v) * (scale)); }
GPUPLAN_UNIT_LITERAL(s, Seconds, 1.0)
GPUPLAN_UNIT_LITERAL(ms, Seconds, 1e-3)
GPUPLAN_UNIT_LITERAL(us, Seconds, 1e-6)
GPUPLAN_UNIT_LITERAL(ns, Seconds, 1e-9)
GPUPLAN_UNIT_LITERAL(B, Bytes, 1.0)
GPUPLAN_UNIT_LITERAL(KB, Bytes, 1e3)
GPUPLAN_UNIT_LITERAL(MB, Bytes, 1e6)
GPUPLAN_UNIT_LITERAL(GB, Bytes, 1e9)
GPUPLAN_UNIT_LITERAL(TB, Bytes, 1e12)
GPUPLAN_UNIT_LITERAL(KiB, Bytes, 1024.0)
GPUPLAN_UNIT_LITERAL(MiB, Bytes, 1048576.0)
GPUPLAN_UNIT_LITERAL(GiB, Bytes, 1073741824.0)
GPUPLAN_UNIT_LITERAL(GBps, BytesPerSecond, 1e9)
GPUPLAN_UNIT_LITERAL(TBps, BytesPerSecond, 1e12)
GPUPLAN_UNIT_LITERAL(FLOP, Flops, 1.0)
GPUPLAN_UNIT_LITERAL(GFLOP, Flops, 1e9)
GPUPLAN_UNIT_LITERAL(TFLOP, Flops, 1e12)
GPUPLAN_UNIT_LITERAL(TFLOPS, FlopsPerSecond, 1e12)
GPUPLAN_UNIT_LITERAL(USD, Dollars, 1.0)
GPUPLAN_UNIT_LITERAL(W, Watts, 1.0)
GPUPLAN_UNIT_LITERAL(kW, Watts, 1e3)
GPUPLAN_UNIT_LITERAL(J, Joules, 1.0)
GPUPLAN_UNIT_LITERAL(kWh, Joules, 3.6e6)
GPUPLAN_UNIT_LITERAL(mm2, SquareMetres, 1e-6)
#undef GPUPLAN_UNIT_LITERAL
}  // namespace literals

}  // namespace gpuplan
