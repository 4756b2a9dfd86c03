// A change of a die, as an architect would ask for it; zero, absent or false-as-it-was: left alone. Negative
// numbers remove, so that one block can pay for another.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "hwmodels/catalogue/catalogue.h"
#include "hwmodels/json/describe.h"
#include "hwmodels/silicon/die.h"
#include "hwmodels/silicon/inputs.h"

namespace gpuplan::silicon {

struct SiliconChange {
  std::optional<double> fp8_rate{}, int4_rate{}, fp4_rate{};
  Datapath narrow_path = Datapath::unknown;
  std::optional<bool> sparsity{};
  std::optional<double> claimed_mm2 = std::nullopt;
  std::optional<double> fp64_rate{};
  int sms = 0;
  double l2_mib = 0.0;
  int nvlinks = 0;
  int hbm_stacks = 0;
  double shared_memory_kib_per_sm = 0.0;
  double register_kib_per_sm = 0.0;
};
template <class V>
void describe(V& v, SiliconChange& c) {
  const json::Range rate{.min = 0.0, .max = 16.0};
  v.field("fp8_rate", c.fp8_rate, "fp8 on the matrix units at this many times fp16's rate; 0 removes it",
          rate);
  v.field("int4_rate", c.int4_rate, "int4 on the matrix units at this many times fp16's rate; 0 removes it",
          rate);
  v.field("fp4_rate", c.fp4_rate, "fp4 on the matrix units at this many times fp16's rate; 0 removes it",
          rate);
  v.field("narrow_path", c.narrow_path,
          "multipliers of the formats added: shared (narrow ones beside fp16's operands and accumulators), "
          "duplicated (a complete path), or unknown (the whole range)");
  v.field("sparsity", c.sparsity, "2:4 structured sparsity at twice the dense rate");
  v.field(
      "claimed_mm2", c.claimed_mm2,
      "area of the formats and the sparsity that the change adds, as somebody claims it, in the SMs (mm2); "
      "default: the model's",
      json::Range{.min = -1e4, .max = 1e4});
  v.field("fp64_rate", c.fp64_rate, "FP64 lanes over FP32 lanes; 1: full rate", json::fraction());
  v.field("sms", c.sms, "SMs more on the full die", json::Range{.min = -1e4, .max = 1e4});
  v.field("l2_mib", c.l2_mib, "L2 more on the full die (MiB)", json::Range{.min = -1e4, .max = 1e4});
  v.field("nvlinks", c.nvlinks, "GPU-to-GPU links more; links that the product leaves unused come first",
          json::Range{.min = -1e3, .max = 1e3});
  v.field("hbm_stacks", c.hbm_stacks,
          "HBM stacks more; sites that the product leaves empty come first, fewer stacks remove sites",
          json::Range{.min = -64, .max = 64});
  v.field("shared_memory_kib_per_sm", c.shared_memory_kib_per_sm, "L1 and shared memory more, of an SM (KiB)",
          json::Range{.min = -1e5, .max = 1e5});
  v.field("register_kib_per_sm", c.register_kib_per_sm, "registers more, of an SM (KiB)",
          json::Range{.min = -1e5, .max = 1e5});
}

// A die and one product of it.
struct Design {
  DieSpec die;
  ProductSpec product;
};

// `base` with the change applied; appends what cannot be to `problems`, with paths below `path`. What must
// work scales with what is there: an A100 with 16 more SMs on the die (128 to 144) needs 122 of them, not
// 108.
Design changed_design(const Design& base, const SiliconChange& change, const std::string& path,
                      std::vector<Problem>& problems);

// Appends a problem where the die edge cannot hold the HBM sites and lanes of `design`. HBM sits along the
// two long edges, SerDes along the two short ones; the die has the aspect of the reticle (33 to 26 mm), or is
// as slender as its HBM needs, up to 1.6 to 1 and 33 mm. An assumption that GA100, GH100 and Aldebaran
// satisfy.
void check_beachfront(const Design& design, double area_mm2, const Inputs<double>& inputs,
                      const std::string& path, std::vector<Problem>& problems);

// The largest die that one exposure can print: 26 x 33 mm.
inline constexpr double kReticleMm2 = 858.0;

// The fields of a catalogue GPU that the change moves, as with_overrides() takes them (catalogue.h). Peaks
// follow SMs and rates, capacity and bandwidth follow stacks and links; the power limit grows by what new
// stacks and links draw at full rate, and SMs share what there is. `area_ratio`: changed die area over the
// base's.
json::Value overrides_of(const Gpu& gpu, const Design& base, const Design& changed,
                         const SiliconChange& change, double area_ratio, const Inputs<double>& inputs);

}  // namespace gpuplan::silicon
