#include "hwmodels/silicon/area.h"

#include <algorithm>
#include <cmath>

namespace gpuplan::silicon {

std::span<const std::string_view> enum_names(Block /*tag*/) {
  static constexpr std::array<std::string_view, kBlockCount> kNames = {
      "matrix_units",     "fp32_lanes", "fp64_lanes", "int32_lanes", "register_files",  "l1",
      "sm_control",       "crossbar",   "l2",         "hbm_phys",    "hbm_controllers", "link_phys",
      "link_controllers", "uncore",     "unexplained"};
  return kNames;
}

double DieAreas::sms() const {
  double sum = 0.0;
  for (const Block b : {Block::matrix_units, Block::fp32_lanes, Block::fp64_lanes, Block::int32_lanes,
                        Block::register_files, Block::l1, Block::sm_control}) {
    sum += of(b);
  }
  return sum;
}

double DieAreas::total() const {
  double sum = 0.0;
  for (const double area : mm2) {
    sum += area;
  }
  return sum;
}

namespace {

// Stored mantissa bits. fp8 has three (E4M3), fp4 one (E2M1); int4 counts the bits beside its sign.
constexpr double kMantissa64 = 52.0, kMantissa32 = 23.0, kMantissa16 = 10.0;
constexpr double kMantissa8 = 3.0, kMantissaInt4 = 3.0, kMantissa4 = 1.0;

double squared(double x) { return x * x; }

// Transistors of a fused multiply-add by its stored mantissa (LLMCompass: by the square).
double fma_mtr(const Blocks<double>& block, double mantissa) {
  return block.fp64_fma_mtr * squared(mantissa / kMantissa64);
}

// Where a path lies between its cheapest and its dearest construction.
double datapath_of(Datapath path, double drawn) {
  switch (path) {
    case Datapath::unknown:
      return std::clamp(drawn, 0.0, 1.0);
    case Datapath::shared:
      return std::clamp(drawn, 0.0, 0.5);
    case Datapath::duplicated:
      return 1.0;
  }
  return drawn;
}

double matrix_mtr(const DieSpec& die, const Blocks<double>& block) {
  double shares = 1.0;
  const auto add = [&](double rate, double stored, double bits, Datapath path) {
    if (rate > 0.0) {
      shares += narrow_path_share(rate, stored, bits, datapath_of(path, block.narrow_datapath));
    }
  };
  add(die.fp8_rate, kMantissa8, 8.0, die.fp8_path);
  add(die.int4_rate, kMantissaInt4, 4.0, die.int4_path);
  add(die.fp4_rate, kMantissa4, 4.0, die.fp4_path);
  shares += die.sparsity * std::clamp(block.sparsity_share, 0.0, 1.0);
  return die.fp16_fma * fma_mtr(block, kMantissa16) * shares;
}

}  // namespace

double narrow_path_share(double rate, double stored, double bits, double datapath) {
  const double least = rate * squared(stored / kMantissa16);
  const double hidden = rate * squared((stored + 1.0) / (kMantissa16 + 1.0));
  // Integer-like formats can have hidden-bit multipliers larger than half a path by width; never the reverse.
  const double most = std::max(hidden, rate * bits / 16.0);
  return datapath <= 0.5 ? least * std::pow(hidden / least, datapath / 0.5)
                         : hidden * std::pow(most / hidden, (datapath - 0.5) / 0.5);
}

double sram_mm2(double bytes, double cell_um2) {
  // 4, 8, ..., 512 KiB.
  static constexpr std::array<double, 8> kEfficiency = {0.076, 0.142, 0.247, 0.393,
                                                        0.559, 0.704, 0.526, 0.602};
  if (bytes <= 0.0) {
    return 0.0;
  }
  constexpr double kLargest = 524288.0, kSmallest = 4096.0;
  const double place = std::log2(std::clamp(bytes, kSmallest, kLargest) / kSmallest);
  const auto below = std::min(static_cast<std::size_t>(place), kEfficiency.size() - 2);
  // One step of size doubles the bytes, less what the efficiency gains.
  const double step = 2.0 * kEfficiency[below] / kEfficiency[below + 1];
  const double unit = kSmallest * std::exp2(static_cast<double>(below)) / kEfficiency[below] *
                      std::pow(step, place - static_cast<double>(below));
  return std::max(1.0, bytes / kLargest) * unit * 8.0 * cell_um2 * 1e-6;
}

double register_file_mm2(double registers, double density_mtr_per_mm2) {
  constexpr double kBits = 32.0, kPorts = 4.0, kDensity90 = 1.6;
  const double d = registers, w = kBits, p = kPorts;
  const double um2 = 3.29e4 - 1.09e3 * d - 8.83e2 * w - 5.55e3 * p + 53.5 * d * w + 1.5e-2 * d * d +
                     1.08e-2 * w * w + 0.586 * p * p + 1.42e2 * d * p + 3.68e2 * w * p;
  return um2 * 1e-6 * kDensity90 / density_mtr_per_mm2;
}

DieAreas die_areas(const DieSpec& die, const Inputs<double>& in) {
  const Blocks<double>& block = in.block;
  const double sms = die.sm_count;
  const double density = in.process.logic_density_mtr_per_mm2;
  const auto logic = [&](double mtr) { return mtr / density; };
  DieAreas out;
  out.of(Block::matrix_units) = sms * logic(matrix_mtr(die, block)) + die.claimed_mm2;
  out.of(Block::fp32_lanes) = sms * die.fp32_lanes * logic(fma_mtr(block, kMantissa32));
  const double fp64_fma = die.fp64_lanes * (1.0 + std::max(0.0, die.fp64_matrix_over_vector - 1.0) *
                                                      std::clamp(block.fp64_matrix_own, 0.0, 1.0));
  out.of(Block::fp64_lanes) = sms * fp64_fma * logic(fma_mtr(block, kMantissa64));
  out.of(Block::int32_lanes) = sms * die.int32_lanes * logic(block.int32_lane_mtr);
  out.of(Block::register_files) =
      sms * die.register_files * block.register_file * register_file_mm2(die.registers_per_file, density);
  out.of(Block::l1) = sms * sram_mm2(die.l1_kib * 1024.0, in.process.sram_cell_um2);
  out.of(Block::sm_control) = sms * die.issue_lanes * logic(block.sm_control_mtr_per_lane);

  const double wires = std::clamp(block.crossbar_wire_share, 0.0, 1.0);
  // Calibrated at N7, whose density is that of the process file N7.
  constexpr double kDensityN7 = 96.3;
  out.of(Block::crossbar) = block.crossbar_um2 * 1e-6 * (sms * die.sm_bytes_per_clock) *
                            die.l2_bytes_per_clock * (wires + (1.0 - wires) * kDensityN7 / density);
  out.of(Block::l2) = block.l2_area * sram_mm2(die.l2_mib * 1048576.0, in.process.sram_cell_um2);
  out.of(Block::hbm_phys) = die.hbm_sites * block.hbm_phy_mm2;
  out.of(Block::hbm_controllers) = die.hbm_sites * logic(block.hbm_controller_mtr);

  const double lanes = die.links * die.lanes_per_link;
  const bool pam4 = die.links_are_pam4 > 0.0;
  out.of(Block::link_phys) = lanes * (pam4 ? block.serdes_pam4_lane_mm2 : block.serdes_lane_mm2) +
                             die.pcie_lanes * block.serdes_lane_mm2;
  out.of(Block::link_controllers) =
      logic(lanes * (pam4 ? block.pam4_lane_controller_mtr : block.lane_controller_mtr) +
            die.pcie_lanes * block.pcie_lane_controller_mtr);
  out.of(Block::uncore) = logic(block.uncore_mtr);
  return out;
}

}  // namespace gpuplan::silicon
