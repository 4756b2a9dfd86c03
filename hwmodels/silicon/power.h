// Power of a GPU from what it does in a second, and the clock that fits under a power cap.
//
//   P = leakage W/mm2 x area (V/Vfloor)^2 + HBM stacks x idle + rest
//     + [sum over formats of FLOP/s x J/FLOP + L2 B/s x J/B] x process x (V/Vmax)^2
//     + HBM B/s x J/B + link B/s x J/B
//
// The voltage is flat up to a floor clock and affine from there to the highest clock. Energies of the core
// are at N7 and at the highest clock's voltage; `process` is dynamic_energy_over_n7. Off-chip energies do not
// depend on the core's voltage.
//
// Calibrated on A100: bf16_pj_per_flop on a GEMM of normal random numbers, 257 TFLOPS at its cap of 400 W;
// rest_idle_w on its idle 88 W. Checked on others, not fitted: H100 at 700 W in dense bf16 settles at 1.61
// GHz (reported: 1.6; 1.4 to 1.75 over boards), H200 idles at 93 W (measured: 80). The V(f) line, the vector
// and the L2 energies are assumed, and nobody separates them from the rest by measurement: the total is worth
// about 15 %, its parts less. Random data cost 15 % more clock than zeros on an A100; energies are for
// random.
#pragma once

#include <string>

#include "hwmodels/silicon/die.h"
#include "hwmodels/silicon/inputs.h"
#include "hwmodels/units/units.h"

namespace gpuplan::silicon {

// Means over time, of the whole package.
struct Activity {
  FlopsPerSecond bf16{}, tf32{}, fp64_matrix{}, fp8{}, int8{}, fp4{};  // matrix units; fp16 counts as bf16
  FlopsPerSecond fp32_vector{}, fp64_vector{};
  BytesPerSecond hbm{}, l2{};
  BytesPerSecond links{};  // sent and received, NVLink and PCIe
};
template <class V>
void describe(V& v, Activity& a) {
  const json::Range some = json::not_negative();
  v.field("bf16", a.bf16, "bf16 and fp16 on the matrix units (FLOP/s)", some);
  v.field("tf32", a.tf32, "tf32 on the matrix units (FLOP/s)", some);
  v.field("fp64_matrix", a.fp64_matrix, "fp64 on the matrix units (FLOP/s)", some);
  v.field("fp8", a.fp8, "fp8 on the matrix units (FLOP/s)", some);
  v.field("int8", a.int8, "int8 on the matrix units (operations/s)", some);
  v.field("fp4", a.fp4, "fp4 on the matrix units (FLOP/s)", some);
  v.field("fp32_vector", a.fp32_vector, "fp32 lanes (FLOP/s)", some);
  v.field("fp64_vector", a.fp64_vector, "fp64 lanes (FLOP/s)", some);
  v.field("hbm", a.hbm, "HBM traffic (B/s)", some);
  v.field("l2", a.l2, "traffic between L2 and SMs (B/s)", some);
  v.field("links", a.links, "NVLink and PCIe, sent and received (B/s)", some);
}
// Everything at `share` of its rate: what a kernel bound by the clock does at a lower clock.
Activity scaled(const Activity& activity, double share);

struct PowerParts {
  double matrix_w = 0.0, vector_w = 0.0, l2_w = 0.0, hbm_w = 0.0, links_w = 0.0, leakage_w = 0.0,
         idle_w = 0.0;
  [[nodiscard]] double total() const {
    return matrix_w + vector_w + l2_w + hbm_w + links_w + leakage_w + idle_w;
  }
};

// Voltage over that of the highest clock, at `clock_share` of the highest clock.
double voltage_share(const Energies<double>& energy, double clock_share);
// Power at a clock; `area_mm2` of one die.
PowerParts power_at(const ProductSpec& product, double area_mm2, const Inputs<double>& inputs,
                    const Activity& activity, double clock_share);
// The largest share of the highest clock at which `at_full_clock`, slowed down in proportion, stays within
// `cap_w`; 0 where not even a twentieth does.
double clock_share_under_cap(const ProductSpec& product, double area_mm2, const Inputs<double>& inputs,
                             const Activity& at_full_clock, double cap_w);

}  // namespace gpuplan::silicon
