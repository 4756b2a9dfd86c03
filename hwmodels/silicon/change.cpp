#include "hwmodels/silicon/change.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace gpuplan::silicon {

namespace {

// Applies one change to one design and collects what cannot be.
class Applier {
 public:
  Applier(const Design& base, const SiliconChange& change, const std::string& path,
          std::vector<Problem>& problems)
      : out_(base), base_(base), change_(change), path_(path), problems_(problems) {}

  Design apply() {
    formats();
    lanes();
    sms();
    memories();
    stacks();
    links();
    return std::move(out_);
  }

 private:
  void problem(const char* field, std::string found, std::string expected) {
    problems_.push_back({path_ + "." + field, std::move(found), std::move(expected), ""});
  }

  // A count or size after a change; a problem where nothing is left.
  void move(Sourced& value, double by, const char* field, const char* what) {
    if (by != 0.0) {
      if (value.value + by <= 0.0) {
        problem(field, fmt::format("{:g} of {:g}", by, value.value), fmt::format("some {} left", what));
        return;
      }
      value = {value.value + by, "changed", Standing::assumed, value.note};
    }
  }

  void formats() {
    if (change_.claimed_mm2) {
      out_.die.claimed_mm2 += *change_.claimed_mm2;  // of the formats, whatever the model makes of them
      return;
    }
    const auto set = [&](const std::optional<double>& rate, Sourced& target, Datapath& datapath) {
      if (rate) {
        target = {*rate, "changed", Standing::assumed, ""};
        datapath = change_.narrow_path;
      }
    };
    set(change_.fp8_rate, out_.die.fp8_rate, out_.die.fp8_path);
    set(change_.int4_rate, out_.die.int4_rate, out_.die.int4_path);
    set(change_.fp4_rate, out_.die.fp4_rate, out_.die.fp4_path);
    if (change_.sparsity) {
      out_.die.sparsity = {*change_.sparsity ? 1.0 : 0.0, "changed", Standing::assumed, ""};
    }
  }

  void lanes() {
    if (change_.fp64_rate) {
      if (out_.die.fp32_lanes <= 0.0) {
        problem("fp64_rate", fmt::format("{:g}", *change_.fp64_rate),
                "nothing: FP32 runs on the FP64 lanes of " + out_.die.name);
        return;
      }
      out_.die.fp64_lanes = {*change_.fp64_rate * out_.die.fp32_lanes, "changed", Standing::assumed, ""};
    }
  }

  void sms() {
    const int per_tpc = static_cast<int>(out_.die.sms_per_tpc);
    if (change_.sms % per_tpc != 0) {
      problem("sms", std::to_string(change_.sms),
              fmt::format("a multiple of {} (the SMs of a TPC of {})", per_tpc, out_.die.name));
      return;
    }
    move(out_.die.sm_count, change_.sms, "sms", "SMs");
    if (change_.sms != 0) {
      const double share = base_.product.sm_enabled / base_.die.sm_count;
      const auto tpcs = static_cast<int>(std::lround(share * out_.die.tpcs()));
      out_.product.sm_enabled = per_tpc * std::clamp(tpcs, 1, std::max(1, out_.die.tpcs()));
    }
  }

  void memories() {
    move(out_.die.l2_mib, change_.l2_mib, "l2_mib", "L2");
    move(out_.die.l1_kib, change_.shared_memory_kib_per_sm, "shared_memory_kib_per_sm", "shared memory");
    const double registers = change_.register_kib_per_sm * 1024.0 / 4.0 / out_.die.register_files;
    move(out_.die.registers_per_file, registers, "register_kib_per_sm", "registers");
  }

  // Empty sites are filled first; stacks taken away take their sites along.
  void stacks() {
    ProductSpec& product = out_.product;
    const int enabled = base_.product.hbm_enabled + change_.hbm_stacks;
    if (change_.hbm_stacks != 0 && enabled < 1) {
      problem("hbm_stacks", fmt::format("{} of {}", change_.hbm_stacks, base_.product.hbm_enabled),
              "some stack left");
      return;
    }
    const double sites =
        base_.die.hbm_sites + (change_.hbm_stacks < 0 ? static_cast<double>(change_.hbm_stacks) : 0.0);
    if (change_.hbm_stacks != 0) {
      out_.die.hbm_sites = {std::max(sites, static_cast<double>(enabled)), "changed", Standing::assumed, ""};
      product.memory_gb *= static_cast<double>(enabled) / product.hbm_enabled;
      product.hbm_enabled = enabled;
    }
  }

