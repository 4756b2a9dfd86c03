// Prices of operations on one GPU: pure functions of shape, datasheet and fitted constants. Const and
// thread-safe; no clock, no state. Each overload lives in a file of its own beside this header:
// gemm.cpp, attention_prefill.cpp, attention_decode.cpp, elementwise.cpp, experts.cpp, all_reduce.cpp,
// launch.cpp.
#pragma once

#include <algorithm>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "hwmodels/catalogue/catalogue.h"
#include "hwmodels/kernels/operation_constants.h"
#include "hwmodels/kernels/operations.h"
#include "hwmodels/kernels/price.h"
#include "hwmodels/kernels/profile.h"
#include "hwmodels/kernels/residual.h"
#include "hwmodels/kernels/standing.h"
#include "hwmodels/kernels/transfer.h"

namespace gpuplan::collectives {
class CollectiveModel;
}

namespace gpuplan::kernels {

class KernelModel {
 public:
  KernelModel(const Gpu& gpu, KernelProfile profile);
  // With the profile that calibrate/profiles/ holds for this GPU; else with that of the nearest GPU, carried
  // over (physics, transfer.h); or with the built-in defaults where the catalogue names no profile.
  static KernelModel for_gpu(const Gpu& gpu, const std::string& data_dir,
                             LeaveOut leave_out = LeaveOut::nothing);

  [[nodiscard]] const Gpu& gpu() const { return gpu_; }
  [[nodiscard]] const KernelProfile& profile() const { return profile_; }

  [[nodiscard]] Price price(const Gemm& op, Explanation* why = nullptr, TileChoice* choice = nullptr) const;
  [[nodiscard]] Price price(const AttentionPrefill& op, Explanation* why = nullptr,
                            TileChoice* choice = nullptr) const;
  [[nodiscard]] Price price(const AttentionDecode& op, Explanation* why = nullptr,
                            TileChoice* choice = nullptr) const;
  [[nodiscard]] Price price(const Elementwise& op, Explanation* why = nullptr) const;
  [[nodiscard]] Price price(const Embedding& op, Explanation* why = nullptr) const;
  [[nodiscard]] Price price(const Sampling& op, Explanation* why = nullptr) const;
  [[nodiscard]] Price price(const GroupedExperts& op, Explanation* why = nullptr,
                            TileChoice* choice = nullptr) const;
  // `scale_up` and `switch_reduction` describe the node the GPUs sit in.
  [[nodiscard]] Price price(const AllReduce& op, ScaleUp scale_up, bool switch_reduction,
                            Explanation* why = nullptr) const;
  // Of scattered measurements (operation_constants.h): standard_attention.cpp, flash_attention.cpp,
  // convolution.cpp, copy.cpp, row_pass.cpp, sparse_gemm.cpp, int4_gemm.cpp, int8_linear.cpp.
  [[nodiscard]] Price price(const StandardAttention& op, Explanation* why = nullptr) const;
  [[nodiscard]] Price price(const FlashAttention& op, Explanation* why = nullptr) const;
  [[nodiscard]] Price price(const Convolution& op, Explanation* why = nullptr) const;
  [[nodiscard]] Price price(const Copy& op, Explanation* why = nullptr) const;
  [[nodiscard]] Price price(const RowPass& op, Explanation* why = nullptr) const;
  [[nodiscard]] Price price(const SparseGemm& op, Explanation* why = nullptr) const;
  [[nodiscard]] Price price(const Int4Gemm& op, Explanation* why = nullptr) const;
  [[nodiscard]] Price price(const Int8Linear& op, Explanation* why = nullptr) const;
  [[nodiscard]] const OperationConstants& operations() const { return operations_; }

  // Gap that each kernel adds when launched back to back: from the stream, or inside a CUDA graph.
  [[nodiscard]] Seconds launch(bool cuda_graph) const;

  // HBM bandwidth that a well-shaped streaming kernel reaches, and the best dense matrix rate.
  [[nodiscard]] BytesPerSecond achievable_bandwidth() const;
  [[nodiscard]] FlopsPerSecond achievable_matrix_rate(Precision p) const;

 private:
  // What the matrix units compute in: `activations`, or 16 bit where the GPU has no unit for them.
  [[nodiscard]] Precision compute_precision(Precision activations) const;
  [[nodiscard]] double matrix_peak(Precision unit) const;  // FLOP/s; never zero
  [[nodiscard]] double clock_hz() const;                   // never zero
  // Name of a pair of formats in the profile ("bf16", "int4_weight_only").
  [[nodiscard]] static std::string_view format_name(Precision unit, Precision weights);
  // Constants of that pair, or the nearest that the profile has.
  [[nodiscard]] const GemmConstants& gemm_constants(Precision unit, Precision weights) const;
  // "bf16", "bf16/fp8", "fp8": what attention computes in and, where it differs, how the cache is stored.
  [[nodiscard]] static std::string_view attention_format(Precision unit, Precision kv);
  [[nodiscard]] const PrefillConstants& prefill_constants(std::string_view format) const;
  [[nodiscard]] const DecodeConstants& decode_constants(std::string_view format, bool grouped) const;
  [[nodiscard]] const ExpertConstants& expert_constants(std::string_view format) const;
  // A family's correction, ready for use.
  struct Curves {
    ResidualField correction, error;
  };
  template <class Constants>
  static std::vector<Curves> curves_of(const std::vector<Constants>& constants,
                                       std::span<const std::string_view> names, const char* family);
  // Corrects `price.time` by `curves`, and gives it provenance, expected error and range. `own_constants`:
  // fitted for this very family and format; others get no correction.
  void set_standing(Price& price, const FamilyError& error, bool own_constants, bool outside,
                    const Curves* curves = nullptr, std::span<const double> features = {}) const;
  void explain_standing(const Price& price, const FamilyError& error, Explanation& why) const;

  Gpu gpu_;
  KernelProfile profile_;
  bool own_gpu_ = false;
  bool related_ = false;  // the GPU the profile was fitted on has the same kind of chip
  Power power_;
  std::vector<Curves> gemm_curves_, prefill_curves_, decode_curves_, expert_curves_;  // as in the profile
  OperationConstants operations_;
  std::shared_ptr<const collectives::CollectiveModel> collectives_;
};

}  // namespace gpuplan::kernels
