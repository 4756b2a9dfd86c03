#include "hwmodels/silicon/power.h"

#include <algorithm>

namespace gpuplan::silicon {

namespace {

constexpr double kPico = 1e-12, kBits = 8.0;

double hbm_pj_per_bit(Hbm kind, const Energies<double>& energy) {
  return kind == Hbm::HBM2 || kind == Hbm::HBM2e ? energy.hbm2e_pj_per_bit : energy.hbm3_pj_per_bit;
}

}  // namespace

Activity scaled(const Activity& a, double share) {
  return {.bf16 = a.bf16 * share,
          .tf32 = a.tf32 * share,
          .fp64_matrix = a.fp64_matrix * share,
          .fp8 = a.fp8 * share,
          .int8 = a.int8 * share,
          .fp4 = a.fp4 * share,
          .fp32_vector = a.fp32_vector * share,
          .fp64_vector = a.fp64_vector * share,
          .hbm = a.hbm * share,
          .l2 = a.l2 * share,
          .links = a.links * share};
}

double voltage_share(const Energies<double>& energy, double clock_share) {
  const double floor_v = std::min(1.0, energy.voltage_floor), floor_f = std::min(0.99, energy.floor_clock);
  const double above = std::max(0.0, clock_share - floor_f) / (1.0 - floor_f);
  return floor_v + (1.0 - floor_v) * above;
}

PowerParts power_at(const ProductSpec& product, double area_mm2, const Inputs<double>& inputs,
                    const Activity& a, double clock_share) {
  const Energies<double>& e = inputs.energy;
  const double v = voltage_share(e, clock_share), floor_v = std::min(1.0, e.voltage_floor);
  const double core = kPico * inputs.process.dynamic_energy_over_n7 * v * v;
  const double bf16_equivalent = a.bf16.si() + a.tf32.si() * e.tf32_over_bf16 +
                                 a.fp64_matrix.si() * e.fp64_matrix_over_bf16 + a.fp8.si() * e.fp8_over_bf16 +
                                 a.int8.si() * e.int8_over_bf16 + a.fp4.si() * e.fp4_over_bf16;
  PowerParts out;
  out.matrix_w = core * e.bf16_pj_per_flop * bf16_equivalent;
  out.vector_w = core * (a.fp32_vector.si() * e.fp32_vector_pj_per_flop +
                         a.fp64_vector.si() * e.fp64_vector_pj_per_flop);
  out.l2_w = core * kBits * e.l2_pj_per_bit * a.l2.si();
  out.hbm_w = kPico * kBits * hbm_pj_per_bit(product.memory, e) * a.hbm.si();
  out.links_w = kPico * kBits * e.link_pj_per_bit * a.links.si();
  out.leakage_w = inputs.process.leakage_w_per_mm2 * area_mm2 * product.dies * (v / floor_v) * (v / floor_v);
  out.idle_w = e.rest_idle_w + e.hbm_idle_w * product.hbm_enabled * product.dies;
  return out;
}

double clock_share_under_cap(const ProductSpec& product, double area_mm2, const Inputs<double>& inputs,
                             const Activity& at_full_clock, double cap_w) {
  const auto fits = [&](double share) {
    return power_at(product, area_mm2, inputs, scaled(at_full_clock, share), share).total() <= cap_w;
  };
  constexpr double kLeast = 0.05;
  if (fits(1.0)) {
    return 1.0;
  }
  if (!fits(kLeast)) {
    return 0.0;
  }
  // Power rises with the clock throughout.
  double low = kLeast, high = 1.0;
  for (int i = 0; i < 40; ++i) {
    const double middle = 0.5 * (low + high);
    (fits(middle) ? low : high) = middle;
  }
  return low;
}

}  // namespace gpuplan::silicon
