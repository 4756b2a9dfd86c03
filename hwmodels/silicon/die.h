// A die as its maker drew it (counts of the full die), and the products that are cut from it (how much of it
// must work). One JSON file a die in hwmodels/silicon/data/dies, each number with its source.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "hwmodels/silicon/uncertain.h"

namespace gpuplan::silicon {

enum class Hbm { HBM2, HBM2e, HBM3, HBM3e };
std::span<const std::string_view> enum_names(Hbm tag);

// How the multipliers of a format narrower than fp16 are built: narrow ones of its own that share operands,
// exponents and accumulators with fp16 (shared), a complete path (duplicated), or unknown (the whole range).
enum class Datapath { unknown, shared, duplicated };
std::span<const std::string_view> enum_names(Datapath tag);

// Areas of blocks as somebody measured them on a photograph of the die (mm2).
struct AnnotatedBlocks {
  Sourced sms, crossbar, l2, hbm, link_phys, other;  // other: link controllers and all the rest
};
template <class V>
void describe(V& v, AnnotatedBlocks& a) {
  v.field("sms", a.sms, "SMs or CUs (mm2)", json::required);
  v.field("crossbar", a.crossbar, "on-chip interconnect (mm2)", json::required);
  v.field("l2", a.l2, "L2 (mm2)", json::required);
  v.field("hbm", a.hbm, "HBM PHYs and controllers (mm2)", json::required);
  v.field("link_phys", a.link_phys, "PHYs of links and PCIe (mm2)", json::required);
  v.field("other", a.other, "link controllers and everything else (mm2)", json::required);
}

// What a product needs of the die.
struct ProductSpec {
  std::string gpu;  // catalogue name where the catalogue has it
  int dies = 1;     // in a package
  int sm_enabled = 0;
  int gpcs_lost = 0;  // whole GPCs that may be dead: 0 or 1
  int l2_groups_enabled = 0;
  int hbm_enabled = 0;
  int links_enabled = 0;
  double memory_gb = 0;  // of the package
  Hbm memory = Hbm::HBM2e;
  double clock_max_mhz = 0;
  std::string source;
  Standing standing = Standing::assumed;
};
template <class V>
void describe(V& v, ProductSpec& p) {
  const json::Range count{.min = 0, .max = 1e5}, some{.min = 1, .max = 1e5};
  v.field("gpu", p.gpu, "catalogue name", json::required);
  v.field("dies", p.dies, "dies in a package", json::Range{.min = 1, .max = 16});
  v.field("sm_enabled", p.sm_enabled, "SMs that must work, of a die", some, json::required);
  v.field("gpcs_lost", p.gpcs_lost, "whole GPCs that may be dead", json::Range{.min = 0, .max = 1});
  v.field("l2_groups_enabled", p.l2_groups_enabled, "L2 groups that must work", some, json::required);
  v.field("hbm_enabled", p.hbm_enabled, "HBM sites that must work", some, json::required);
  v.field("links_enabled", p.links_enabled, "GPU links in use", count, json::required);
  v.field("memory_gb", p.memory_gb, "HBM of the package (GB)", json::positive(), json::required);
  v.field("memory", p.memory, "kind of HBM", json::required);
  v.field("clock_max_mhz", p.clock_max_mhz, "highest clock (MHz)", json::positive(), json::required);
  v.field("source", p.source, "where the counts were read", json::required);
  v.field("standing", p.standing, "how they are known", json::required);
}

struct DieSpec {
  std::string name;     // "GA100"
  std::string process;  // a file of data/processes
  Sourced area_mm2;     // as published
  Sourced sm_count, sms_per_tpc, gpcs;
  Sourced issue_lanes;                          // of an SM: schedulers times lanes each
  Sourced fp32_lanes, fp64_lanes, int32_lanes;  // of an SM, fused multiply-adds per clock
  Sourced fp16_fma;                             // of an SM's matrix units, dense multiply-adds per clock
  Sourced fp64_matrix_over_vector;
  Sourced fp8_rate, int4_rate, fp4_rate;  // dense matrix rates over fp16's; 0: no such path
  Datapath fp8_path = Datapath::unknown, int4_path = Datapath::unknown, fp4_path = Datapath::unknown;
  Sourced sparsity;                               // 1: 2:4 operand selection, 0: none
  Sourced register_files, registers_per_file;     // of an SM, 32-bit registers
  Sourced l1_kib;                                 // L1 and shared memory of an SM
  Sourced l2_mib, l2_groups;                      // groups: the grain in which L2 is switched off
  Sourced sm_bytes_per_clock;                     // an SM's port of the crossbar
  Sourced l2_bytes_per_clock;                     // all slices' ports
  Sourced hbm_sites, hbm_edge_mm;                 // die edge that a site needs
  Sourced links, lanes_per_link, links_are_pam4;  // GPU-to-GPU links
  Sourced pcie_lanes;
  double claimed_mm2 = 0.0;  // of a change, in the SMs; no file has it
  std::optional<AnnotatedBlocks> annotated;
  std::vector<ProductSpec> products;

