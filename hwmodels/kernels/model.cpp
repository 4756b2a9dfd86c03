#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <map>
#include <mutex>

#include "hwmodels/kernels/kernel_model.h"
#include "hwmodels/kernels/standing.h"

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

Power power_of(const FittedDatasheet& fitted, const Gpu& gpu) {
  const double peak = gpu.peak(Precision::bf16).value_or(FlopsPerSecond(0.0)).si();
  if (fitted.tdp <= 0.0 || fitted.bf16_peak <= 0.0 || gpu.tdp.si() <= 0.0 || peak <= 0.0) {
    return {};
  }
  return {std::sqrt(gpu.tdp.si() / peak / (fitted.tdp / fitted.bf16_peak))};
}

// How much wider errors are with constants of another GPU, from pricing each measured GPU's tables with the
// profiles of the others, and records of other libraries on other boards. Same architecture (H100 and H200,
// both ways): medians grow by 1.0 to 1.3 and stay below 12 %; dense GEMM on the PCIe cards of A100 and H100:
// 4 and 9 %, and four of five rows within the spread stated. Another architecture (Hopper and Blackwell, both
// ways): 10 to 13 % for GEMM and prefill, 15 to 29 % for decode, 2 to 6 times the own error; Ampere's
// constants on Hopper: 28 to 57 %. GPUs without a profile (assumed) are treated as the latter.
constexpr Borrowed kSameArchitecture = {1.3, 0.06};
constexpr Borrowed kOtherArchitecture = {3.0, 0.25};

}  // namespace

std::span<const std::string_view> enum_names(Limiter /*tag*/) { return kLimiterNames; }
std::span<const std::string_view> enum_names(Provenance /*tag*/) { return kProvenanceNames; }

KernelModel::KernelModel(const Gpu& gpu, KernelProfile profile)
    : gpu_(gpu),
      profile_(std::move(profile)),
      own_gpu_(fitted_on(profile_, gpu_)),
      same_architecture_(!profile_.datasheet.architecture.empty() &&
                         gpu_.architecture.starts_with(profile_.datasheet.architecture)),
      power_(power_of(profile_.datasheet, gpu_)),
      gemm_curves_(curves_of(profile_.gemm, kGemmFeatures, "gemm")),
      prefill_curves_(curves_of(profile_.prefill, kPrefillFeatures, "prefill")),
      decode_curves_(curves_of(profile_.decode, kDecodeFeatures, "decode")),
      expert_curves_(curves_of(profile_.experts, kExpertFeatures, "experts")) {}

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
                           profile.all_reduce.empty() || profile.experts.empty())) {
    problems.push_back({path + ": $", "no constants for one of gemm, prefill, decode, all_reduce, experts",
                        "at least one entry of each", ""});
  }
  if (!problems.empty()) {
    throw InputError(std::move(problems));
  }
  return profile;
}

}  // namespace

KernelModel KernelModel::for_gpu(const Gpu& gpu, const std::string& data_dir) {
  const std::string path = data_dir + "/calibrate/profiles/" + gpu.kernel_profile + ".json";
  std::error_code error;
  const bool exists = !gpu.kernel_profile.empty() && std::filesystem::exists(path, error);
  // Read once a process: the curves are long, and sweeps ask for the same GPU again and again.
  static std::mutex mutex;
  static std::map<std::string, KernelProfile> profiles;
  static std::map<std::array<std::string, 3>, OperationConstants> operations;
  const std::lock_guard lock(mutex);
  const std::array<std::string, 3> key = {data_dir, gpu.name, gpu.architecture};
  auto constants = operations.find(key);
  if (constants == operations.end()) {
    constants = operations.emplace(key, OperationConstants::for_gpu(gpu, data_dir)).first;
  }
  auto profile = profiles.find(exists ? path : "");
  if (profile == profiles.end()) {
    KernelProfile assumed;
    assumed.source = "assumed: no profile for this architecture";
    profile = profiles.emplace(exists ? path : "", exists ? read_profile(path) : assumed).first;
  }
  KernelModel model(gpu, profile->second);
  model.operations_ = constants->second;
  return model;
}

Precision KernelModel::compute_precision(Precision activations) const {
  if (gpu_.peak(activations)) {
    return activations;
  }
  return gpu_.peak(Precision::bf16) ? Precision::bf16 : Precision::fp16;
}

double KernelModel::matrix_peak(Precision unit) const {
  const std::optional<FlopsPerSecond> peak = gpu_.peak(unit);
  const double rate = peak ? peak->si() : gpu_.vector_fp32_peak.si();
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
  // Which kernel a library picks for a shape carries over to a GPU of the same architecture, no further.
  const bool corrected = curves != nullptr && own_constants && (own_gpu_ || same_architecture_);
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
  if (!measured) {
    const bool related = own_constants && error.rows > 0 && same_architecture_;
    widen(price, related ? kSameArchitecture : kOtherArchitecture);
  }
  mark_range(price, outside);
}

void KernelModel::explain_standing(const Price& price, const FamilyError& error, Explanation& why) const {
  if (price.correction != 1.0) {
    why.add(fmt::format("measured shapes nearby take {:.1f} % {} than this physics: T = {:.2f} us",
                        100.0 * std::abs(price.correction - 1.0), price.correction > 1.0 ? "longer" : "less",
                        price.time.si() * 1e6));
  }
  const std::string basis = error.rows > 0 ? fmt::format("held-out median error {:.1f} % over {} rows",
                                                         100.0 * error.median, error.rows)
                                           : std::string("nobody measured them");
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
