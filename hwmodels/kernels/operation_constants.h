// Constants of the operations that no full table measures: standard attention, 2:4 sparse GEMM, copies, row
// passes and the rest. Scattered published measurements give a few shares each; every set of constants says
// which GPU it was read on and how well it predicts measurements that it was not fitted to. One file a family
// in calibrate/profiles/operations/, one entry a GPU: a new measurement is an entry, no code.
//
// A GPU takes its own entry (measured), else one of its architecture, else the first of the file (physics,
// with wider errors), else the defaults here (assumed).
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "hwmodels/catalogue/catalogue.h"
#include "hwmodels/json/describe.h"
#include "hwmodels/kernels/operations.h"
#include "hwmodels/kernels/price.h"
#include "hwmodels/kernels/profile.h"
#include "hwmodels/kernels/standing.h"

namespace gpuplan::kernels {

// Where a set of constants comes from. The datasheet values tell a what-if from the GPU that was measured.
struct Evidence {
  std::string gpu;              // catalogue name; empty: nobody measured them
  std::string architecture;     // first word of the catalogue's
  double sm_count = 0.0;        // of the GPU measured
  double bandwidth_gbps = 0.0;  // of its memory
  std::string source = "assumed";
  FamilyError error;
};
template <class V>
void describe_evidence(V& v, Evidence& s) {
  v.field("gpu", s.gpu, "catalogue name of the GPU measured", json::required);
  v.field("architecture", s.architecture, "first word of the catalogue's", json::required);
  v.field("sm_count", s.sm_count, "SMs of that GPU", json::not_negative(), json::required);
  v.field("bandwidth_gbps", s.bandwidth_gbps, "its memory bandwidth (GB/s)", json::not_negative(),
          json::required);
  v.field("source", s.source, "whose measurements, and how they were split", json::required);
  v.field("error", s.error, "on measurements that were not fitted");
}

// Standard attention (standard_attention.cpp): shares of the memory bandwidth, and of the matrix peak.
struct StandardAttentionConstants : Evidence {
  double score_share = 0.7;     // passes over the scores
  double mask_share = 0.34;     // adding the mask, a broadcast
  double layout_share = 0.5;    // bringing Q, K, V and O into the layout of the batched GEMM and back
  double matrix_share = 0.5;    // of peak in the batched GEMMs, whose depth is only the head size
  double backward_share = 0.8;  // of score_share: backward of the soft-max
};
template <class V>
void describe(V& v, StandardAttentionConstants& s) {
  describe_evidence(v, s);
  v.field("score_share", s.score_share, "share of bandwidth: passes over the scores", json::positive());
  v.field("mask_share", s.mask_share, "share of bandwidth: adding the mask", json::positive());
  v.field("layout_share", s.layout_share, "share of bandwidth: layout copies", json::positive());
  v.field("matrix_share", s.matrix_share, "share of peak in the batched GEMMs", json::positive());
  v.field("backward_share", s.backward_share, "of score_share: backward of the soft-max", json::positive());
}

// FlashAttention (flash_attention.cpp), for one version of the library.
struct FlashAttentionConstants : Evidence {
  FlashAttention::Version version = FlashAttention::Version::fa2;
  double matrix_share = 0.6;    // of the matrix peak while multiplying
  double wide_share = 0.85;     // of that with heads beyond 128
  double softmax_cost = 0.8;    // time of an exponential over that of the special function units (16 a clock)
  double tile = 3.0;            // us on an SM for each tile of 128 queries x 128, beyond its blocks of keys
  double mask = 0.5;            // us on an SM more, where a mask cuts its blocks
  double backward_share = 0.8;  // rate of the backward pass, of the forward's
};
template <class V>
void describe(V& v, FlashAttentionConstants& s) {
  describe_evidence(v, s);
  v.field("version", s.version, "of the library", json::required);
  v.field("matrix_share", s.matrix_share, "share of the matrix peak while multiplying", json::positive());
  v.field("wide_share", s.wide_share, "of that with heads beyond 128", json::positive());
  v.field("softmax_cost", s.softmax_cost, "time of an exponential over the special function units'",
          json::not_negative());
  v.field("tile", s.tile, "a tile of 128 queries x 128 (us on an SM)", json::not_negative());
  v.field("mask", s.mask, "a tile with a mask, more (us on an SM)", json::not_negative());
  v.field("backward_share", s.backward_share, "rate of the backward pass, of the forward's",
          json::positive());
}

// 2:4 sparse GEMM (sparse_gemm.cpp) against the dense one of the same shape, for one format.
struct SparseConstants : Evidence {
  std::string format = "bf16";  // bf16 (fp16 alike), fp8, int8
  double compute_gain = 1.6;    // rate of the matrix units over dense; the datasheet says 2
  double stream_cost = 1.0;     // time of a byte from memory over that of the dense kernel
  double t0 = 3.0;              // us more than the dense kernel
};
template <class V>
void describe(V& v, SparseConstants& s) {
  describe_evidence(v, s);
  v.field("format", s.format, "bf16, fp8 or int8", json::required);
  v.field("compute_gain", s.compute_gain, "rate of the matrix units over dense", json::positive());
  v.field("stream_cost", s.stream_cost, "time of a byte from memory over dense", json::positive());
  v.field("t0", s.t0, "more than the dense kernel (us)", json::not_negative());
}

// GEMM with int4 weights expanded in registers (int4_gemm.cpp), against the 16-bit GEMM of the shape.
struct Int4Constants : Evidence {
  double matrix_share = 0.79;  // of the 16-bit peak, expanding the weights included
  double stream_cost = 0.98;   // time of a byte from memory over that of the 16-bit kernel
  double t0 = 0.5;             // us more than the 16-bit kernel
};
template <class V>
void describe(V& v, Int4Constants& s) {
  describe_evidence(v, s);
  v.field("matrix_share", s.matrix_share, "share of the 16-bit peak", json::positive());
  v.field("stream_cost", s.stream_cost, "time of a byte from memory over 16 bit", json::positive());
  v.field("t0", s.t0, "more than the 16-bit kernel (us)", json::not_negative());
}

// Convolution (convolution.cpp).
struct ConvolutionConstants : Evidence {
  double t0 = 3.0;                // us more than a GEMM
  double gather_cost = 0.1;       // compute time more than a GEMM: addressing a window of more than one pixel
  double stream_share = 0.8;      // share of bandwidth, activations and weights together
  double depthwise_share = 0.3;   // of the vector units' fp32 peak
  double depthwise_stream = 0.6;  // share of bandwidth of a depthwise kernel
};
template <class V>
void describe(V& v, ConvolutionConstants& s) {
  describe_evidence(v, s);
  v.field("t0", s.t0, "more than a GEMM (us)", json::not_negative());
  v.field("gather_cost", s.gather_cost, "compute time more than a GEMM's for windows", json::not_negative());
  v.field("stream_share", s.stream_share, "share of bandwidth", json::positive());
  v.field("depthwise_share", s.depthwise_share, "share of the vector peak, depthwise", json::positive());
  v.field("depthwise_stream", s.depthwise_stream, "share of bandwidth, depthwise", json::positive());
}

// Copies between host and device (copy.cpp). Shares are of the catalogue's effective PCIe (or C2C) bandwidth.
struct CopyConstants : Evidence {
  double call = 28.8;            // us of a blocking copy, however small
  double asynchronous = 8.0;     // us of a copy that a stream holds
  double pinned_share = 1.0;     // PCIe, page-locked host memory
  double pageable_share = 0.48;  // of pinned: staged through a page-locked buffer
  double c2c_share = 0.8;        // coherent link
  double both_share = 0.8;       // of one direction's rate, in each, while both are busy
};
template <class V>
void describe(V& v, CopyConstants& s) {
  describe_evidence(v, s);
  v.field("call", s.call, "blocking copy, fixed time (us)", json::not_negative());
  v.field("asynchronous", s.asynchronous, "asynchronous copy, fixed time (us)", json::not_negative());
  v.field("pinned_share", s.pinned_share, "share of PCIe, page-locked", json::positive());
  v.field("pageable_share", s.pageable_share, "of pinned, where the host memory is pageable",
          json::positive());
  v.field("c2c_share", s.c2c_share, "share of a coherent link", json::positive());
  v.field("both_share", s.both_share, "rate of each direction while both are busy", json::positive());
}

// Row passes: soft-max, norm, activation and their fusions (row_pass.cpp). Quantise and residual come from
// the profile's passes.
struct RowPassConstants : Evidence {
  double norm_share = 0.86;  // of bandwidth, rows that stay on chip
  double softmax_share = 0.52;
  double activation_share = 0.79;
  double row_on_chip = 32768.0;  // bytes of a row beyond which it is read a second time
};
template <class V>
void describe(V& v, RowPassConstants& s) {
  describe_evidence(v, s);
  v.field("norm_share", s.norm_share, "share of bandwidth: layer and RMS norm", json::positive());
  v.field("softmax_share", s.softmax_share, "share of bandwidth: soft-max", json::positive());
  v.field("activation_share", s.activation_share, "share of bandwidth: GELU", json::positive());
  v.field("row_on_chip", s.row_on_chip, "longest row that a norm or quantise reads once (B)",
          json::positive());
}

// What the host pays to issue kernels (launch_sequence.cpp); launches without a framework are the profile's.
struct LaunchConstants : Evidence {
  double framework_issue = 36.0;  // us a kernel, eager framework
  double graph_launch = 5.0;      // us a graph
};
template <class V>
void describe(V& v, LaunchConstants& s) {
  describe_evidence(v, s);
  v.field("framework_issue", s.framework_issue, "a kernel, eager framework (us)", json::not_negative());
  v.field("graph_launch", s.graph_launch, "a graph (us)", json::not_negative());
}

// The memory hierarchy (memory_hierarchy.h). Latencies of a single dependent access.
struct MemoryConstants : Evidence {
  double l1_latency = 17.0, l2_near_latency = 140.0, l2_far_latency = 250.0, dram_latency = 370.0;  // ns
  double l1_bytes_per_clock = 128.0;  // per SM; the width of shared memory and L1, datasheet
  double l2_bytes_per_clock = 36.0;   // per SM and clock of the catalogue
  double l2_full = 0.75;              // of the L2's size: a footprint below runs at the full rate
  double l2_gone = 1.25;              // of its size: a footprint above gains nothing from L2
  double dram_share = 0.85;           // of the datasheet bandwidth, reading
  double loaded_latency = 1.75;       // latency under load over that of a single access
  double saturation = 2.73;           // sharpness of the knee between latency and bandwidth
};
template <class V>
void describe(V& v, MemoryConstants& s) {
  describe_evidence(v, s);
  v.field("l1_latency_ns", s.l1_latency, "L1 hit (ns)", json::positive());
  v.field("l2_near_latency_ns", s.l2_near_latency, "L2 hit in the near partition (ns)", json::positive());
  v.field("l2_far_latency_ns", s.l2_far_latency, "L2 hit in the far partition (ns)", json::positive());
  v.field("dram_latency_ns", s.dram_latency, "miss (ns)", json::positive());
  v.field("l1_bytes_per_clock", s.l1_bytes_per_clock, "L1, per SM and clock (B)", json::positive());
  v.field("l2_bytes_per_clock", s.l2_bytes_per_clock, "L2, per SM and clock (B)", json::positive());
  v.field("l2_full", s.l2_full, "of the L2: footprints below run at full rate", json::positive());
  v.field("l2_gone", s.l2_gone, "of the L2: footprints above gain nothing", json::positive());
  v.field("dram_share", s.dram_share, "of the datasheet bandwidth, reading", json::positive());
  v.field("loaded_latency", s.loaded_latency, "latency under load over unloaded", json::positive());
  v.field("saturation", s.saturation, "sharpness of the knee", json::positive());
}

// How a price stands that rests on `evidence`, for `gpu`: provenance, expected error and range.
void stand_on(Price& price, const Evidence& evidence, const Gpu& gpu, bool outside = false);
// `price` holds something that was not measured: assumed, with an error of at least `error`.
void assume(Price& price, double error);
void explain_evidence(const Price& price, const Evidence& evidence, Explanation& why);

// Limiter and fraction of peak from the parts of `price` (compute, hbm, l2, link, fixed) and its work.
void set_limiter(Price& price, FlopsPerSecond peak, BytesPerSecond bandwidth);

// The entry for `gpu`: its own, else its architecture's, else the first; defaults where there is none.
template <class Constants>
Constants nearest_entry(const std::vector<Constants>& entries, const Gpu& gpu) {
  for (const Constants& entry : entries) {
    if (entry.gpu == gpu.name) {
      return entry;
    }
  }
  for (const Constants& entry : entries) {
    if (gpu.architecture.starts_with(entry.architecture)) {
      return entry;
    }
  }
  return entries.empty() ? Constants{} : entries.front();
}

// The constants of every family for one GPU.
struct OperationConstants {
  StandardAttentionConstants standard_attention;
  std::vector<FlashAttentionConstants> flash_attention = {FlashAttentionConstants{}};  // nearest of each
                                                                                       // version; never empty
  std::vector<SparseConstants> sparse = {SparseConstants{}};  // the nearest of each format; never empty
  Int4Constants int4;
  ConvolutionConstants convolution;
  CopyConstants copy;
  RowPassConstants row_pass;
  LaunchConstants launch;
  MemoryConstants memory;

  // Reads data_dir's calibrate/profiles/operations; a missing file leaves the defaults. Throws InputError.
  static OperationConstants for_gpu(const Gpu& gpu, const std::string& data_dir,
                                    LeaveOut leave_out = LeaveOut::nothing);
};

// Longest limit, and what it does not hide of the others: longest + leak x (squares of the others) / longest.
inline double overlapped(double a, double b, double c, double leak) {
  const double longest = std::max({a, b, c});
  return longest > 0.0 ? longest + leak * (a * a + b * b + c * c - longest * longest) / longest : 0.0;
}

}  // namespace gpuplan::kernels
