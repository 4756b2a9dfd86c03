// Fitted constants of the kernel models on one GPU: what a datasheet does not say. Plain data, loaded from
// calibrate/profiles/<name>.json; efficiencies are dimensionless, so that a GPU without measurements can
// borrow its architecture's sibling. Times in microseconds, bandwidths as shares of the datasheet value.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "hwmodels/json/describe.h"
#include "hwmodels/kernels/residual.h"

namespace gpuplan::kernels {

// How constants of one GPU erred on another whose measurements were left out (transfer.h).
struct TransferError {
  double factor = 0.0;  // of the errors on the GPU measured; 0: these constants were not transferred
  double median = 0.0;  // at least, absolute and relative
  double q80 = 0.0;     // at least, of the 80 % interval
  double fixed = 0.0;   // us that the interval is wider by, for fixed times nobody knows; half of it expected
};

// Errors of one model family on one GPU, on rows that the fit did not see: a random share of the rows, and
// all rows of shapes of which it saw none ("unseen").
struct FamilyError {
  double median = 0.3;  // absolute relative error
  double p90 = 0.8;
  double bias = 0.0;  // median signed relative error
  std::int64_t rows = 0;
  double unseen_median = 0.3, unseen_p90 = 0.6;
  std::int64_t unseen_rows = 0;
  double far_median = 0.5;  // on the largest tenth of the work, with curves fitted to the rest
  double q80 = 0.6;  // the 80 % interval: within a factor 1 + q80 of the prediction (82.5 % of those `rows`)
  TransferError transfer;  // set by transferred(), stored in no profile
};
template <class V>
void describe(V& v, FamilyError& s) {
  v.field("median", s.median, "held-out median absolute relative error", json::not_negative());
  v.field("p90", s.p90, "held-out 90th percentile", json::not_negative());
  v.field("bias", s.bias, "held-out median signed relative error");
  v.field("rows", s.rows, "held-out rows; 0: assumed, nothing measured", json::not_negative());
  v.field("unseen_median", s.unseen_median, "median on shapes none of whose rows was fitted",
          json::not_negative());
  v.field("unseen_p90", s.unseen_p90, "90th percentile on such shapes", json::not_negative());
  v.field("far_median", s.far_median, "median on the largest tenth of the work, curves fitted to the rest",
          json::not_negative());
  v.field("unseen_rows", s.unseen_rows, "rows of such shapes", json::not_negative());
  v.field("q80", s.q80, "the 80 % interval lies within a factor 1 + q80 of the prediction",
          json::not_negative());
}

// What measurements show beyond the physics of a family, and how far off a price is around a shape.
struct Correction {
  std::vector<ResidualGrid> curves;  // ln(measured / physics)
  std::vector<ResidualGrid> error;   // ln of the expected absolute relative error
};
template <class V>
void describe(V& v, Correction& s) {
  v.field("curves", s.curves, "ln(measured / physics) as a sum of smooth grids");
  v.field("error", s.error, "ln(expected absolute relative error)");
}

// Tile model of dense GEMM (gemm.cpp) for one format. Defaults: Hopper-like, as fitted on H200 bf16.
struct GemmConstants {
  std::string format = "bf16";  // bf16, fp8, fp8_block, int8, int8_weight_only, int4_weight_only, nvfp4
  double t0 = 2.8;              // us, launch to first byte, and the last store
  double hbm_efficiency = 0.85;
  double stream_ramp = 1.0;        // us that a long stream from HBM takes to start and drain
  double sm_ramp = 2.0;            // SMs beyond 1/ramp of all saturate HBM
  double l2_bytes_per_clock = 38;  // per SM; fits may exceed the hardware's 36 to 64: clusters share reads
  double mma_efficiency = 0.92;    // of peak in the inner loop of a very large tile
  double operand_cost = 0.3;    // share of shared-memory read time (128 B per clock) that MMA does not hide
  double step = 0.05;           // us, shortest 64-deep step of the inner loop
  double wave_overhead = 0.6;   // us per wave: prologue and epilogue
  double wave_smoothing = 0.2;  // 0: whole waves; 1: work spreads evenly (stream-K)
  double split_overhead = 1.6;  // us for a split-K reduction
  double leak = 0.17;           // of the other limits, squared over the longest: what it does not hide
  double droop = 0.185;         // loss of clock under long full load
  double droop_log10_flops = 12.4;  // where half of it is reached
  double droop_slope = 2.5;         // per decade of FLOP
  double edge_cost = 0.0;   // of a byte of a row beyond the last, fetched for nothing, against L2's others
  bool deep_gemm = false;   // tiles as DeepGEMM chooses them (block-scaled fp8 on Hopper)
  bool pair_tiles = false;  // tiles of 256 x 256, computed by a pair of SMs (Blackwell)
  double quantise = 0.0;    // us, fixed part of a dynamic quantise pass over A; 0 for 16-bit A
  double quantise_share = 0.5;  // share of bandwidth of that pass
  FamilyError error;
  Correction correction;
};
template <class V>
void describe(V& v, GemmConstants& s) {
  v.field("format", s.format, "formats of activations and weights", json::required);
  v.field("t0", s.t0, "fixed time (us)", json::not_negative());
  v.field("hbm_efficiency", s.hbm_efficiency, "share of datasheet bandwidth when streaming",
          json::positive());
  v.field("stream_ramp", s.stream_ramp, "start and drain of a long stream from HBM (us)",
          json::not_negative());
  v.field("sm_ramp", s.sm_ramp, "SMs beyond 1/ramp of all saturate HBM", json::positive());
  v.field("l2_bytes_per_clock", s.l2_bytes_per_clock, "L2 bandwidth per SM and clock (B)", json::positive());
  v.field("mma_efficiency", s.mma_efficiency, "share of peak in the inner loop of a large tile",
          json::positive());
  v.field("operand_cost", s.operand_cost, "share of operand reads that MMA does not hide",
          json::not_negative());
  v.field("step", s.step, "shortest 64-deep step of the inner loop (us)", json::not_negative());
  v.field("wave_overhead", s.wave_overhead, "per wave (us)", json::not_negative());
  v.field("wave_smoothing", s.wave_smoothing, "0: whole waves, 1: work spreads evenly", json::fraction());
  v.field("split_overhead", s.split_overhead, "of a split-K reduction (us)", json::not_negative());
  v.field("leak", s.leak, "of the other limits, squared over the longest: what it does not hide",
          json::fraction());
  v.field("droop", s.droop, "clock lost under long full load", json::not_negative());
  v.field("droop_log10_flops", s.droop_log10_flops, "where half of the droop is reached");
  v.field("droop_slope", s.droop_slope, "steepness of the droop per decade of FLOP", json::positive());
  v.field("edge_cost", s.edge_cost, "of a byte of a row beyond the last one, against others that L2 delivers",
          json::not_negative());
  v.field("deep_gemm", s.deep_gemm, "tiles as DeepGEMM chooses them");
  v.field("pair_tiles", s.pair_tiles, "tiles of 256 x 256, computed by a pair of SMs");
  v.field("quantise", s.quantise, "fixed part of the quantise pass over A (us)", json::not_negative());
  v.field("quantise_share", s.quantise_share, "share of bandwidth of the quantise pass", json::positive());
  v.field("error", s.error, "held-out errors");
  v.field("correction", s.correction, "what measurements show beyond the physics");
}

// FlashAttention tiles over a prompt (attention_prefill.cpp), for one pair of formats.
struct PrefillConstants {
  std::string format = "bf16";  // computed in; "/fp8" behind it: KV cache in fp8
  double t0 = 10.0;             // us: rotary, KV write and attention kernels
  double pass_share = 0.7;      // share of bandwidth of the rotary and KV write pass
  double kv_pass = 1.0;         // what a byte of K or V counts in it, against one of Q
  double tile_rows = 128;       // queries a tile
  double efficiency = 0.62;     // of peak inside a tile, head sizes up to 128
  double large_head = 0.9;      // of that efficiency, head sizes above 128
  double block_overhead = 0.2;  // us per tile of 128 keys: soft-max
  double window_blocks = 0.5;   // blocks more a tile where a sliding window masks
  double tile_overhead = 1.0;   // us per tile of queries: prologue, epilogue
  double imbalance = 0.3;       // share of the longest tile that waits for it at the end
  double hbm_efficiency = 0.7;
  double droop = 0.05;              // loss of clock under long full load
  double droop_log10_flops = 12.5;  // where half of it is reached
  FamilyError error;
  Correction correction;
};
template <class V>
void describe(V& v, PrefillConstants& s) {
  v.field("format", s.format, "computed in, and /fp8 where the KV cache is in fp8", json::required);
  v.field("t0", s.t0, "fixed time (us)", json::not_negative());
  v.field("pass_share", s.pass_share, "share of bandwidth of the rotary and KV write pass", json::positive());
  v.field("kv_pass", s.kv_pass, "weight of a byte of K or V in it", json::not_negative());
  v.field("window_blocks", s.window_blocks, "blocks more a tile where a window masks", json::not_negative());
  v.field("tile_rows", s.tile_rows, "queries a tile", json::positive());
  v.field("efficiency", s.efficiency, "share of peak inside a tile", json::positive());
  v.field("large_head", s.large_head, "of that efficiency, head sizes above 128", json::positive());
  v.field("block_overhead", s.block_overhead, "per 128 keys of a tile (us)", json::not_negative());
  v.field("tile_overhead", s.tile_overhead, "per tile of queries (us)", json::not_negative());
  v.field("imbalance", s.imbalance, "share of the longest tile that the end waits for", json::not_negative());
  v.field("hbm_efficiency", s.hbm_efficiency, "share of datasheet bandwidth", json::positive());
  v.field("droop", s.droop, "clock lost under long full load", json::not_negative());
  v.field("droop_log10_flops", s.droop_log10_flops, "where half of the droop is reached");
  v.field("error", s.error, "held-out errors");
  v.field("correction", s.correction, "what measurements show beyond the physics");
}

// Split-KV decode attention (attention_decode.cpp), for one pair of formats and one kind of heads.
struct DecodeConstants {
  std::string format = "bf16";  // computed in; "/fp8" behind it: KV cache in fp8
  bool grouped = true;          // several query heads a KV head (another kernel than one to one)
  double t0 = 5.0;              // us: rotary and KV write, attention
  double hbm_efficiency = 0.88;
  double sm_ramp = 1.5;         // SMs beyond 1/ramp of all saturate HBM
  double wave = 3.0;            // us per wave of CTAs, however short the context
  double wave_smoothing = 0.2;  // 0: whole waves; 1: as if CTAs were divisible
  double split_tokens = 128;    // least tokens of a split
  double target_waves = 8.0;    // splits stop growing at so many waves
  double split_below = 4.0;     // waves of unsplit CTAs above which nothing is split
  double split_overhead = 2.0;  // us: reduction over splits
  double group_cost = 0.1;      // a wave takes longer by this share for every 8 query heads beyond 8
  double split_wave = 0.5;      // us more per wave while splitting
  double leak = 0.5;            // share of the shorter of waves and HBM that the longer does not hide
  double repeat_share = 0.0;    // KV bytes that a repeated measurement found in L2; no part of a model's step
  FamilyError error;
  Correction correction;
};
template <class V>
void describe(V& v, DecodeConstants& s) {
  v.field("format", s.format, "computed in, and /fp8 where the KV cache is in fp8", json::required);
  v.field("grouped", s.grouped, "several query heads a KV head");
  v.field("t0", s.t0, "fixed time (us)", json::not_negative());
  v.field("hbm_efficiency", s.hbm_efficiency, "share of datasheet bandwidth", json::positive());
  v.field("sm_ramp", s.sm_ramp, "SMs beyond 1/ramp of all saturate HBM", json::positive());
  v.field("wave", s.wave, "per wave of CTAs (us)", json::not_negative());
  v.field("wave_smoothing", s.wave_smoothing, "0: whole waves, 1: divisible", json::fraction());
  v.field("split_tokens", s.split_tokens, "least tokens of a split", json::positive());
  v.field("target_waves", s.target_waves, "splits stop growing at so many waves", json::positive());
  v.field("split_below", s.split_below, "unsplit waves above which nothing is split", json::not_negative());
  v.field("split_overhead", s.split_overhead, "reduction over splits (us)", json::not_negative());
  v.field("leak", s.leak, "share of the shorter limit that the longer does not hide", json::fraction());
  v.field("group_cost", s.group_cost, "longer wave for every 8 query heads beyond 8 (share)",
          json::not_negative());
  v.field("split_wave", s.split_wave, "per wave of split CTAs, more (us)", json::not_negative());
  v.field("repeat_share", s.repeat_share, "KV bytes that a repeated measurement finds in L2",
          json::fraction());
  v.field("error", s.error, "held-out errors");
  v.field("correction", s.correction, "what measurements show beyond the physics");
}

// Passes limited by memory: floor + bytes / (bandwidth x share). Nobody measured them in the tables that the
// other families are fitted to; the defaults are read from other measurements (`source`) and count as
// assumed.
struct PassConstants {
  std::string source =
      "assumed: floor of a small kernel in a CUDA graph; shares between what A100 measurements show "
      "(LLMCompass "
      "artifact, differences between large tensors: layer norm 0.86, GELU 0.79, softmax 0.63; Vidur's "
      "operator "
      "tables: RMS norm 0.33, SwiGLU 0.51, rotary 0.46, add 0.93; STREAM copy 0.85, triad 0.88)";
  double floor = 2.5;  // us inside a CUDA graph
  double norm = 0.60, activation = 0.65, rotary = 0.55, residual = 0.88, copy = 0.85, quantise = 0.65;
  double embedding = 0.5;
  double sampling_floor = 25.0;  // us: soft-max, masks and arg-max kernels
  double sampling = 0.5;
  FamilyError error;
};
template <class V>
void describe(V& v, PassConstants& s) {
  v.field("source", s.source, "where the constants come from");
  v.field("floor", s.floor, "fixed time inside a CUDA graph (us)", json::not_negative());
  v.field("norm", s.norm, "share of bandwidth: layer and RMS norm", json::positive());
  v.field("activation", s.activation, "share of bandwidth: GELU, SwiGLU", json::positive());
  v.field("rotary", s.rotary, "share of bandwidth: rotary embedding and KV write", json::positive());
  v.field("residual", s.residual, "share of bandwidth: residual add", json::positive());
  v.field("copy", s.copy, "share of bandwidth: copy", json::positive());
  v.field("quantise", s.quantise, "share of bandwidth: quantise", json::positive());
  v.field("embedding", s.embedding, "share of bandwidth: gather of rows", json::positive());
  v.field("sampling_floor", s.sampling_floor, "fixed time of the sampler's kernels (us)",
          json::not_negative());
  v.field("sampling", s.sampling, "share of bandwidth: passes over the logits", json::positive());
  v.field("error", s.error, "held-out errors; rows == 0: assumed");
}

// Grouped expert GEMMs with routing, permutation and activation (experts.cpp), for one format.
struct ExpertConstants {
  std::string format = "bf16";  // as of GemmConstants
  double t0 = 20.0;             // us: routing, permutation, both GEMMs, sum
  double hbm_efficiency = 0.7;
  double tile_efficiency = 0.7;  // of peak in a very tall tile
  double half_tile = 32.0;       // rows of a tile at which half of it is reached
  double wave = 1.0;             // us per wave of tiles
  double pass_share = 0.4;       // share of bandwidth of permutation and activation passes
  double leak = 0.2;             // share of the shorter of compute and HBM that the longer does not hide
  double skew_cost = 0.0;        // compute grows by this share per doubling of the imbalance
  FamilyError error;
  Correction correction;
};
template <class V>
void describe(V& v, ExpertConstants& s) {
  v.field("format", s.format, "formats of activations and weights", json::required);
  v.field("t0", s.t0, "fixed time (us)", json::not_negative());
  v.field("hbm_efficiency", s.hbm_efficiency, "share of datasheet bandwidth", json::positive());
  v.field("tile_efficiency", s.tile_efficiency, "share of peak in a very tall tile", json::positive());
  v.field("half_tile", s.half_tile, "rows of a tile at which half of it is reached", json::not_negative());
  v.field("wave", s.wave, "per wave of tiles (us)", json::not_negative());
  v.field("pass_share", s.pass_share, "share of bandwidth of permutation and activation", json::positive());
  v.field("leak", s.leak, "share of the shorter limit that the longer does not hide", json::fraction());
  v.field("skew_cost", s.skew_cost, "compute grows by this share per doubling of imbalance",
          json::not_negative());
  v.field("error", s.error, "held-out errors");
  v.field("correction", s.correction, "what measurements show beyond the physics");
}

// The datasheet values of the GPU that the constants were fitted with. A GPU that differs in any of them
// (another GPU, or a what-if) gets physics with borrowed constants.
struct FittedDatasheet {
  std::string architecture;  // first word of the catalogue's: "Hopper"
  int sm_count = 0;
  double boost_clock = 0.0;         // Hz
  double bf16_peak = 0.0;           // FLOP/s, dense
  double memory_bandwidth = 0.0;    // B/s
  double l2 = 0.0;                  // B
  double scale_up_bandwidth = 0.0;  // B/s per direction
  double tdp = 0.0;                 // W
};
template <class V>
void describe(V& v, FittedDatasheet& s) {
  v.field("architecture", s.architecture, "first word of the catalogue's (Hopper)");
  v.field("sm_count", s.sm_count, "SMs", json::not_negative());
  v.field("boost_clock", s.boost_clock, "Hz", json::not_negative());
  v.field("bf16_peak", s.bf16_peak, "dense bf16 peak (FLOP/s)", json::not_negative());
  v.field("memory_bandwidth", s.memory_bandwidth, "B/s", json::not_negative());
  v.field("l2", s.l2, "bytes", json::not_negative());
  v.field("scale_up_bandwidth", s.scale_up_bandwidth, "per direction (B/s)", json::not_negative());
  v.field("tdp", s.tdp, "W", json::not_negative());
}

struct KernelProfile {
  std::string name = "default";
  std::string gpu;     // catalogue name of the GPU it was measured on; empty: none, all values assumed
  std::string source;  // data, rows, split
  FittedDatasheet datasheet;
  std::vector<GemmConstants> gemm = {GemmConstants{}};
  std::vector<PrefillConstants> prefill = {PrefillConstants{}};
  std::vector<DecodeConstants> decode = {DecodeConstants{}};
  int widest_group = 32;  // query heads a KV head that the grouped decode kernel takes
  bool xqa = false;       // decode kernels are chosen and split as by TensorRT-LLM before Blackwell
  PassConstants passes;
  std::vector<ExpertConstants> experts = {ExpertConstants{}};
  double launch_stream = 2.43;  // us between kernels launched one by one
  double launch_graph = 1.23;   // us between kernels of a CUDA graph
  std::string launch_source = "gpu-benches (RRZE-HPC, 1038c5d) on H200; assumed for other GPUs";
};
template <class V>
void describe(V& v, KernelProfile& s) {
  v.field("name", s.name, "profile name", json::required);
  v.field("gpu", s.gpu, "catalogue name of the GPU measured");
  v.field("source", s.source, "data the constants were fitted to, and how it was split", json::required);
  v.field("datasheet", s.datasheet, "datasheet values that the fit used");
  v.field("gemm", s.gemm, "dense GEMM by format");
  v.field("prefill", s.prefill, "prefill attention by format");
  v.field("decode", s.decode, "decode attention by format and kind of heads");
  v.field("widest_group", s.widest_group, "query heads a KV head that the grouped decode kernel takes",
          json::at_least(1));
  v.field("xqa", s.xqa, "decode kernels chosen and split as by TensorRT-LLM before Blackwell");
  v.field("passes", s.passes, "memory-bound passes");
  v.field("experts", s.experts, "grouped expert GEMMs by format");
  v.field("launch_stream", s.launch_stream, "between kernels launched one by one (us)", json::not_negative());
  v.field("launch_source", s.launch_source, "where the two launch times come from");
  v.field("launch_graph", s.launch_graph, "between kernels of a CUDA graph (us)", json::not_negative());
}

// Whether decode attention runs in the kernel that shares K and V among the query heads of a group.
bool decodes_grouped(const KernelProfile& profile, int sm_count, const AttentionDecode& op);

}  // namespace gpuplan::kernels
