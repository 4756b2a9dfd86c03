// What the kernel tests share: the catalogue's GPUs with the profiles that the product ships.
#pragma once

#include <catch2/catch.hpp>
#include <string>

#include "hwmodels/kernels/kernel_model.h"

namespace gpuplan::kernels {

inline const Catalogue& catalogue() {
  static const Catalogue loaded = Catalogue::load(GPUPLAN_SOURCE_DIR);
  return loaded;
}

inline const Gpu& gpu_named(const std::string& name) {
  const Gpu* gpu = catalogue().gpu(name);
  REQUIRE(gpu != nullptr);
  return *gpu;
}

inline KernelModel model_of(const std::string& name) {
  return KernelModel::for_gpu(gpu_named(name), GPUPLAN_SOURCE_DIR);
}

// The GPUs that profiles were fitted on.
inline const std::string kMeasuredGpus[] = {"A100-80GB-SXM4", "H100-SXM5-80GB", "H200-SXM-141GB",
                                            "B200-SXM-180GB"};

inline double microseconds(const Price& price) { return price.time.si() * 1e6; }

// All lines of an explanation, for searching in.
inline std::string text(const Explanation& why) {
  std::string all;
  for (const std::string& line : why.lines) {
    all += line + "\n";
  }
  return all;
}

}  // namespace gpuplan::kernels
