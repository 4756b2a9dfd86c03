#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <map>
#include <mutex>
#include <tuple>

#include "hwmodels/collectives/collective_model.h"
#include "hwmodels/kernels/kernel_model.h"
#include "hwmodels/kernels/standing.h"
#include "hwmodels/kernels/transfer.h"

namespace gpuplan::kernels {

namespace {

constexpr std::array<std::string_view, kLimiters> kLimiterNames = {
    "compute", "hbm_bandwidth", "l2_bandwidth", "latency", "launch", "link_bandwidth"};
constexpr std::array<std::string_view, 4> kProvenanceNames = {"datasheet", "physics", "measured", "assumed"};

bool fitted_on(const KernelProfile& profile, const Gpu& gpu) {
  const FittedDatasheet& d = profile.datasheet;
  return !profile.gpu.empty() && profile.gpu == gpu.name && d.sm_count == gpu.sm_count &&
         same(d.boost_clock, gpu.boost_clock.si()) &&
         same(d.bf16_peak, gpu.peak(Precision::bf16).value_or(FlopsPerSecond(0.0)).si()) &&
         same(d.memory_bandwidth, gpu.memory_bandwidth.si()) && same(d.l2, gpu.l2.si()) &&
         same(d.scale_up_bandwidth, gpu.scale_up_bandwidth.si()) && same(d.tdp, gpu.tdp.si());
}

// How much wider errors are of a what-if of the GPU measured, and of formats that borrow another's constants
// (assumed). Constants of another GPU bring their own errors along (transfer.h).
constexpr Borrowed kRelated = {1.3, 0.06};
constexpr Borrowed kUnrelated = {3.0, 0.25};

}  // namespace

std::span<const std::string_view> enum_names(Limiter /*tag*/) { return kLimiterNames; }
std::span<const std::string_view> enum_names(Provenance /*tag*/) { return kProvenanceNames; }

KernelModel::KernelModel(const Gpu& gpu, KernelProfile profile)
    : gpu_(gpu),
      profile_(std::move(profile)),
      own_gpu_(fitted_on(profile_, gpu_)),
      related_(profile_.gpu == gpu_.name || same_chip_family(profile_.datasheet, gpu_)),
      power_(power_of(profile_, gpu_)),
      gemm_curves_(curves_of(profile_.gemm, kGemmFeatures, "gemm")),
      prefill_curves_(curves_of(profile_.prefill, kPrefillFeatures, "prefill")),
      decode_curves_(curves_of(profile_.decode, kDecodeFeatures, "decode")),
      expert_curves_(curves_of(profile_.experts, kExpertFeatures, "experts")),
      collectives_(std::make_shared<collectives::CollectiveModel>(collectives::Profiles{})) {}

template <class Constants>
std::vector<KernelModel::Curves> KernelModel::curves_of(const std::vector<Constants>& constants,
                                                        std::span<const std::string_view> names,
                                                        const char* family) {
  std::vector<Curves> out;
  for (std::size_t i = 0; i < constants.size(); ++i) {
    try {
      out.push_back({ResidualField(constants[i].correction.curves, names),
                     ResidualField(constants[i].correction.error, names)});
    } catch (const InputError& error) {
      std::vector<Problem> problems = error.problems();
      for (Problem& problem : problems) {
        problem.path = fmt::format("profile $.{}[{}].{}", family, i, problem.path);
      }
      throw InputError(std::move(problems));
    }
  }
  return out;
}

namespace {

KernelProfile read_profile(const std::string& path) {
  KernelProfile profile;
  std::vector<Problem> problems;
  json::read(json::parse_file(path), path + ": $", profile, problems);
  if (problems.empty() && (profile.gemm.empty() || profile.prefill.empty() || profile.decode.empty() ||
                           profile.experts.empty())) {
    problems.push_back({path + ": $", "no constants for one of gemm, prefill, decode, experts",
                        "at least one entry of each", ""});
  }
  if (!problems.empty()) {
    throw InputError(std::move(problems));
  }
  return profile;
}

}  // namespace

namespace {

// The profiles of a folder, each read once a process: the curves are long, and sweeps ask for the same GPU
// again and again. Not thread-safe.
class Profiles {
 public:
  // nullptr where there is no such file.
  const KernelProfile* at(const std::string& path) {
    auto profile = read_.find(path);
    if (profile == read_.end()) {
      std::error_code error;
      if (!std::filesystem::is_regular_file(path, error)) {
        return nullptr;
      }
      profile = read_.emplace(path, read_profile(path)).first;
    }
    return &profile->second;
  }
  // In the order of their names.
  std::vector<const KernelProfile*> all(const std::string& folder) {
    std::vector<std::string> paths;
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
      if (entry.path().extension() == ".json") {
        paths.push_back(entry.path().string());
      }
    }
    std::sort(paths.begin(), paths.end());
    std::vector<const KernelProfile*> out;
    for (const std::string& path : paths) {
      if (const KernelProfile* profile = at(path)) {
        out.push_back(profile);
      }
    }
    return out;
  }

