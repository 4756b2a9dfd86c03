#include "sim/silicon/activity.h"

#include <algorithm>

#include "hwmodels/json/path.h"

namespace gpuplan::sim {

namespace {

// The format that matrices are computed in: where a scenario of its kind says it.
Precision compute_format(const json::Value& scenario) {
  for (const char* path : {"precision.activations", "precision.compute", "kernels[0].precision"}) {
    const json::Value* value = json::find_at(scenario, path);
    for (std::size_t i = 0; value != nullptr && value->is_string() && i < kPrecisionCount; ++i) {
      if (kPrecisionNames[i] == value->string()) {
        return static_cast<Precision>(i);
      }
    }
  }
  return Precision::bf16;
}

bool is_pruned(const json::Value& scenario) {
  const json::Value* op = json::find_at(scenario, "kernels[0].op");
  const json::Value* sparse = json::find_at(scenario, "kernels[0].sparse");
  return (op != nullptr && *op == json::Value("sparse_gemm")) ||
         (sparse != nullptr && *sparse == json::Value(true));
}

FlopsPerSecond silicon::Activity::*unit_of(Precision format) {
  switch (format) {
    case Precision::fp64:
      return &silicon::Activity::fp64_matrix;
    case Precision::fp32:
    case Precision::tf32:
      return &silicon::Activity::tf32;
    case Precision::bf16:
    case Precision::fp16:
      return &silicon::Activity::bf16;
    case Precision::fp8:
    case Precision::fp8_block:
      return &silicon::Activity::fp8;
    case Precision::int8:
    case Precision::int4:
      return &silicon::Activity::int8;
    case Precision::nvfp4:
    case Precision::mxfp4:
      return &silicon::Activity::fp4;
  }
  return &silicon::Activity::bf16;
}

}  // namespace

silicon::Activity activity_of(const Result& result, const Gpu& gpu) {
  silicon::Activity out;
  const Precision asked = compute_format(result.scenario);
  const Precision format = gpu.peak(asked) ? asked : Precision::bf16;  // as the kernel models fall back
  const FlopsPerSecond peak = gpu.peak(format).value_or(FlopsPerSecond());
  double flops = 0.0;
  if (result.find("training.hfu") != nullptr) {
    flops = result.number("training.hfu") * peak.si();
  } else if (result.number("kernel.time") > 0.0) {
    // Of a product with pruned weights half of the operations are counted that nobody computes.
    flops = result.number("kernel.flops") / result.number("kernel.time") *
            (is_pruned(result.scenario) ? 0.5 : 1.0);
    out.hbm = BytesPerSecond(result.number("kernel.hbm_bytes") / result.number("kernel.time"));
  } else {
    flops = result.number("util.sm") * peak.si();
  }
  out.*unit_of(format) = FlopsPerSecond(flops);
  if (result.find("util.hbm") != nullptr) {
    out.hbm = BytesPerSecond(std::min(1.0, result.number("util.hbm")) * gpu.memory_bandwidth.si());
  }
  out.links = BytesPerSecond(2.0 * std::min(1.0, result.number("util.nvlink")) * gpu.scale_up_bandwidth.si());
  out.l2 = out.hbm;
  return out;
}

}  // namespace gpuplan::sim
