#include <algorithm>
#include <array>
#include <filesystem>

#include "hwmodels/kernels/kernel_model.h"

namespace gpuplan::kernels {

namespace {
constexpr std::array<std::string_view, kLimiters> kLimiterNames = {
    "compute", "hbm_bandwidth", "l2_bandwidth", "latency", "launch", "link_bandwidth"};
constexpr std::array<std::string_view, 4> kProvenanceNames = {"datasheet", "physics", "measured", "assumed"};
}  // namespace

std::span<const std::string_view> enum_names(Limiter /*tag*/) { return kLimiterNames; }
std::span<const std::string_view> enum_names(Provenance /*tag*/) { return kProvenanceNames; }

KernelModel::KernelModel(const Gpu& gpu, KernelProfile profile) : gpu_(gpu), profile_(std::move(profile)) {}

KernelModel KernelModel::for_gpu(const Gpu& gpu, const std::string& data_dir) {
  KernelProfile profile;
  profile.source = "assumed: no profile for this architecture";
  if (!gpu.kernel_profile.empty()) {
    const std::string path = data_dir + "/calibrate/profiles/" + gpu.kernel_profile + ".json";
    std::error_code error;
    if (std::filesystem::exists(path, error)) {
      std::vector<Problem> problems;
      json::read(json::parse_file(path), path + ": $", profile, problems);
      if (!problems.empty()) {
        throw InputError(std::move(problems));
      }
    }
  }
  return {gpu, std::move(profile)};
}

Provenance KernelModel::standing(const FamilyError& error) const {
  if (error.rows == 0) {
    return Provenance::assumed;
  }
  return profile_.gpu == gpu_.name ? Provenance::measured : Provenance::physics;
}

double KernelModel::expected_error(const FamilyError& error) const {
  // A borrowed profile has been seen to be about twice as wrong as on its own GPU (assumed factor).
  return error.rows > 0 && profile_.gpu != gpu_.name ? 2.0 * error.median : error.median;
}

Seconds KernelModel::launch(bool cuda_graph) const {
  return Seconds(1e-6 * (cuda_graph ? profile_.launch_graph : profile_.launch_stream));
}

const GemmConstants& KernelModel::gemm_constants(Precision weights) const {
  std::string_view wanted = kPrecisionNames[static_cast<std::size_t>(weights)];
  if (weights == Precision::fp16) {
    wanted = "bf16";
  }
  const GemmConstants* fallback = &profile_.gemm.front();
  for (const GemmConstants& constants : profile_.gemm) {
    if (constants.dtype == wanted) {
      return constants;
    }
    if (constants.dtype == "bf16") {
      fallback = &constants;
    }
  }
  return *fallback;
}

BytesPerSecond KernelModel::achievable_bandwidth() const {
  return gpu_.memory_bandwidth * gemm_constants(Precision::bf16).hbm_efficiency;
}

FlopsPerSecond KernelModel::achievable_matrix_rate(Precision p) const {
  const GemmConstants& c = gemm_constants(p);
  return gpu_.peak(p).value_or(gpu_.vector_fp32_peak) * (c.tile_efficiency / (1.0 + c.droop));
}

}  // namespace gpuplan::kernels
