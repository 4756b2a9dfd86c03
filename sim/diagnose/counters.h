// What tools say about a running GPU, in one vocabulary, averaged over a while of steady work.
#pragma once

#include <array>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "hwmodels/catalogue/catalogue.h"
#include "hwmodels/json/describe.h"

namespace gpuplan::sim {

// Shares are of time (gpu_active ... dram_active), of the best that the machine does (pcie ... network), or
// of one (cpu ...).
enum class Counter {
  gpu_active,     // some kernel was there: what nvidia-smi calls GPU utilisation
  sm_active,      // SMs with a warp on them, mean over SMs
  tensor_active,  // cycles in which the tensor pipe was busy
  dram_active,    // cycles in which HBM moved data
  pcie_rx,        // host to GPU
  pcie_tx,        // GPU to host
  nvlink,         // sent over NVLink
  network,        // sent over this GPU's share of the NICs
  cpu,            // of the cores that the job may use
  busiest_thread,
  power,  // of the limit
  clock   // of the boost clock
};
inline constexpr std::size_t kCounters = 12;
std::span<const std::string_view> enum_names(Counter tag);

// How to read it: "dcgmi dmon -e 1002".
std::string_view how_to_measure(Counter counter);
// What it counts, in words.
std::string_view meaning(Counter counter);

// A share for each counter that is known.
using CounterShares = std::array<std::optional<double>, kCounters>;

struct ObservedSpec {
  std::optional<double> gpu_active, sm_active, tensor_active, dram_active;
  std::optional<BytesPerSecond> pcie_rx, pcie_tx, nvlink, network;
  std::optional<double> cpu, busiest_thread;
  std::optional<Watts> power;
  std::optional<Hertz> clock;
};
template <class V>
void describe(V& v, ObservedSpec& s) {
  v.field("gpu_active", s.gpu_active, "share of time with a kernel (nvidia-smi's utilization.gpu)",
          json::fraction());
  v.field("sm_active", s.sm_active, "SMs with work (DCGM 1002)", json::fraction());
  v.field("tensor_active", s.tensor_active, "tensor pipe busy (DCGM 1004)", json::fraction());
  v.field("dram_active", s.dram_active, "HBM busy (DCGM 1005)", json::fraction());
  v.field("pcie_rx", s.pcie_rx, "host to GPU (DCGM 1010) (B/s)", json::not_negative());
  v.field("pcie_tx", s.pcie_tx, "GPU to host (DCGM 1009) (B/s)", json::not_negative());
  v.field("nvlink", s.nvlink, "sent over NVLink (DCGM 1011) (B/s)", json::not_negative());
  v.field("network", s.network, "sent by the NICs, per GPU (B/s)", json::not_negative());
  v.field("cpu", s.cpu, "share of the cores that the job may use", json::fraction());
  v.field("busiest_thread", s.busiest_thread, "share of a core that the busiest thread takes",
          json::fraction());
  v.field("power", s.power, "drawn by the GPU (W)", json::not_negative());
  v.field("clock", s.clock, "of the SMs (Hz)", json::not_negative());
}

// What is known of a step, where the profile says; fills counters that were not measured.
struct StepSpec {
  Seconds time{0.0};
  double input_bytes = 0.0, flops = 0.0, hbm_bytes = 0.0, nvlink_bytes = 0.0, network_bytes = 0.0;
};
template <class V>
void describe(V& v, StepSpec& s) {
  v.field("time", s.time, "of a step (s)", json::positive(), json::required);
  v.field("input_bytes", s.input_bytes, "copied from the host in a step (B)", json::not_negative());
  v.field("flops", s.flops, "of a step in matrix multiplications (FLOP)", json::not_negative());
  v.field("hbm_bytes", s.hbm_bytes, "moved by a step (B)", json::not_negative());
  v.field("nvlink_bytes", s.nvlink_bytes, "a GPU sends over NVLink in a step (B)", json::not_negative());
  v.field("network_bytes", s.network_bytes, "a GPU sends over the network in a step (B)",
          json::not_negative());
}

// Rates of the machine that shares are of.
struct Capacities {
  BytesPerSecond pcie_pinned, pcie_pageable;  // host to GPU, large copies
  BytesPerSecond nvlink, network;             // zero: none
  FlopsPerSecond tensor;                      // 16 bit, datasheet
  BytesPerSecond hbm;
  Watts power;
  Hertz clock;
  int gpus = 0;                 // of the job; 1: no collectives; 0: unknown
  double collective_sms = 0.0;  // share of the SMs that NCCL's kernels take
};

// As shares of `capacities`; what only the step tells is marked in `derived`.
struct Observation {
  CounterShares shares;
  std::array<bool, kCounters> derived{};
};
Observation observation(const ObservedSpec& observed, const std::optional<StepSpec>& step,
                        const Capacities& capacities);

}  // namespace gpuplan::sim
