// Fitted constants of the kernel models on one GPU: what a datasheet does not say. Plain data, loaded from
// calibrate/profiles/<name>.json; efficiencies are dimensionless, so that a GPU without measurements can
// borrow its architecture's sibling. Times in microseconds, bandwidths as shares of the datasheet value.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "hwmodels/json/describe.h"

namespace gpuplan::kernels {

// Held-out errors of one model family on one GPU, and the range its constants were fitted in.
struct FamilyError {
  double median = 0.3;  // absolute relative error
  double p90 = 0.8;
  double bias = 0.0;  // median signed relative error
  std::int64_t rows = 0;
};
template <class V>
void describe(V& v, FamilyError& s) {
  v.field("median", s.median, "held-out median absolute relative error", json::not_negative());
  v.field("p90", s.p90, "held-out 90th percentile", json::not_negative());
  v.field("bias", s.bias, "held-out median signed relative error");
  v.field("rows", s.rows, "held-out rows; 0: assumed, nothing measured", json::not_negative());
}

// Tile model of dense GEMM (gemm.cpp) for one format.
struct GemmConstants {
  std::string dtype = "bf16";  // bf16, fp8, fp8_block, int8, int4, nvfp4
  double t0 = 2.8;             // us, launch to first byte
  double hbm_efficiency = 0.80;
  double l2_share = 2.8;  // L2 bandwidth over HBM bandwidth
  double tile_efficiency = 0.90;
  double tile_overhead = 0.3;   // us per wave: prologue and epilogue
  double split_overhead = 1.6;  // us for a split-K reduction
  double droop = 0.185;         // loss of clock under long full load
  double droop_log10_flops = 12.9;
  double sm_ramp = 2.0;     // SMs beyond 1/ramp of all saturate HBM
  double small_tile = 0.8;  // efficiency of the smallest tile relative to the largest
  double quantise = 0.0;    // us, fixed part of a dynamic quantise pass over A
  FamilyError error;
};
template <class V>
void describe(V& v, GemmConstants& s) {
  v.field("dtype", s.dtype, "format of the weights", json::required);
  v.field("t0", s.t0, "fixed time (us)", json::not_negative());
  v.field("hbm_efficiency", s.hbm_efficiency, "share of datasheet bandwidth when streaming",
          json::positive());
  v.field("l2_share", s.l2_share, "L2 bandwidth over datasheet HBM bandwidth", json::positive());
  v.field("tile_efficiency", s.tile_efficiency, "share of peak inside a large tile", json::positive());
  v.field("tile_overhead", s.tile_overhead, "per wave (us)", json::not_negative());
  v.field("split_overhead", s.split_overhead, "of a split-K reduction (us)", json::not_negative());
  v.field("droop", s.droop, "clock lost under long full load", json::not_negative());
  v.field("droop_log10_flops", s.droop_log10_flops, "where half of the droop is reached");
  v.field("sm_ramp", s.sm_ramp, "SMs beyond 1/ramp of all saturate HBM", json::positive());
  v.field("small_tile", s.small_tile, "efficiency of the smallest tile over the largest's", json::positive());
  v.field("quantise", s.quantise, "fixed part of the quantise pass over A (us)", json::not_negative());
  v.field("error", s.error, "held-out errors");
}

struct PrefillConstants {
  double t0 = 10.0;             // us
  double efficiency = 0.62;     // of peak inside a tile
  double tile_overhead = 0.05;  // us per 128 x 128 tile
  double hbm_efficiency = 0.7;
  FamilyError error;
};
template <class V>
void describe(V& v, PrefillConstants& s) {
  v.field("t0", s.t0, "fixed time (us)", json::not_negative());
  v.field("efficiency", s.efficiency, "share of peak inside a tile", json::positive());
  v.field("tile_overhead", s.tile_overhead, "per 128 x 128 tile (us)", json::not_negative());
  v.field("hbm_efficiency", s.hbm_efficiency, "share of datasheet bandwidth", json::positive());
  v.field("error", s.error, "held-out errors");
}

struct DecodeConstants {
  double t0 = 7.0;  // us
  double hbm_efficiency = 0.9;
  double wave = 1.0;        // us per wave of CTAs beyond the first
  double per_block = 0.02;  // us per 128 keys that one CTA walks
  double sm_ramp = 1.5;
  double l2_hit = 0.5;  // share of an L2's size that repeated calls find again (benchmarks only)
  FamilyError error;
};
template <class V>
void describe(V& v, DecodeConstants& s) {
  v.field("t0", s.t0, "fixed time (us)", json::not_negative());
  v.field("hbm_efficiency", s.hbm_efficiency, "share of datasheet bandwidth", json::positive());
  v.field("wave", s.wave, "per wave of CTAs beyond the first (us)", json::not_negative());
  v.field("per_block", s.per_block, "per 128 keys that one CTA walks (us)", json::not_negative());
  v.field("sm_ramp", s.sm_ramp, "SMs beyond 1/ramp of all saturate HBM", json::positive());
  v.field("l2_hit", s.l2_hit, "share of L2 that holds KV from the call before, in back-to-back measurement",
          json::not_negative());
  v.field("error", s.error, "held-out errors");
}

// One all-reduce implementation over `gpus` GPUs: time = min(one shot, two shot), see all_reduce.cpp.
struct AllReduceConstants {
  std::string library = "custom";  // custom (inference engine's kernel) or nccl
  int gpus = 2;
  double alpha = 3.0;           // us, floor
  double one_shot_share = 0.5;  // share of link bandwidth at which every rank reads the n - 1 others
  double two_shot_alpha = 4.0;  // us, more for the second phase
  double bus_share = 0.9;       // bus bandwidth over link bandwidth for large messages
  double ramp = 0.0;            // us at 1 MiB, growing with the square root of the size
  FamilyError error;
};
template <class V>
void describe(V& v, AllReduceConstants& s) {
  v.field("library", s.library, "custom or nccl", json::required);
  v.field("gpus", s.gpus, "ranks", json::Range{.min = 2, .max = 1024}, json::required);
  v.field("alpha", s.alpha, "floor (us)", json::not_negative());
  v.field("one_shot_share", s.one_shot_share, "share of link bandwidth of the one-shot phase",
          json::positive());
  v.field("two_shot_alpha", s.two_shot_alpha, "extra floor of two phases (us)", json::not_negative());
  v.field("bus_share", s.bus_share, "bus bandwidth over link bandwidth", json::positive());
  v.field("ramp", s.ramp, "at 1 MiB, growing with the square root of the size (us)", json::not_negative());
  v.field("error", s.error, "held-out errors");
}

// Passes limited by memory: floor + bytes / (bandwidth x share).
struct PassConstants {
  double floor = 2.2;  // us inside a CUDA graph
  double norm = 0.60, activation = 0.77, rotary = 0.70, residual = 0.80, copy = 0.85, quantise = 0.70;
  double embedding = 0.5;
  double sampling_floor = 25.0;  // us: soft-max, masks and arg-max kernels
  double sampling = 0.4;
  FamilyError error;
};
template <class V>
void describe(V& v, PassConstants& s) {
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
  v.field("error", s.error, "held-out errors");
}

struct ExpertConstants {
  double t0 = 20.0;  // us: routing, permute, grouped GEMMs, un-permute
  double hbm_efficiency = 0.7;
  double tile_efficiency = 0.6;
  FamilyError error;
};
template <class V>
void describe(V& v, ExpertConstants& s) {
  v.field("t0", s.t0, "fixed time (us)", json::not_negative());
  v.field("hbm_efficiency", s.hbm_efficiency, "share of datasheet bandwidth", json::positive());
  v.field("tile_efficiency", s.tile_efficiency, "share of peak", json::positive());
  v.field("error", s.error, "held-out errors");
}

struct KernelProfile {
  std::string name = "default";
  std::string gpu;     // catalogue name of the GPU it was measured on; empty: none
  std::string source;  // data, rows, split
  std::vector<GemmConstants> gemm = {GemmConstants{}};
  PrefillConstants prefill;
  DecodeConstants decode;
  std::vector<AllReduceConstants> all_reduce = {AllReduceConstants{}};
  PassConstants passes;
  ExpertConstants experts;
  double launch_stream = 2.43;  // us between kernels launched one by one
  double launch_graph = 1.23;   // us between kernels of a CUDA graph
};
template <class V>
void describe(V& v, KernelProfile& s) {
  v.field("name", s.name, "profile name", json::required);
  v.field("gpu", s.gpu, "catalogue name of the GPU measured");
  v.field("source", s.source, "data the constants were fitted to, and how it was split", json::required);
  v.field("gemm", s.gemm, "dense GEMM by format");
  v.field("prefill", s.prefill, "prefill attention");
  v.field("decode", s.decode, "decode attention");
  v.field("all_reduce", s.all_reduce, "all-reduce by library and ranks");
  v.field("passes", s.passes, "memory-bound passes");
  v.field("experts", s.experts, "grouped expert GEMMs");
  v.field("launch_stream", s.launch_stream, "between kernels launched one by one (us)", json::not_negative());
  v.field("launch_graph", s.launch_graph, "between kernels of a CUDA graph (us)", json::not_negative());
}

}  // namespace gpuplan::kernels
