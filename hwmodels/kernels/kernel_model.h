// Prices of operations on one GPU: pure functions of shape, datasheet and fitted constants. Const and
// thread-safe; no clock, no state. Each overload lives in a file of its own beside this header:
// gemm.cpp, attention.cpp, elementwise.cpp, experts.cpp, all_reduce.cpp, launch.cpp.
#pragma once

#include <string>

#include "hwmodels/catalogue/catalogue.h"
#include "hwmodels/kernels/operations.h"
#include "hwmodels/kernels/price.h"
#include "hwmodels/kernels/profile.h"

namespace gpuplan::kernels {

class KernelModel {
 public:
  KernelModel(const Gpu& gpu, KernelProfile profile);
  // The profile that calibrate/profiles/ holds for this GPU, or its architecture's sibling (physics),
  // or the built-in defaults.
  static KernelModel for_gpu(const Gpu& gpu, const std::string& data_dir);

  [[nodiscard]] const Gpu& gpu() const { return gpu_; }
  [[nodiscard]] const KernelProfile& profile() const { return profile_; }

  [[nodiscard]] Price price(const Gemm& op, Explanation* why = nullptr) const;
  [[nodiscard]] Price price(const AttentionPrefill& op, Explanation* why = nullptr) const;
  [[nodiscard]] Price price(const AttentionDecode& op, Explanation* why = nullptr) const;
  [[nodiscard]] Price price(const Elementwise& op, Explanation* why = nullptr) const;
  [[nodiscard]] Price price(const Embedding& op, Explanation* why = nullptr) const;
  [[nodiscard]] Price price(const Sampling& op, Explanation* why = nullptr) const;
  [[nodiscard]] Price price(const GroupedExperts& op, Explanation* why = nullptr) const;
  // `scale_up` and `switch_reduction` describe the node the GPUs sit in.
  [[nodiscard]] Price price(const AllReduce& op, ScaleUp scale_up, bool switch_reduction,
                            Explanation* why = nullptr) const;

  // Gap that each kernel adds when launched back to back: from the stream, or inside a CUDA graph.
  [[nodiscard]] Seconds launch(bool cuda_graph) const;

  // HBM bandwidth that a well-shaped streaming kernel reaches, and the best dense matrix rate.
  [[nodiscard]] BytesPerSecond achievable_bandwidth() const;
  [[nodiscard]] FlopsPerSecond achievable_matrix_rate(Precision p) const;

 private:
  // Constants for weights stored in `weights`; bf16's where the profile has none.
  [[nodiscard]] const GemmConstants& gemm_constants(Precision weights) const;
  [[nodiscard]] Provenance standing(const FamilyError& error) const;
  [[nodiscard]] double expected_error(const FamilyError& error) const;

  Gpu gpu_;
  KernelProfile profile_;
};

}  // namespace gpuplan::kernels