  void links() {
    const int enabled = base_.product.links_enabled + change_.nvlinks;
    if (change_.nvlinks != 0 && enabled < 0) {
      problem("nvlinks", fmt::format("{} of {}", change_.nvlinks, base_.product.links_enabled),
              "no fewer links than none");
      return;
    }
    if (change_.nvlinks != 0) {
      const double there =
          base_.die.links + (change_.nvlinks < 0 ? static_cast<double>(change_.nvlinks) : 0.0);
      out_.die.links = {std::max(there, static_cast<double>(enabled)), "changed", Standing::assumed, ""};
      out_.product.links_enabled = enabled;
    }
  }

  Design out_;
  const Design& base_;
  const SiliconChange& change_;
  const std::string& path_;
  std::vector<Problem>& problems_;
};

constexpr double kReticleLong = 33.0, kReticleShort = 26.0;
constexpr double kLongestAspect = 1.6;  // assumed: a die this slender still packs and routes

}  // namespace

Design changed_design(const Design& base, const SiliconChange& change, const std::string& path,
                      std::vector<Problem>& problems) {
  return Applier(base, change, path, problems).apply();
}

void check_beachfront(const Design& design, double area_mm2, const Inputs<double>& inputs,
                      const std::string& path, std::vector<Problem>& problems) {
  const DieSpec& die = design.die;
  const double longest = std::min(kReticleLong, std::sqrt(area_mm2 * kLongestAspect));
  const double room = 2.0 * std::floor(longest / die.hbm_edge_mm);
  if (die.hbm_sites > room) {
    problems.push_back(
        {path + ".hbm_stacks", fmt::format("{:g} HBM sites", die.hbm_sites.value),
         fmt::format("at most {:g}: a die of {:.0f} mm2 is at most {:.1f} mm long, and each site "
                     "needs {:g} mm of its two long edges",
                     room, area_mm2, longest, die.hbm_edge_mm.value),
         ""});
  }
  const double needed = std::ceil(die.hbm_sites / 2.0) * die.hbm_edge_mm;
  const double long_edge = std::max(needed, std::sqrt(area_mm2 * kReticleLong / kReticleShort));
  const double short_edge = area_mm2 / long_edge;
  const Blocks<double>& block = inputs.block;
  const double lane = die.links_are_pam4 > 0.0 ? block.serdes_pam4_lane_mm2 : block.serdes_lane_mm2;
  const double lanes_mm = (die.links * die.lanes_per_link * lane + die.pcie_lanes * block.serdes_lane_mm2) /
                          block.serdes_depth_mm;
  if (lanes_mm > 2.0 * short_edge) {
    problems.push_back({path + ".nvlinks",
                        fmt::format("{:g} links, {:.1f} mm of edge", die.links.value, lanes_mm),
                        fmt::format("at most {:.1f} mm: the two short edges of a die of {:.0f} mm2",
                                    2.0 * short_edge, area_mm2),
                        ""});
  }
}