 private:
  std::map<std::string, KernelProfile> read_;
};

KernelProfile profile_for(const Gpu& gpu, const std::string& data_dir, LeaveOut leave_out,
                          Profiles& profiles) {
  KernelProfile assumed;
  assumed.source = "assumed: no profile for this architecture";
  if (gpu.kernel_profile.empty()) {
    return assumed;
  }
  const std::string folder = data_dir + "/calibrate/profiles/";
  const auto usable = [&](const KernelProfile* profile) {
    return profile != nullptr && !left_out(leave_out, profile->gpu, profile->datasheet.architecture, gpu);
  };
  // The profile that the catalogue names is the GPU's own, or a sibling's; else it is a guess as good as
  // ours.
  const KernelProfile* named = profiles.at(folder + gpu.kernel_profile + ".json");
  if (usable(named) && named->gpu == gpu.name) {
    return *named;
  }
  if (usable(named) && same_chip_family(named->datasheet, gpu)) {
    return transferred(*named, gpu);
  }
  std::vector<const KernelProfile*> measured = profiles.all(folder);
  std::erase_if(measured, [&](const KernelProfile* profile) { return !usable(profile); });
  const KernelProfile* nearest = nearest_profile(measured, gpu);
  return nearest != nullptr ? transferred(*nearest, gpu) : assumed;
}

}  // namespace

KernelModel KernelModel::for_gpu(const Gpu& gpu, const std::string& data_dir, LeaveOut leave_out) {
  static std::mutex mutex;
  static Profiles profiles;
  static std::map<std::tuple<std::string, std::string, std::string, LeaveOut>, OperationConstants> operations;
  static std::map<std::string, std::shared_ptr<const collectives::CollectiveModel>> loaded;
  const std::lock_guard lock(mutex);
  const auto key = std::tuple(data_dir, gpu.name, gpu.architecture, leave_out);
  auto constants = operations.find(key);
  if (constants == operations.end()) {
    constants = operations.emplace(key, OperationConstants::for_gpu(gpu, data_dir, leave_out)).first;
  }
  KernelModel model(gpu, profile_for(gpu, data_dir, leave_out, profiles));
  model.operations_ = constants->second;
  std::shared_ptr<const collectives::CollectiveModel>& shared = loaded[data_dir];
  if (!shared) {
    shared = std::make_shared<collectives::CollectiveModel>(collectives::CollectiveModel::load(data_dir));
  }
  model.collectives_ = shared;
  return model;
}

Precision KernelModel::compute_precision(Precision activations) const {
  // A wide format without matrix units runs on the lanes; a narrow one is widened to 16 bits.
  const bool wide = activations == Precision::fp64 || activations == Precision::fp32;
  if (gpu_.peak(activations) || wide) {
    return activations;
  }
  if (activations == Precision::tf32) {
    return Precision::fp32;
  }
  return gpu_.peak(Precision::bf16) ? Precision::bf16 : Precision::fp16;
}

double KernelModel::matrix_peak(Precision unit) const {
  const std::optional<FlopsPerSecond> peak = gpu_.peak(unit);
  // GPUs for graphics and inference have an FP64 lane for every 64 of FP32 (Ampere to Blackwell), where their
  // entry does not say it: assumed.
  constexpr double lanes_for_one_of_fp64 = 64.0;
  const double lanes = unit == Precision::fp64 ? gpu_.vector_fp32_peak.si() / lanes_for_one_of_fp64
                                               : gpu_.vector_fp32_peak.si();
  const double rate = peak ? peak->si() : lanes;
  return rate > 0.0 ? rate : 1e12;
}

double KernelModel::clock_hz() const { return gpu_.boost_clock.si() > 0.0 ? gpu_.boost_clock.si() : 1.5e9; }

std::string_view KernelModel::format_name(Precision unit, Precision weights) {
  const bool narrow_activations = bytes_per_element(unit) < 2.0;
  if (!narrow_activations && bytes_per_element(weights) <= 1.0 + 1e-3) {
    return bytes_per_element(weights) > 0.75 ? "int8_weight_only" : "int4_weight_only";
  }
  switch (unit) {
    case Precision::fp8:
      return weights == Precision::fp8_block ? "fp8_block" : "fp8";
    case Precision::fp8_block:
      return "fp8_block";
    case Precision::int8:
      return "int8";
    case Precision::nvfp4:
    case Precision::mxfp4:
    case Precision::int4:
      return "nvfp4";
    case Precision::fp64:
    case Precision::fp32:
    case Precision::tf32:
    case Precision::bf16:
    case Precision::fp16:
      return "bf16";
  }
  return "bf16";
}

