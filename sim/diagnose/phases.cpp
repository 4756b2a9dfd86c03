#include "sim/diagnose/phases.h"

#include <algorithm>

namespace gpuplan::sim {

namespace {

// Nothing runs: no counter shows anything but a clock and an idle draw. What the host does, nobody knows.
Phase idle(std::string_view name) {
  Phase p;
  p.name = name;
  for (Expected& e : p.counters) {
    e = {.mean = 0.0, .deviation = 0.02};
  }
  const auto set = [&](Counter c, double mean, double deviation) {
    p.counters[static_cast<std::size_t>(c)] = {mean, deviation};
  };
  set(Counter::cpu, 0.3, 0.3);
  set(Counter::busiest_thread, 0.5, 0.35);
  set(Counter::power, 0.2, 0.07);
  set(Counter::clock, 0.9, 0.15);
  return p;
}

Phase with(Phase p, std::string_view name, std::initializer_list<std::pair<Counter, Expected>> counters) {
  p.name = name;
  for (const auto& [counter, expected] : counters) {
    p.counters[static_cast<std::size_t>(counter)] = expected;
  }
  return p;
}

using enum Counter;

// Healthy jobs move data beside their kernels: the next input, and collectives that hide, where there are
// other GPUs. How much differs by job: loosely assumed, so that a busy link alone accuses nobody.
Phase beside_kernels(const Capacities& c, Phase p) {
  const auto set = [&](Counter counter, double mean, double deviation) {
    p.counters[static_cast<std::size_t>(counter)] = {mean, deviation};
  };
  set(pcie_rx, 0.05, 0.08);
  set(pcie_tx, 0.02, 0.05);
  if (c.gpus != 1) {
    set(nvlink, 0.1, 0.15);
    set(network, 0.1, 0.15);
  }
  return p;
}

// Large matrix multiplications: tensor pipes 45 to 85 % busy in good kernels, power near the limit.
Phase matrix(const Capacities& c) {
  return with(beside_kernels(c, idle("")), "matrix kernels",
              {{gpu_active, {1.0, 0.03}},
               {sm_active, {0.95, 0.06}},
               {tensor_active, {0.6, 0.2}},
               {dram_active, {0.35, 0.2}},
               {power, {0.9, 0.12}}});
}
Phase memory(const Capacities& c) {
  return with(beside_kernels(c, idle("")), "memory-bound kernels",
              {{gpu_active, {1.0, 0.03}},
               {sm_active, {0.92, 0.08}},
               {dram_active, {0.8, 0.12}},
               {power, {0.65, 0.15}}});
}
Phase beside_copy(Phase p, std::string_view name) { return with(p, name, {{pcie_rx, {1.0, 0.1}}}); }

Phase collective(const Capacities& c, std::string_view name, Counter link) {
  return with(idle(""), name,
              {{gpu_active, {1.0, 0.03}},
               {sm_active, {c.collective_sms, 0.06}},
               {dram_active, {0.25, 0.15}},
               {power, {0.4, 0.12}},
               {nvlink, {link == nvlink ? 0.9 : 0.3, link == nvlink ? 0.2 : 0.3}},
               {network, {link == network ? 0.9 : 0.0, link == network ? 0.2 : 0.02}}});
}

}  // namespace

std::vector<Explained> explanations(const Capacities& c) {
  const Phase gap = idle("");
  const double pageable = std::min(1.0, c.pcie_pageable / c.pcie_pinned);
  std::vector<Explained> all = {
      {"kernels", "Kernels fill the GPU: it does what it can.", {matrix(c), memory(c)}},
      {"input_copy",
       "Copies from the host stop the kernels: the input is not fetched ahead.",
       {matrix(c), memory(c), with(gap, "copy from pinned memory", {{pcie_rx, {1.0, 0.08}}})}},
      {"pageable_copy",
       "Copies from pageable memory stop the kernels: a thread of the host moves every byte twice.",
       {matrix(c), memory(c),
        with(gap, "copy from pageable memory", {{pcie_rx, {pageable, 0.1}}, {busiest_thread, {1.0, 0.1}}})}},
      {"pcie_bound",
       "PCIe is full: kernels run beside the copies and wait for the next.",
       {beside_copy(matrix(c), "matrix kernels beside a copy"),
        beside_copy(memory(c), "memory-bound kernels beside a copy"),
        with(gap, "copy alone", {{pcie_rx, {1.0, 0.08}}})}},
      {"loader",
       "The GPU waits for the host to prepare input: decode, augmentation, storage.",
       {matrix(c), memory(c), with(gap, "wait for the loader", {{cpu, {0.85, 0.2}}})}},
      {"launch_gaps",
       "The host cannot issue kernels fast enough: many small ones, with gaps between.",
       {matrix(c), memory(c),
        with(gap, "small kernels and gaps",
             {{gpu_active, {0.75, 0.2}},
              {sm_active, {0.15, 0.1}},
              {tensor_active, {0.03, 0.03}},
              {dram_active, {0.08, 0.06}},
              {busiest_thread, {1.0, 0.06}},
              {power, {0.3, 0.1}}})}},
      {"few_blocks",
       "Kernels are too small for the GPU: a few SMs work, the others are empty.",
       {matrix(c), memory(c),
        with(gap, "kernels of few blocks",
             {{gpu_active, {1.0, 0.03}},
              {sm_active, {0.3, 0.15}},
              {tensor_active, {0.1, 0.08}},
              {dram_active, {0.12, 0.08}},
              {power, {0.4, 0.12}}})}},
      {"power_limit",
       "The power limit holds the clock down.",
       {with(matrix(c), "matrix kernels at a lower clock",
             {{power, {0.98, 0.03}}, {Counter::clock, {0.7, 0.12}}}),
        memory(c)}},
  };
  if (c.gpus == 1) {
    return all;
  }
  all.push_back(
      {"straggler",
       "Ranks wait inside collectives for the slowest one: kernels of NCCL run, and no bytes flow.",
       {matrix(c), memory(c),
        with(gap, "wait inside a collective",
             {{gpu_active, {1.0, 0.03}}, {sm_active, {c.collective_sms, 0.05}}, {power, {0.3, 0.08}}})}});
  if (c.nvlink.si() > 0.0) {
    all.push_back({"nvlink_collectives",
                   "Collectives over NVLink are not hidden behind kernels.",
                   {matrix(c), memory(c), collective(c, "collective over NVLink", nvlink)}});
  }
  if (c.network.si() > 0.0) {
    all.push_back({"network_collectives",
                   "Collectives over the network are not hidden behind kernels.",
                   {matrix(c), memory(c), collective(c, "collective over the network", network)}});
  }
  return all;
}

}  // namespace gpuplan::sim