  [[nodiscard]] int tpcs() const { return static_cast<int>(sm_count / sms_per_tpc); }
};
template <class V>
void describe(V& v, DieSpec& d) {
  const auto need = json::required;
  v.field("name", d.name, "name of the die; also of its file", need);
  v.field("process", d.process, "process, by the name of its file", need);
  v.field("area_mm2", d.area_mm2, "area as published (mm2)", need);
  v.field("sm_count", d.sm_count, "SMs (or CUs) of the full die", need);
  v.field("sms_per_tpc", d.sms_per_tpc, "SMs that are switched off together", need);
  v.field("gpcs", d.gpcs, "GPCs (or shader engines)", need);
  v.field("issue_lanes", d.issue_lanes, "lanes that an SM issues to: schedulers times lanes", need);
  v.field("fp32_lanes", d.fp32_lanes, "FP32 fused multiply-adds of an SM per clock", need);
  v.field("fp64_lanes", d.fp64_lanes, "FP64 fused multiply-adds of an SM per clock", need);
  v.field("int32_lanes", d.int32_lanes, "INT32 lanes of an SM", need);
  v.field("fp16_fma", d.fp16_fma, "dense fp16 multiply-adds of an SM's matrix units per clock", need);
  v.field("fp64_matrix_over_vector", d.fp64_matrix_over_vector, "FP64 matrix rate over the lanes'", need);
  v.field("fp8_rate", d.fp8_rate, "fp8 matrix rate over fp16's; 0: none", need);
  v.field("int4_rate", d.int4_rate, "int4 matrix rate over fp16's; 0: none", need);
  v.field("fp4_rate", d.fp4_rate, "fp4 matrix rate over fp16's; 0: none", need);
  v.field("fp8_path", d.fp8_path, "how fp8's multipliers are built");
  v.field("int4_path", d.int4_path, "how int4's multipliers are built");
  v.field("fp4_path", d.fp4_path, "how fp4's multipliers are built");
  v.field("sparsity", d.sparsity, "2:4 operand selection: 1, or 0", need);
  v.field("register_files", d.register_files, "register files of an SM", need);
  v.field("registers_per_file", d.registers_per_file, "32-bit registers of each", need);
  v.field("l1_kib", d.l1_kib, "L1 and shared memory of an SM (KiB)", need);
  v.field("l2_mib", d.l2_mib, "L2 of the full die (MiB)", need);
  v.field("l2_groups", d.l2_groups, "groups in which L2 is switched off", need);
  v.field("sm_bytes_per_clock", d.sm_bytes_per_clock, "an SM's port of the crossbar (B/clock)", need);
  v.field("l2_bytes_per_clock", d.l2_bytes_per_clock, "ports of all L2 slices (B/clock)", need);
  v.field("hbm_sites", d.hbm_sites, "HBM sites", need);
  v.field("hbm_edge_mm", d.hbm_edge_mm, "die edge that a site needs (mm)", need);
  v.field("links", d.links, "GPU-to-GPU links", need);
  v.field("lanes_per_link", d.lanes_per_link, "lanes of a link, per direction", need);
  v.field("links_are_pam4", d.links_are_pam4, "1: four-level signalling at 100 Gb/s, 0: two levels", need);
  v.field("pcie_lanes", d.pcie_lanes, "PCIe lanes", need);
  v.field("annotated", d.annotated, "areas of blocks measured on a photograph");
  v.field("products", d.products, "what is sold of this die", need);
}

// Reads a die file. Throws InputError.
DieSpec read_die(const std::string& file);

}  // namespace gpuplan::silicon