namespace {

// The fields that follow SMs and formats.
void compute_fields(const Gpu& gpu, const Design& base, const Design& changed, const SiliconChange& change,
                    json::Value& out) {
  const double sms = static_cast<double>(changed.product.sm_enabled) / base.product.sm_enabled;
  if (sms != 1.0) {
    out["sm_count"] = json::Value(static_cast<std::int64_t>(std::llround(gpu.sm_count * sms)));
  }
  json::Value peaks;
  const std::optional<FlopsPerSecond> fp16 = gpu.peak(Precision::fp16);
  const auto narrow = [&](const std::optional<double>& rate, const char* format) {
    if (rate && fp16) {
      peaks[format] = *rate > 0.0 ? json::Value(*rate * fp16->si() * sms * 1e-12) : json::Value();
    }
  };
  narrow(change.fp8_rate, "fp8");
  narrow(change.int4_rate, "int4");
  narrow(change.fp4_rate, "fp4");
  if (change.fp64_rate) {
    const double vector = *change.fp64_rate * gpu.vector_fp32_peak.si() * sms * 1e-12;
    out["vector_fp64_tflops"] = json::Value(vector);
    if (vector > 0.0) {
      peaks["fp64"] = json::Value(vector * base.die.fp64_matrix_over_vector);
    } else {
      peaks["fp64"] = json::Value();
    }
  }
  if (!peaks.is_null()) {
    out["matrix_peak_tflops"] = std::move(peaks);
  }
  if (change.sparsity) {
    out["sparse_factor"] = json::Value(*change.sparsity ? 2.0 : 1.0);
  }
}

void memory_fields(const Gpu& gpu, const Design& base, const Design& changed, const SiliconChange& change,
                   json::Value& out) {
  if (change.l2_mib != 0.0) {
    out["l2_mib"] = json::Value(gpu.l2.si() / 1048576.0 * changed.die.l2_mib / base.die.l2_mib);
  }
  if (change.shared_memory_kib_per_sm != 0.0) {
    out["shared_memory_kib_per_sm"] =
        json::Value(std::max(0.0, gpu.shared_memory_per_sm.si() / 1024.0 + change.shared_memory_kib_per_sm));
  }
  if (change.register_kib_per_sm != 0.0) {
    const double ratio = changed.die.registers_per_file / base.die.registers_per_file;
    out["registers_per_sm"] =
        json::Value(static_cast<std::int64_t>(std::llround(gpu.registers_per_sm * ratio)));
  }
  if (change.hbm_stacks != 0) {
    const double ratio = static_cast<double>(changed.product.hbm_enabled) / base.product.hbm_enabled;
    out["memory_gb"] = json::Value(gpu.memory.si() * 1e-9 * ratio);
    out["memory_bandwidth_gbps"] = json::Value(gpu.memory_bandwidth.si() * 1e-9 * ratio);
  }
}

}  // namespace

json::Value overrides_of(const Gpu& gpu, const Design& base, const Design& changed,
                         const SiliconChange& change, double area_ratio, const Inputs<double>& inputs) {
  json::Value out{json::Object{}};
  compute_fields(gpu, base, changed, change, out);
  memory_fields(gpu, base, changed, change, out);
  const double links_before = base.product.links_enabled;
  if (change.nvlinks != 0 && links_before > 0.0) {
    const double ratio = changed.product.links_enabled / links_before;
    if (gpu.scale_up_links > 0) {
      out["scale_up_links"] =
          json::Value(static_cast<std::int64_t>(std::llround(gpu.scale_up_links * ratio)));
    }
    out["scale_up_bandwidth_gbps"] = json::Value(gpu.scale_up_bandwidth.si() * 1e-9 * ratio);
  }
  // What the new stacks and links draw at full rate.
  const bool old_hbm = base.product.memory == Hbm::HBM2 || base.product.memory == Hbm::HBM2e;
  const double pj = old_hbm ? inputs.energy.hbm2e_pj_per_bit : inputs.energy.hbm3_pj_per_bit;
  const double stack_w = gpu.memory_bandwidth.si() / base.product.hbm_enabled * 8e-12 * pj +
                         inputs.energy.hbm_idle_w * base.product.dies;
  const double link_w = links_before > 0.0 ? 2.0 * gpu.scale_up_bandwidth.si() / links_before * 8e-12 *
                                                 inputs.energy.link_pj_per_bit
                                           : 0.0;
  const double more_w = change.hbm_stacks * stack_w + change.nvlinks * link_w;
  if (more_w != 0.0) {
    out["tdp_w"] = json::Value(std::max(1.0, gpu.tdp.si() + more_w));
  }
  if (area_ratio != 1.0) {
    out["die_area_mm2"] = json::Value(gpu.die_area.si() * 1e6 * area_ratio);
  }
  return out;
}

}  // namespace gpuplan::silicon
