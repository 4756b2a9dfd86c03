// The numbers of a scenario that can be turned: of its GPU, its model and every numeric field, each as a
// function that sets it in the document.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "sim/scenario/resolve_parts.h"

namespace gpuplan::sim {

struct Parameter {
  std::string name;   // "machine.gpu.memory_bandwidth_gbps", "traffic.arrivals.rate"
  std::string group;  // "hardware", "model", or the first part of its path: "engine", "traffic"
  double value = 0.0;
  bool integer = false;
  std::function<void(json::Value& document, double value)> set;
};

// Every number other than zero that says something of machine or work; not the length of a simulation, seeds,
// searches and sweeps. `resolved`: the scenario with its defaults, as a run reports it.
std::vector<Parameter> parameters_of(const json::Value& resolved, const Library& library);

// The GPU of a resolved scenario; nullopt where it names several or none.
std::optional<Gpu> gpu_of(const json::Value& resolved, const Library& library);
// Sets a field of machine.gpu, which may be a name: "memory_gb", "matrix_peak_tflops.bf16".
void set_gpu_field(json::Value& document, const json::Value& resolved_gpu, const std::string& field,
                   double value);
// Multiplies the matrix peaks of all formats.
void scale_matrix_peaks(json::Value& document, const json::Value& resolved_gpu, const Gpu& gpu,
                        double factor);

}  // namespace gpuplan::sim
