// What the silicon models are made of, as data: constants of a process, of a die's blocks, of prices and of
// energies. Each struct is a template of its number: Inputs<Uncertain> is what the files say and
// Inputs<double> is one draw of it, which the formulas take. One describe() serves loading, naming, drawing.
#pragma once

#include <string>
#include <vector>

#include "hwmodels/silicon/uncertain.h"

namespace gpuplan::silicon {

// A manufacturing process. Transistor densities are what synthesised logic reaches by the source's count;
// PHYs do not scale with them.
template <class N>
struct Process {
  N logic_density_mtr_per_mm2{};  // million transistors per mm2
  N sram_cell_um2{};              // of a bit, before the efficiency of its array (area.h)
  N wafer_usd{};                  // a 300 mm wafer
  N defects_per_cm2{};            // killing defects of the whole die area
  N dynamic_energy_over_n7{};     // of the same logic at the same speed
  N leakage_w_per_mm2{};          // at idle voltage and temperature
};
template <class V, class N>
void describe(V& v, Process<N>& p) {
  v.field("logic_density_mtr_per_mm2", p.logic_density_mtr_per_mm2, "logic (million transistors per mm2)",
          json::positive(), json::required);
  v.field("sram_cell_um2", p.sram_cell_um2, "a bit of SRAM before the efficiency of its array (um2)",
          json::positive(), json::required);
  v.field("wafer_usd", p.wafer_usd, "a 300 mm wafer (USD)", json::positive(), json::required);
  v.field("defects_per_cm2", p.defects_per_cm2, "killing defects (per cm2)",
          json::Range{.min = 0.0, .max = 10.0}, json::required);
  v.field("dynamic_energy_over_n7", p.dynamic_energy_over_n7,
          "energy of the same logic at the same speed over N7's", json::positive(), json::required);
  v.field("leakage_w_per_mm2", p.leakage_w_per_mm2, "leakage at idle (W per mm2)", json::not_negative(),
          json::required);
}

// Constants of a die's blocks (area.h has the formulas).
template <class N>
struct Blocks {
  N fp64_fma_mtr{};             // a 64-bit fused multiply-add; narrower ones by the square of the mantissa
  N int32_lane_mtr{};           // a 32-bit integer lane
  N sm_control_mtr_per_lane{};  // everything in an SM that no other constant names, per lane issued to
  N fp64_matrix_own{};      // share of the FP64 matrix rate beyond the lanes' that has multipliers of its own
  N sparsity_share{};       // 2:4 operand selection, over the fp16 array
  N narrow_datapath{};      // 0: multipliers by stored mantissa, 0.5: with the hidden bit, 1: all duplicated
  N register_file{};        // over the 90 nm polynomial
  N l2_area{};              // over the cell area and array efficiency
  N crossbar_um2{};         // per byte per clock into the crossbar and byte per clock out of it, at N7
  N crossbar_wire_share{};  // share of the crossbar that is wires, which do not shrink with the logic
  N hbm_phy_mm2{};          // a 1024-bit site; the same in every process
  N hbm_controller_mtr{};
  N serdes_lane_mm2{};  // a lane of up to 50 Gb/s (two levels), both directions; the same in every process
  N serdes_pam4_lane_mm2{};  // a lane of 100 Gb/s (four levels)
  N lane_controller_mtr{};   // link layer of a two-level lane of a GPU link
  N pam4_lane_controller_mtr{};
  N pcie_lane_controller_mtr{};
  N uncore_mtr{};       // front end, copy engines, video, management: all that no other constant names
  N sram_repair{};      // share of defects in SRAM that spare rows and columns repair
  N serdes_depth_mm{};  // how far a lane reaches in from the edge
};
template <class V, class N>
void describe(V& v, Blocks<N>& b) {
  const json::Range some = json::positive(), share = json::fraction();
  v.field("fp64_fma_mtr", b.fp64_fma_mtr, "64-bit fused multiply-add (million transistors)", some,
          json::required);
  v.field("int32_lane_mtr", b.int32_lane_mtr, "32-bit integer lane (million transistors)", some,
          json::required);
  v.field("sm_control_mtr_per_lane", b.sm_control_mtr_per_lane,
          "rest of an SM, per lane (million transistors)", some, json::required);
  v.field("fp64_matrix_own", b.fp64_matrix_own,
          "share of the FP64 matrix rate beyond the lanes' with its own multipliers", share, json::required);
  v.field("sparsity_share", b.sparsity_share, "2:4 selection over the fp16 array", share, json::required);
  v.field("narrow_datapath", b.narrow_datapath,
          "narrow formats: 0 stored mantissa squared, 0.5 with the hidden bit, 1 duplicated", share,
          json::required);
  v.field("register_file", b.register_file, "register file over the 90 nm polynomial", some, json::required);
  v.field("l2_area", b.l2_area, "L2 over cells and array efficiency", some, json::required);
  v.field("crossbar_um2", b.crossbar_um2, "crossbar at N7, per (byte/clock in) x (byte/clock out) (um2)",
          some, json::required);
  v.field("crossbar_wire_share", b.crossbar_wire_share, "share of the crossbar that does not shrink", share,
          json::required);
  v.field("hbm_phy_mm2", b.hbm_phy_mm2, "PHY of an HBM site (mm2)", some, json::required);
  v.field("hbm_controller_mtr", b.hbm_controller_mtr, "controller of an HBM site (million transistors)", some,
          json::required);
  v.field("serdes_lane_mm2", b.serdes_lane_mm2, "two-level SerDes lane (mm2)", some, json::required);
  v.field("serdes_pam4_lane_mm2", b.serdes_pam4_lane_mm2, "four-level SerDes lane (mm2)", some,
          json::required);
  v.field("lane_controller_mtr", b.lane_controller_mtr,
          "link layer of a two-level lane (million transistors)", some, json::required);
  v.field("pam4_lane_controller_mtr", b.pam4_lane_controller_mtr,
          "link layer of a four-level lane (million transistors)", some, json::required);
  v.field("pcie_lane_controller_mtr", b.pcie_lane_controller_mtr,
          "link layer of a PCIe lane (million transistors)", some, json::required);
  v.field("uncore_mtr", b.uncore_mtr, "everything else on the die (million transistors)", some,
          json::required);
  v.field("sram_repair", b.sram_repair, "share of SRAM defects that are repaired", share, json::required);
  v.field("serdes_depth_mm", b.serdes_depth_mm, "depth of a SerDes lane from the edge (mm)", some,
          json::required);
}

// Prices beside the wafer's.
template <class N>
struct Prices {
  N hbm2e_usd_per_gb{}, hbm3_usd_per_gb{}, hbm3e_usd_per_gb{};
  N packaging_usd{};          // CoWoS-like interposer, substrate and attach, of one package
  N test_and_assembly_usd{};  // of one unit
  N package_yield{};          // good packages of those assembled
};
template <class V, class N>
void describe(V& v, Prices<N>& p) {
  v.field("hbm2e_usd_per_gb", p.hbm2e_usd_per_gb, "HBM2 and HBM2e (USD per GB)", json::positive(),
          json::required);
  v.field("hbm3_usd_per_gb", p.hbm3_usd_per_gb, "HBM3 (USD per GB)", json::positive(), json::required);
  v.field("hbm3e_usd_per_gb", p.hbm3e_usd_per_gb, "HBM3e (USD per GB)", json::positive(), json::required);
  v.field("packaging_usd", p.packaging_usd, "packaging of one unit (USD)", json::not_negative(),
          json::required);
  v.field("test_and_assembly_usd", p.test_and_assembly_usd, "test and assembly of one unit (USD)",
          json::not_negative(), json::required);
  v.field("package_yield", p.package_yield, "good packages of those assembled",
          json::Range{.min = 0.1, .max = 1.0}, json::required);
}

// Energies of one operation or byte (power.h has the formulas). Those of logic are at N7 and at the voltage
// of the highest clock.
template <class N>
struct Energies {
  N bf16_pj_per_flop{};  // on the matrix units, operands and clocks included; fp16 the same
  N tf32_over_bf16{}, fp64_matrix_over_bf16{}, fp8_over_bf16{}, int8_over_bf16{}, fp4_over_bf16{};
  N fp32_vector_pj_per_flop{}, fp64_vector_pj_per_flop{};
  N l2_pj_per_bit{};                        // from an L2 slice through the crossbar into an SM
  N hbm2e_pj_per_bit{}, hbm3_pj_per_bit{};  // DRAM, PHYs and controller
  N link_pj_per_bit{};                      // sent and received, SerDes and link layer
  N hbm_idle_w{};                           // a stack that refreshes
  N rest_idle_w{};                          // links kept alive, regulators, board
  N voltage_floor{};                        // lowest voltage over that of the highest clock
  N floor_clock{};                          // highest clock at the lowest voltage, over the highest clock
};
template <class V, class N>
void describe(V& v, Energies<N>& e) {
  const json::Range some = json::positive();
  const json::Range share{.min = 0.05, .max = 1.0};
  v.field("bf16_pj_per_flop", e.bf16_pj_per_flop, "bf16 and fp16 matrix (pJ per FLOP)", some, json::required);
  v.field("tf32_over_bf16", e.tf32_over_bf16, "tf32 over bf16, per FLOP", some, json::required);
  v.field("fp64_matrix_over_bf16", e.fp64_matrix_over_bf16, "fp64 matrix over bf16, per FLOP", some,
          json::required);
  v.field("fp8_over_bf16", e.fp8_over_bf16, "fp8 over bf16, per FLOP", some, json::required);
  v.field("int8_over_bf16", e.int8_over_bf16, "int8 over bf16, per operation", some, json::required);
  v.field("fp4_over_bf16", e.fp4_over_bf16, "fp4 over bf16, per FLOP", some, json::required);
  v.field("fp32_vector_pj_per_flop", e.fp32_vector_pj_per_flop, "fp32 lanes (pJ per FLOP)", some,
          json::required);
  v.field("fp64_vector_pj_per_flop", e.fp64_vector_pj_per_flop, "fp64 lanes (pJ per FLOP)", some,
          json::required);
  v.field("l2_pj_per_bit", e.l2_pj_per_bit, "L2 through the crossbar (pJ per bit)", some, json::required);
  v.field("hbm2e_pj_per_bit", e.hbm2e_pj_per_bit, "HBM2 and HBM2e (pJ per bit)", some, json::required);
  v.field("hbm3_pj_per_bit", e.hbm3_pj_per_bit, "HBM3 and HBM3e (pJ per bit)", some, json::required);
  v.field("link_pj_per_bit", e.link_pj_per_bit, "NVLink and PCIe (pJ per bit)", some, json::required);
  v.field("hbm_idle_w", e.hbm_idle_w, "an idle HBM stack (W)", json::not_negative(), json::required);
  v.field("rest_idle_w", e.rest_idle_w, "links, regulators and board at idle (W)", json::not_negative(),
          json::required);
  v.field("voltage_floor", e.voltage_floor, "lowest voltage over that of the highest clock", share,
          json::required);
  v.field("floor_clock", e.floor_clock, "highest clock at the lowest voltage, over the highest clock", share,
          json::required);
}

// All that a die of one process depends on.
template <class N>
struct Inputs {
  Process<N> process;
  Blocks<N> block;
  Prices<N> price;
  Energies<N> energy;
};
template <class V, class N>
void describe(V& v, Inputs<N>& i) {
  v.field("process", i.process, "the process");
  v.field("block", i.block, "blocks of the die");
  v.field("price", i.price, "prices");
  v.field("energy", i.energy, "energies");
}

// An input by its name, "process.wafer_usd".
struct NamedInput {
  std::string name;
  std::string doc;
  json::Range range;
  Uncertain value;
};

// All inputs in the order of describe().
std::vector<NamedInput> named_inputs(const Inputs<Uncertain>& inputs);
// The inputs of one draw: `values` in the order of named_inputs().
Inputs<double> inputs_of(const std::vector<double>& values);

// Standard normal scores of the inputs for `samples` draws, row after row. Inputs of one kind (areas, prices,
// energies) share a common factor: who errs in one HBM price errs in the next. Their correlation is 0.5, an
// assumption; all others are independent. The same seed gives the same scores, so that a die and a changed
// die are drawn in pairs.
std::vector<double> draw_scores(const std::vector<NamedInput>& inputs, std::size_t samples,
                                std::uint64_t seed);

// Replaces inputs by name: {"process.wafer_usd": 16000} or [14000, 17000, 20000] (low, mid, high). Throws
// InputError with paths below `path`.
void override_inputs(std::vector<NamedInput>& inputs, const json::Value& overrides, const std::string& path);

// Appends what is wrong with the values of `inputs` (order, range).
void check_inputs(const std::vector<NamedInput>& inputs, const std::string& path,
                  std::vector<Problem>& problems);

}  // namespace gpuplan::silicon
