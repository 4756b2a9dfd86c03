// Occupancy of a kernel's blocks by NVIDIA's rules (occupancy.h), and of its grid:
//
//   achieved = theoretical x waves / whole waves,  waves = work / (blocks an SM holds x SMs)
//
// A persistent kernel launches what fits at once and deals its tiles to that; its last round is as empty as
// the last wave of a grid would be.
#include "hwmodels/kernels/launch_shape.h"

#include <array>
#include <cmath>

#include "hwmodels/kernels/tiling.h"

namespace gpuplan::kernels {

namespace {

constexpr int kWarpGroup = 128;  // threads that issue one matrix instruction on Hopper

// Threads of a block may have so many registers each when one block takes all of an SM's; a multiple of 8.
int all_registers(const SmLimits& sm, int threads) {
  return std::min(sm.max_registers_per_thread, sm.registers / threads / 8 * 8);
}

double element_bytes(const Gpu& gpu, Precision activations) {
  return gpu.peak(activations) ? bytes_per_element(activations) : 2.0;
}

// Rows and keys of a FlashAttention tile, and its threads.
struct AttentionTile {
  double rows, keys;
  int threads;
};

// FlashAttention 2, flash_fwd_launch_template.h, causal and without dropout; the smaller tiles are those of
// SMs with 100 KB. Also for Volta, which it does not run on (assumed).
AttentionTile flash2_tile(double head_dim, bool small_sm) {
  if (head_dim <= 64.0) {
    return {128, 128, 128};
  }
  if (head_dim <= 128.0) {
    return small_sm ? AttentionTile{64, 64, 128} : AttentionTile{128, 64, 128};
  }
  return small_sm ? AttentionTile{64, 64, 128} : AttentionTile{128, 64, 256};
}

// FlashAttention 3, tile_size.h: a warp group for every 64 rows, and one that loads.
AttentionTile flash3_tile(double head_dim) {
  if (head_dim <= 64.0) {
    return {192, 128, 4 * kWarpGroup};
  }
  return {128, head_dim <= 128.0 ? 128.0 : head_dim <= 192.0 ? 112.0 : 80.0, 3 * kWarpGroup};
}

}  // namespace

LaunchShapes::LaunchShapes(const KernelModel& model, const std::string& data_dir)
    : LaunchShapes(model, sm_limits(data_dir)) {}

LaunchShapes::LaunchShapes(const KernelModel& model, const std::vector<SmLimits>& known)
    : model_(&model), sm_(sm_limits(model.gpu(), known)) {
  const std::string_view capability = sm_ ? std::string_view(sm_->capability) : "";
  generation_ = capability.starts_with("7.")                                     ? Generation::volta
                : capability.starts_with("9.")                                   ? Generation::hopper
                : capability.starts_with("10.") || capability.starts_with("11.") ? Generation::blackwell
                                                                                 : Generation::ampere;
}

std::optional<LaunchShape> LaunchShapes::shape(const KernelResources& resources, double work, bool persistent,
                                               Provenance provenance) const {
  if (!sm_) {
    return std::nullopt;
  }
  const Occupancy resident = occupancy(*sm_, resources);
  if (resident.blocks == 0) {
    return std::nullopt;
  }
  const int sms = std::max(1, model_->gpu().sm_count);
  LaunchShape result;
  result.resources = resources;
  result.work = static_cast<std::int64_t>(std::ceil(std::max(1.0, work) - 1e-9));
  const std::int64_t at_once = std::int64_t{resident.blocks} * sms;
  result.blocks = persistent ? std::min(result.work, at_once) : result.work;
  result.theoretical = resident.fraction;
  result.achieved = resident.fraction * waves(result.work, resident.blocks, sms).efficiency;
  result.limit = resident.limit;
  result.provenance = provenance;
  return result;
}

KernelResources LaunchShapes::matrix_block(double rows, double columns, double row_bytes,
                                           double column_bytes) const {
  const SmLimits& sm = *sm_;
  // A stage holds 64 elements of k at 16 bit, 128 B a row, of both operands.
  const double deep = 64.0;
  switch (generation_) {
    case Generation::hopper: {
      // CUTLASS sm90_gemm_tma_warpspecialized_cooperative.hpp: two warp groups that compute and one that
      // loads, one block an SM; 168 registers a thread at launch (65,536 / 384), dealt anew as 232 and 40.
      // Stages as many as fit (StageCountAuto). Tiles of fewer than 64 rows swap the operands.
      const double stage = deep * (std::max(64.0, rows) * row_bytes + columns * column_bytes);
      return {.threads_per_block = 3 * kWarpGroup,
              .registers_per_thread = all_registers(sm, 3 * kWarpGroup),
              .shared_per_block = Bytes(stage * std::floor(sm.max_shared_per_block / stage))};
    }
    case Generation::blackwell: {
      // CUTLASS sm100_gemm_tma_warpspecialized.hpp: a warp each to schedule, load, multiply and load C, and
      // four for the epilogue. Sums are in tensor memory: 128 registers a thread (assumed). A pair of SMs
      // has half of the rows each.
      const double own = std::max(64.0, rows > 128.0 ? 0.5 * rows : rows);
      const double stage = deep * (own * row_bytes + columns * column_bytes);
      return {.threads_per_block = 8 * 32,
              .registers_per_thread = 128,
              .shared_per_block = Bytes(stage * std::floor(sm.max_shared_per_block / stage))};
    }
    case Generation::volta:
    case Generation::ampere: {
      // cuBLAS' and CUTLASS' 128 x 128 tiles: 256 threads, two blocks an SM of an A100. A warp for every 64 x
      // 32 of the tile, 4 to 8 of them; registers: its share of the sums, and 64 for operands and addresses
      // (assumed). Stages of 32 elements of k: two on Volta, else four, or as many as fit.
      const int warps = static_cast<int>(std::clamp(rows * columns / (64.0 * 32.0), 4.0, 8.0));
      const int registers = static_cast<int>(rows * columns / (32.0 * warps)) + 64;
      const double stage = 0.5 * deep * (rows * row_bytes + columns * column_bytes);
      const double most = generation_ == Generation::volta ? 2.0 : sm.shared_memory > 128e3 ? 4.0 : 3.0;
      const double stages = std::clamp(std::floor(sm.max_shared_per_block / stage), 1.0, most);
      return {.threads_per_block = 32 * warps,
              .registers_per_thread = std::min(registers, sm.max_registers_per_thread),
              .shared_per_block = Bytes(stage * stages)};
    }
  }
  return {};
}

std::optional<LaunchShape> LaunchShapes::matrix(const TileChoice& choice, double row_bytes,
                                                double column_bytes, double times) const {
  if (!sm_) {
    return std::nullopt;
  }
  const bool warp_specialised = generation_ == Generation::hopper || generation_ == Generation::blackwell;
  return shape(matrix_block(choice.rows, choice.columns, row_bytes, column_bytes), choice.blocks * times,
               warp_specialised, warp_specialised ? Provenance::physics : Provenance::assumed);
}

std::optional<LaunchShape> LaunchShapes::stream(double elements, double element_bytes) const {
  // 256 threads with 32 registers, 16 B a thread: assumed, as element-wise kernels commonly are.
  constexpr double kThreads = 256.0, kAccess = 16.0;
  return shape({.threads_per_block = 256, .registers_per_thread = 32},
               std::ceil(elements * element_bytes / (kThreads * kAccess)), false, Provenance::assumed);
}

std::optional<LaunchShape> LaunchShapes::of(const Gemm& op) const {
  TileChoice choice;
  (void)model_->price(op, nullptr, &choice);
  const double a = element_bytes(model_->gpu(), op.activations);
  // Weights that the matrix units do not take are expanded on their way from shared memory to registers.
  return matrix(choice, a, bytes_per_element(op.weights), 1.0);
}

std::optional<LaunchShape> LaunchShapes::flash3(double head_dim, double bytes, double tiles) const {
  // Q, and two stages of K and V. Registers as launch bounds of one block leave them (168 of 384 threads).
  const AttentionTile tile = flash3_tile(head_dim);
  const double shared = (tile.rows + 4.0 * tile.keys) * head_dim * bytes;
  return shape({.threads_per_block = tile.threads,
                .registers_per_thread = all_registers(*sm_, tile.threads),
                .shared_per_block = Bytes(std::min(sm_->max_shared_per_block, shared))},
               tiles, true, Provenance::physics);
}

std::optional<LaunchShape> LaunchShapes::flash2(double head_dim, double bytes, double queries,
                                                double heads) const {
  // Q and one block of K and V. Registers: all that a thread may have (assumed; it spills a little).
  const AttentionTile tile = flash2_tile(head_dim, sm_->shared_memory < 128e3);
  return shape({.threads_per_block = tile.threads,
                .registers_per_thread = sm_->max_registers_per_thread,
                .shared_per_block = Bytes((tile.rows + 2.0 * tile.keys) * head_dim * bytes)},
               std::ceil(queries / tile.rows) * heads, false,
               generation_ == Generation::volta ? Provenance::assumed : Provenance::physics);
}

std::optional<LaunchShape> LaunchShapes::of(const AttentionPrefill& op) const {
  if (!sm_) {
    return std::nullopt;
  }
  TileChoice choice;
  (void)model_->price(op, nullptr, &choice);
  const double d = std::max(op.head_dim, op.value_dim);
  const double bytes = element_bytes(model_->gpu(), op.compute);
  switch (generation_) {
    case Generation::hopper:
      return flash3(d, bytes, choice.blocks);
    case Generation::blackwell: {
      // CUTLASS' example 77 (FMHA): 16 warps for two tiles of 128 queries, one block an SM; shared memory as
      // FlashAttention 3's (assumed).
      constexpr int kThreads = 512;
      const double shared = (256.0 + 3.0 * 128.0) * d * bytes;
      return shape({.threads_per_block = kThreads,
                    .registers_per_thread = all_registers(*sm_, kThreads),
                    .shared_per_block = Bytes(std::min(sm_->max_shared_per_block, shared))},
                   0.5 * choice.blocks, true, Provenance::assumed);
    }
    case Generation::volta:
    case Generation::ampere:
      return flash2(d, bytes, static_cast<double>(op.queries), static_cast<double>(op.batch) * op.heads);
  }
  return std::nullopt;
}

std::optional<LaunchShape> LaunchShapes::of(const FlashAttention& op) const {
  if (!sm_) {
    return std::nullopt;
  }
  using Version = FlashAttention::Version;
  const bool third =
      op.version == Version::fa3 || (op.version == Version::native && generation_ == Generation::hopper);
  const double bytes = element_bytes(model_->gpu(), op.precision), queries = static_cast<double>(op.queries);
  const double heads = static_cast<double>(op.batch) * op.heads;
  return third ? flash3(op.head_dim, bytes, std::ceil(queries / flash3_tile(op.head_dim).rows) * heads)
               : flash2(op.head_dim, bytes, queries, heads);
}

std::optional<LaunchShape> LaunchShapes::of(const AttentionDecode& op) const {
  if (!sm_) {
    return std::nullopt;
  }
  TileChoice choice;
  (void)model_->price(op, nullptr, &choice);
  if (op.latent_dim > 0) {
    // FlashMLA: two warp groups and nearly all shared memory, one block an SM; assumed off Hopper.
    return shape({.threads_per_block = 2 * kWarpGroup,
                  .registers_per_thread = all_registers(*sm_, 2 * kWarpGroup),
                  .shared_per_block = Bytes(sm_->max_shared_per_block)},
                 choice.blocks, true,
                 generation_ == Generation::hopper ? Provenance::physics : Provenance::assumed);
  }
  const double d = std::max(op.head_dim, op.value_dim);
  if (generation_ == Generation::hopper) {
    // FlashAttention 3 decodes with its prefill kernel, tiles of 128 rows: heads of a group fill them.
    return flash3(std::max(d, 96.0), 2.0, choice.blocks);
  }
  // FlashAttention 2's split-KV kernel: 64 rows, 256, 128 or 64 keys by head size, four warps. Assumed where
  // others decode (Volta, Blackwell).
  const double keys = d <= 64.0 ? 256.0 : d <= 128.0 ? 128.0 : 64.0;
  return shape(
      {.threads_per_block = 128,
       .registers_per_thread = sm_->max_registers_per_thread,
       .shared_per_block = Bytes(std::min(sm_->max_shared_per_block, (64.0 + 2.0 * keys) * d * 2.0))},
      choice.blocks, false, generation_ == Generation::ampere ? Provenance::physics : Provenance::assumed);
}

std::optional<LaunchShape> LaunchShapes::of(const Elementwise& op) const {
  const double bytes = op.elements > 0.0 ? op.written.si() / op.elements : 2.0;
  return stream(op.elements, std::clamp(bytes, 1.0, 8.0));
}

std::optional<LaunchShape> LaunchShapes::of(const Embedding& op) const {
  return stream(static_cast<double>(op.tokens) * static_cast<double>(op.hidden),
                bytes_per_element(op.precision));
}

std::optional<LaunchShape> LaunchShapes::of(const Sampling& op) const {
  // A block of 1,024 threads for each row of logits, as torch's soft-max and FlashInfer's samplers.
  return shape({.threads_per_block = 1024, .registers_per_thread = 32}, static_cast<double>(op.sequences),
               false, Provenance::assumed);
}

std::optional<LaunchShape> LaunchShapes::of(const GroupedExperts& op) const {
  TileChoice choice;
  (void)model_->price(op, nullptr, &choice);
  return matrix(choice, element_bytes(model_->gpu(), op.activations), bytes_per_element(op.weights), 1.0);
}

std::optional<LaunchShape> LaunchShapes::of(const AllReduce& op) const {
  constexpr double kLargestCustom = 8.0 * 1048576.0;  // vLLM's custom_all_reduce.py: max_size
  if (op.custom_kernel && op.bytes.si() <= kLargestCustom) {
    // vLLM's custom_all_reduce.cuh: 512 threads of 16 B each, at most 36 blocks. 40 registers assumed.
    const double blocks = std::clamp(std::ceil(op.bytes.si() / (512.0 * 16.0)), 1.0, 36.0);
    return shape({.threads_per_block = 512, .registers_per_thread = 40}, blocks, false, Provenance::physics);
  }
  // NCCL: a block for each channel, 24 of them inside a node with NVSwitch; 512 threads that move data and a
  // warp that signals; 96 registers and 80 KiB (assumed).
  return shape(
      {.threads_per_block = 544, .registers_per_thread = 96, .shared_per_block = Bytes(80.0 * 1024.0)}, 24.0,
      false, Provenance::assumed);
}

std::optional<LaunchShape> LaunchShapes::of(const StandardAttention& op) const {
  // Both products in tiles of 128 x 128; the passes between them fill the GPU as any pass.
  const auto tiles = [](std::int64_t size) { return std::ceil(static_cast<double>(size) / 128.0); };
  const double bytes = bytes_per_element(op.precision);
  return matrix({128.0, 128.0, tiles(op.queries) * tiles(op.context)}, bytes, bytes,
                static_cast<double>(op.batch) * op.heads);
}

std::optional<LaunchShape> LaunchShapes::of(const Convolution& op) const {
  const std::int64_t out = op.batch * op.out(op.height) * op.out(op.width);
  if (op.groups > 1 && op.groups == op.in_channels) {
    return stream(static_cast<double>(out * op.out_channels), bytes_per_element(op.precision));
  }
  if (op.pass != Convolution::Pass::forward) {
    return std::nullopt;  // nobody says which tiles the libraries give gradients
  }
  // The product that convolution.cpp prices, rows of all groups one below the other.
  return of(Gemm{.m = out * op.groups,
                 .n = op.out_channels / op.groups,
                 .k = std::max<std::int64_t>(8, op.in_channels / op.groups) * op.kernel * op.kernel,
                 .activations = op.precision,
                 .weights = op.precision,
                 .quantised = true});
}

std::optional<LaunchShape> LaunchShapes::of(const Copy& op) const {
  if (op.path != Copy::Path::device_to_device) {
    return std::nullopt;  // a copy engine's work
  }
  return stream(op.bytes.si(), 1.0);
}

std::optional<LaunchShape> LaunchShapes::of(const RowPass& op) const {
  // A block for each row, 16 B a thread, a warp to 1,024 threads (vLLM's layernorm_kernels.cu); 32 registers
  // assumed.
  const double threads = static_cast<double>(op.cols) * bytes_per_element(op.wide) / 16.0;
  return shape(
      {.threads_per_block = static_cast<int>(std::clamp(std::ceil(threads / 32.0) * 32.0, 32.0, 1024.0)),
       .registers_per_thread = 32},
      static_cast<double>(op.rows), false, Provenance::assumed);
}

std::optional<LaunchShape> LaunchShapes::of(const SparseGemm& op) const {
  return of(Gemm{.m = op.m,
                 .n = op.n,
                 .k = op.k,
                 .activations = op.precision,
                 .weights = op.precision,
                 .quantised = true});
}

std::optional<LaunchShape> LaunchShapes::of(const Int4Gemm& /*op*/) const {
  // Marlin: 256 threads and half of the shared memory at least (96 KiB), a block on each SM, which share the
  // work evenly.
  if (!sm_) {
    return std::nullopt;
  }
  return shape({.threads_per_block = 256,
                .registers_per_thread = sm_->max_registers_per_thread,
                .shared_per_block = Bytes(std::min(96.0 * 1024.0, sm_->max_shared_per_block))},
               model_->gpu().sm_count, true, Provenance::physics);
}

std::optional<LaunchShape> LaunchShapes::of(const Int8Linear& op) const {
  return of(Gemm{.m = op.m,
                 .n = op.n,
                 .k = op.k,
                 .activations = Precision::int8,
                 .weights = Precision::int8,
                 .quantised = true});
}

std::optional<LaunchShape> LaunchShapes::of(const TiledGemm& op) const {
  if (!sm_) {
    return std::nullopt;
  }
  const Tiling tiled = tiling(*model_, *sm_, op);
  const double tiles =
      std::ceil(static_cast<double>(op.m) / op.tile_m) * std::ceil(static_cast<double>(op.n) / op.tile_n);
  return shape({.threads_per_block = op.threads,
                .registers_per_thread = tiled.registers_per_thread,
                .shared_per_block = tiled.shared_per_block},
               tiles, false, Provenance::physics);
}

FlopsPerSecond matrix_peak(const Gpu& gpu, Precision activations) {
  for (const Precision unit : {activations, Precision::bf16, Precision::fp16}) {
    if (const std::optional<FlopsPerSecond> peak = gpu.peak(unit)) {
      return *peak;
    }
  }
  return gpu.vector_fp32_peak;
}

}  // namespace gpuplan::kernels