const GemmConstants& KernelModel::gemm_constants(Precision unit, Precision weights) const {
  // The wanted format first, then what resembles it: a quantise pass, an expanding inner loop, plain 16 bit.
  static constexpr std::array<std::array<std::string_view, 4>, 7> kPreferences = {
      {{"bf16", "bf16", "bf16", "bf16"},
       {"fp8", "int8", "fp8_block", "bf16"},
       {"fp8_block", "fp8", "int8", "bf16"},
       {"int8", "fp8", "fp8_block", "bf16"},
       {"nvfp4", "fp8", "int8", "bf16"},
       {"int8_weight_only", "int4_weight_only", "bf16", "bf16"},
       {"int4_weight_only", "int8_weight_only", "bf16", "bf16"}}};
  const std::string_view wanted = format_name(unit, weights);
  for (const auto& preferences : kPreferences) {
    if (preferences[0] != wanted) {
      continue;
    }
    for (const std::string_view format : preferences) {
      for (const GemmConstants& constants : profile_.gemm) {
        if (constants.format == format) {
          return constants;
        }
      }
    }
  }
  return profile_.gemm.front();
}

std::string_view KernelModel::attention_format(Precision unit, Precision kv) {
  const bool narrow_unit = bytes_per_element(unit) < 2.0, narrow_kv = bytes_per_element(kv) < 2.0;
  return narrow_unit ? "fp8" : narrow_kv ? "bf16/fp8" : "bf16";
}

const PrefillConstants& KernelModel::prefill_constants(std::string_view format) const {
  for (const PrefillConstants& constants : profile_.prefill) {
    if (constants.format == format) {
      return constants;
    }
  }
  return profile_.prefill.front();
}

const DecodeConstants& KernelModel::decode_constants(std::string_view format, bool grouped) const {
  const DecodeConstants* best = &profile_.decode.front();
  for (const DecodeConstants& constants : profile_.decode) {
    if (constants.grouped == grouped) {
      if (constants.format == format) {
        return constants;
      }
      if (best->grouped != grouped) {
        best = &constants;
      }
    }
  }
  return *best;
}

const ExpertConstants& KernelModel::expert_constants(std::string_view format) const {
  const ExpertConstants* fallback = &profile_.experts.front();
  for (const ExpertConstants& constants : profile_.experts) {
    if (constants.format == format) {
      return constants;
    }
    if (constants.format == "bf16") {
      fallback = &constants;
    }
  }
  return *fallback;
}

void KernelModel::set_standing(Price& price, const FamilyError& error, bool own_constants, bool outside,
                               const Curves* curves, std::span<const double> features) const {
  // Which kernel a library picks for a shape carries over to a GPU with the same kind of chip, no further.
  const bool corrected = curves != nullptr && own_constants && (own_gpu_ || related_);
  if (corrected && !curves->correction.empty()) {
    price.correction = std::exp(curves->correction.at(features));
    price.time *= price.correction;
  }
  const bool measured = own_gpu_ && own_constants && error.rows > 0;
  price.provenance = measured                                  ? Provenance::measured
                     : error.rows > 0 && !profile_.gpu.empty() ? Provenance::physics
                                                               : Provenance::assumed;
  price.relative_error = error.median;
  price.spread80 = error.q80;
  if (corrected && !curves->error.empty() && error.median > 0.0) {
    price.relative_error = std::exp(curves->error.at(features));
    price.spread80 *= price.relative_error / error.median;
  }
  const TransferError& transfer = error.transfer;
  if (!measured && own_constants && error.rows > 0 && transfer.factor > 0.0) {
    const double unknown = 1e-6 * transfer.fixed / price.time.si();
    price.relative_error = std::max(transfer.median, transfer.factor * price.relative_error) + 0.5 * unknown;
    price.spread80 = std::max(transfer.q80, transfer.factor * price.spread80) + unknown;
  } else if (!measured) {
    widen(price, own_constants && error.rows > 0 && related_ ? kRelated : kUnrelated);
  }
  mark_range(price, outside);
}

void KernelModel::explain_standing(const Price& price, const FamilyError& error, Explanation& why) const {
  if (price.correction != 1.0) {
    why.add(fmt::format("measured shapes nearby take {:.1f} % {} than this physics: T = {:.2f} us",
                        100.0 * std::abs(price.correction - 1.0), price.correction > 1.0 ? "longer" : "less",
                        price.time.si() * 1e6));
  }
  const std::string basis =
      error.rows == 0 ? std::string("nobody measured them")
      : error.transfer.factor > 0.0
          ? fmt::format("carried over to this GPU, where measured GPUs left out show at least {:.0f} %",
                        100.0 * error.transfer.median)
          : fmt::format("held-out median error {:.1f} % over {} rows", 100.0 * error.median, error.rows);
  why.add(fmt::format("constants: profile {} ({}), {}; {}; expected here {:.0f} %{}", profile_.name,
                      profile_.gpu.empty() ? "no GPU" : profile_.gpu, json::name_of(price.provenance), basis,
                      100.0 * price.relative_error,
                      price.outside_measured_range ? ", outside the measured range" : ""));
}

BytesPerSecond KernelModel::achievable_bandwidth() const {
  return gpu_.memory_bandwidth * gemm_constants(Precision::bf16, Precision::bf16).hbm_efficiency;
}

FlopsPerSecond KernelModel::achievable_matrix_rate(Precision p) const {
  // A GEMM large enough that neither launch nor waves count.
  const Price large = price(Gemm{.m = 8192, .n = 8192, .k = 8192, .activations = p, .weights = p});
  return large.flops / large.time;
}

}  // namespace gpuplan::kernels
