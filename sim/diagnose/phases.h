// What the counters show while a GPU does one thing, and the explanations that are mixtures of such phases.
//
// A step is taken as phases one after another: kernels that fill the GPU for a share of the time, and for the
// rest a copy from the host, a wait for the loader, gaps between launches, a collective, ... A counter's mean
// is then the mean of the phases' values, weighted by their shares. Copies that run beside kernels are phases
// of their own (kernels and copy at once). Values are physics where the machine gives them (PCIe, NVLink,
// SMs of NCCL) and else what such phases commonly show, assumed, with a standard deviation that says how
// loosely.
#pragma once

#include <array>
#include <string_view>
#include <vector>

#include "sim/diagnose/counters.h"

namespace gpuplan::sim {

struct Expected {
  double mean = 0.0;
  double deviation = 0.05;
};

struct Phase {
  std::string_view name;  // "copy from pinned memory"
  std::array<Expected, kCounters> counters;
};

// An explanation: up to three phases. The last is what is wrong, unless nothing is.
struct Explained {
  std::string_view id;       // "input_copy"
  std::string_view verdict;  // one sentence
  std::vector<Phase> phases;
};

std::vector<Explained> explanations(const Capacities& capacities);

}  // namespace gpuplan::sim
