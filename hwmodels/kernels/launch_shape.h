// How the kernel behind a price fills the GPU: threads, registers and shared memory of a block, blocks of the
// grid, occupancy. Explains a kernel as a profiler would; prices nothing.
//
// Resources are those that the usual library of the architecture asks for (CUTLASS and cuBLAS, FlashAttention
// 2 and 3, the custom all-reduce of inference engines), read in their sources where a comment says so, else
// assumed; the grid follows the tiles and splits that the price rests on. Known to be wrong for: what a
// library's heuristic picks otherwise, and operations of several kernels, of which the longest stands for
// all.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include "hwmodels/kernels/kernel_model.h"
#include "hwmodels/kernels/occupancy.h"

namespace gpuplan::kernels {

struct LaunchShape {
  KernelResources resources;
  std::int64_t work = 0;     // tiles, splits or rows: one a block, or several one after the other
  std::int64_t blocks = 0;   // of the grid: `work`, or what fits at once where the kernel is persistent
  double theoretical = 0.0;  // share of an SM's warps that the blocks which fit on it have
  double achieved = 0.0;  // that times how full the waves of the grid are; an SM without a block counts as 0
  SmResource limit = SmResource::warps;         // of the blocks on an SM
  Provenance provenance = Provenance::assumed;  // physics: resources read in a library's source
};

class LaunchShapes {
 public:
  // `model` must outlive this. InputError where the table of compute capabilities is broken.
  LaunchShapes(const KernelModel& model, const std::string& data_dir);
  // `known`: every compute capability (occupancy.h).
  LaunchShapes(const KernelModel& model, const std::vector<SmLimits>& known);

  // Nothing where the GPU's compute capability is unknown, where the kernel does not fit its SM, or where no
  // SM takes part (copies between host and device).
  [[nodiscard]] std::optional<LaunchShape> of(const Gemm& op) const;
  [[nodiscard]] std::optional<LaunchShape> of(const AttentionPrefill& op) const;
  [[nodiscard]] std::optional<LaunchShape> of(const AttentionDecode& op) const;
  [[nodiscard]] std::optional<LaunchShape> of(const Elementwise& op) const;
  [[nodiscard]] std::optional<LaunchShape> of(const Embedding& op) const;
  [[nodiscard]] std::optional<LaunchShape> of(const Sampling& op) const;
  [[nodiscard]] std::optional<LaunchShape> of(const GroupedExperts& op) const;
  [[nodiscard]] std::optional<LaunchShape> of(const AllReduce& op) const;
  [[nodiscard]] std::optional<LaunchShape> of(const StandardAttention& op) const;
  // Of the forward kernel.
  [[nodiscard]] std::optional<LaunchShape> of(const FlashAttention& op) const;
  [[nodiscard]] std::optional<LaunchShape> of(const Convolution& op) const;
  [[nodiscard]] std::optional<LaunchShape> of(const Copy& op) const;
  [[nodiscard]] std::optional<LaunchShape> of(const RowPass& op) const;
  [[nodiscard]] std::optional<LaunchShape> of(const SparseGemm& op) const;
  [[nodiscard]] std::optional<LaunchShape> of(const Int4Gemm& op) const;
  [[nodiscard]] std::optional<LaunchShape> of(const Int8Linear& op) const;
  [[nodiscard]] std::optional<LaunchShape> of(const TiledGemm& op) const;

 private:
  enum class Generation { volta, ampere, hopper, blackwell };

  [[nodiscard]] std::optional<LaunchShape> shape(const KernelResources& resources, double work,
                                                 bool persistent, Provenance provenance) const;
  // A block that computes a tile of rows x columns; operands of so many bytes an element.
  [[nodiscard]] KernelResources matrix_block(double rows, double columns, double row_bytes,
                                             double column_bytes) const;
  [[nodiscard]] std::optional<LaunchShape> matrix(const TileChoice& choice, double row_bytes,
                                                  double column_bytes, double times) const;
  // FlashAttention 3 (a block an SM), or 2, over `tiles` tiles of queries.
  [[nodiscard]] std::optional<LaunchShape> flash3(double head_dim, double bytes, double tiles) const;
  [[nodiscard]] std::optional<LaunchShape> flash2(double head_dim, double bytes, double queries,
                                                  double heads) const;
  // A grid of passes over `elements`, 16 B a thread.
  [[nodiscard]] std::optional<LaunchShape> stream(double elements, double element_bytes) const;

  const KernelModel* model_;
  std::optional<SmLimits> sm_;
  Generation generation_ = Generation::ampere;
};

// Datasheet rate of the matrix units at the format of `activations`, or at 16 bit where they do not know it.
FlopsPerSecond matrix_peak(const Gpu& gpu, Precision activations);

// Datasheet rate of the unit that computes `op`, which a share of peak is a share of: matrix units, or vector
// units at fp32 for passes and copies.
template <class Operation>
FlopsPerSecond computing_peak(const Gpu& gpu, const Operation& op) {
  if constexpr (requires { op.activations; }) {
    return matrix_peak(gpu, op.activations);
  } else if constexpr (requires { op.compute; }) {
    return matrix_peak(gpu, op.compute);
  } else if constexpr (std::is_same_v<Operation, SparseGemm>) {  // whose FLOP are those of the dense product
    return matrix_peak(gpu, op.precision) * std::max(1.0, gpu.sparse_factor);
  } else if constexpr (std::is_same_v<Operation, Convolution>) {
    const bool depthwise = op.groups > 1 && op.groups == op.in_channels;
    return depthwise ? gpu.vector_fp32_peak : matrix_peak(gpu, op.precision);
  } else if constexpr (std::is_same_v<Operation, StandardAttention> ||
                       std::is_same_v<Operation, FlashAttention> || std::is_same_v<Operation, TiledGemm>) {
    return matrix_peak(gpu, op.precision);
  } else if constexpr (std::is_same_v<Operation, Int4Gemm>) {
    return matrix_peak(gpu, Precision::fp16);
  } else if constexpr (std::is_same_v<Operation, Int8Linear>) {
    return matrix_peak(gpu, Precision::int8);
  } else {
    return gpu.vector_fp32_peak;
  }
}

}  // namespace gpuplan::kernels
