// The area of a die, block by block, from counts of units.
//
// Logic is transistors over the process's density; SRAM is bits times a cell over the efficiency of its
// array; PHYs keep their size in every process; a crossbar grows with the bytes per clock that enter it times
// those that leave it. Transistor counts, cells, array efficiencies and PHYs are LLMCompass's (Zhang et al.,
// ISCA 2024; commit 2e015fd), taken as they are. Four constants are calibrated, each on one block of the
// photograph of GA100 that LLMCompass annotates, because its own constants miss or lack them (crossbar 58.9
// mm2 of 76.4, nothing for "other" 40): what an SM has besides its units (sm_control_mtr_per_lane, on the
// SMs), the crossbar (crossbar_um2), a SerDes lane (serdes_lane_mm2, on the PHYs of 48 NVLink and 16 PCIe
// lanes) and the uncore (on "other" less the link controllers). Nothing is fitted to a second die.
//
// Errors. GA100: total -0.2 %; by block SMs, crossbar, links and other 0 by calibration, L2 -5 %, HBM +8 %.
// Held out: GH100 (4N) -3 %, Aldebaran (N6) -7 %. Aldebaran's blocks err more, and partly cancel: HBM -1 %,
// link PHYs +3 %, other +2 %, CUs -11 %, crossbar +25 %, L2 -38 % (its slices are few and wide; ours is by
// size). Its HBM PHYs are counted as LLMCompass counts them, 8 of GA100's size; by its four stacks the die is
// 15 % too small. Draws of the model alone spread by 18 % to either side, more than these dies suggest: the
// constants are drawn one by one, though their sum is known on GA100.
//
// The model does not hold at 16 and 12 nm, where the densities of its source would make GV100's SMs alone
// larger than its die, nor for AMD's chiplets at N5: an XCD of MI300X (115 mm2, recalled) comes out a fifth
// too large before any uncore. It knows no graphics units (rasters, ray tracing), so no gaming die.
#pragma once

#include <array>
#include <span>
#include <string_view>

#include "hwmodels/silicon/die.h"
#include "hwmodels/silicon/inputs.h"

namespace gpuplan::silicon {

// Blocks of a die; `unexplained` is the published area less the model's (of an unchanged die).
enum class Block {
  matrix_units,
  fp32_lanes,
  fp64_lanes,
  int32_lanes,
  register_files,
  l1,
  sm_control,
  crossbar,
  l2,
  hbm_phys,
  hbm_controllers,
  link_phys,
  link_controllers,
  uncore,
  unexplained
};
inline constexpr std::size_t kBlockCount = 15;
std::span<const std::string_view> enum_names(Block tag);

// Areas in mm2 of the whole die.
struct DieAreas {
  std::array<double, kBlockCount> mm2{};

  [[nodiscard]] double of(Block b) const { return mm2[static_cast<std::size_t>(b)]; }
  double& of(Block b) { return mm2[static_cast<std::size_t>(b)]; }
  // All blocks of the SMs; everything.
  [[nodiscard]] double sms() const;
  [[nodiscard]] double total() const;
};
DieAreas die_areas(const DieSpec& die, const Inputs<double>& inputs);

// Area of a path for a narrow format over that of the fp16 array: `rate` over fp16's; `stored` bits of its
// mantissa, `bits` in all. `datapath`: 0 (r m^2/10^2), 0.5 (r (m+1)^2/11^2), 1 (r bits/16), geometric
// between.
double narrow_path_share(double rate, double stored, double bits, double datapath);

// mm2 of `bytes` of SRAM in arrays of at most 512 KiB, `cell_um2` each bit. Array efficiencies are
// LLMCompass's from CACTI for 4 KiB to 512 KiB, interpolated in the logarithm of the size, so that more
// memory never takes less area.
double sram_mm2(double bytes, double cell_um2);

// mm2 of a register file of `registers` 32-bit registers with four ports: an empirical polynomial for 90 nm
// (EMPIRE, as LLMCompass uses it), scaled by 1.6 million transistors per mm2 over the process's density.
double register_file_mm2(double registers, double density_mtr_per_mm2);

}  // namespace gpuplan::silicon
