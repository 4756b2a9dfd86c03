#include "sim/plan/parameters.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "hwmodels/catalogue/gpu_number.h"
#include "hwmodels/json/path.h"

namespace gpuplan::sim {

namespace {

constexpr std::string_view kSmCount = "sm_count";

// Fields of a GPU that work can feel, or its power limit.
constexpr std::array kGpuFields = {"sm_count",
                                   "boost_clock_mhz",
                                   "memory_gb",
                                   "memory_bandwidth_gbps",
                                   "l2_mib",
                                   "shared_memory_kib_per_sm",
                                   "scale_up_bandwidth_gbps",
                                   "pcie_bandwidth_gbps",
                                   "c2c_bandwidth_gbps",
                                   "vector_fp32_tflops",
                                   "vector_fp64_tflops",
                                   "tdp_w"};

// {"base": name, fields...} of a GPU or model that may be given by name alone.
json::Value& opened(json::Value& document, const std::string& path, const json::Value& as_resolved) {
  std::string why;
  json::Value& place = *json::place_at(document, path, why);
  if (!place.is_object()) {
    if (as_resolved.is_object()) {
      place = as_resolved;
    } else {
      place = json::Value(json::Object{});
      place["base"] = as_resolved;
    }
  }
  return place;
}

void add_gpu(const json::Value& resolved, const Library& library, std::vector<Parameter>& out) {
  const std::optional<Gpu> gpu = gpu_of(resolved, library);
  if (!gpu) {
    return;
  }
  const json::Value named = *json::find_at(resolved, "machine.gpu");
  for (const std::string name : kGpuFields) {
    out.push_back({"machine.gpu." + name, "hardware", gpu_number(*gpu, name).value_or(0.0), name == kSmCount,
                   [named, name](json::Value& document, double value) {
                     set_gpu_field(document, named, name, value);
                   }});
  }
  out.push_back({"machine.gpu.matrix_peak_tflops", "hardware", 1.0, false,
                 [named, gpu](json::Value& document, double factor) {
                   scale_matrix_peaks(document, named, *gpu, factor);
                 }});
}

void add_model(const json::Value& resolved, const Library& library, std::vector<Parameter>& out) {
  const json::Value* named = resolved.find("model");
  if (named == nullptr || !named->is_string()) {
    return;
  }
  const Model* model = library.models.model(named->string());
  if (model == nullptr) {
    return;
  }
  const json::Value entry = model->raw;
  for (const char* field : {"layers", "hidden", "ffn", "vocab", "heads", "kv_heads"}) {
    const json::Value* value = entry.find(field);
    if (value == nullptr || !value->is_number()) {
      continue;
    }
    out.push_back({std::string("model.") + field, "model", value->number(), true,
                   [base = *named, field](json::Value& document, double x) {
                     opened(document, "model", base)[field] = static_cast<std::int64_t>(x);
                   }});
  }
}

// Fields that say how long to simulate or what to search, not what is simulated.
bool is_remark(const std::string& path) {
  static constexpr std::array skipped = {"schema",
                                         "seed",
                                         "name",
                                         "description",
                                         "plan",
                                         "variants",
                                         "vary",
                                         "machine.gpu",
                                         "model",
                                         "traffic.duration",
                                         "traffic.requests",
                                         "traffic.warmup_requests",
                                         "traffic.prompt.p50",
                                         "traffic.output.p50",
                                         "samples"};
  return std::any_of(skipped.begin(), skipped.end(), [&](const char* one) {
    return path == one || path.starts_with(std::string(one) + ".");
  });
}

// A mean length takes its median along: the shape stays.
std::function<void(json::Value&, double)> setter(const std::string& path, const json::Value& resolved,
                                                 double old, bool integer) {
  const std::string median =
      path.ends_with(".mean") ? path.substr(0, path.size() - 4) + "p50" : std::string();
  const json::Value* p50 = median.empty() ? nullptr : json::find_at(resolved, median);
  const double other = p50 != nullptr && p50->is_number() ? p50->number() : 0.0;
  return [path, median, other, old, integer](json::Value& document, double value) {
    const json::Value written =
        integer ? json::Value(static_cast<std::int64_t>(std::llround(value))) : json::Value(value);
    json::set_value(document, path, written, path);
    if (other > 0.0) {
      json::set_value(document, median, json::Value(other * value / old), median);
    }
  };
}

void add_fields(const json::Value& value, const std::string& path, const json::Value& resolved,
                std::vector<Parameter>& out) {
  if (is_remark(path)) {
    return;
  }
  if (value.is_object()) {
    for (const json::Member& member : value.object()) {
      add_fields(member.second, path.empty() ? member.first : path + "." + member.first, resolved, out);
    }
  } else if (value.is_array()) {
    for (std::size_t i = 0; i < value.array().size(); ++i) {
      if (value.array()[i].is_object()) {
        add_fields(value.array()[i], path + "[" + std::to_string(i) + "]", resolved, out);
      }
    }
  } else if (value.is_number() && value.number() != 0.0) {
    out.push_back({path, path.substr(0, path.find_first_of(".[")), value.number(), value.is_integer(),
                   setter(path, resolved, value.number(), value.is_integer())});
  }
}

}  // namespace

std::optional<Gpu> gpu_of(const json::Value& resolved, const Library& library) {
  const json::Value* named = json::find_at(resolved, "machine.gpu");
  if (named == nullptr || named->is_array()) {
    return std::nullopt;
  }
  std::vector<Problem> problems;
  Gpu gpu = resolve_gpu(*named, "machine.gpu", library, problems);
  return problems.empty() ? std::optional(std::move(gpu)) : std::nullopt;
}

void set_gpu_field(json::Value& document, const json::Value& resolved_gpu, const std::string& field,
                   double value) {
  opened(document, "machine.gpu", resolved_gpu);
  const bool whole = field == kSmCount;
  json::set_value(document, "machine.gpu." + field,
                  whole ? json::Value(static_cast<std::int64_t>(std::llround(value))) : json::Value(value),
                  field);
}

void scale_matrix_peaks(json::Value& document, const json::Value& resolved_gpu, const Gpu& gpu,
                        double factor) {
  opened(document, "machine.gpu", resolved_gpu);
  for (std::size_t i = 0; i < kPrecisionCount; ++i) {
    const auto p = static_cast<Precision>(i);
    if (gpu.peak(p)) {
      json::set_value(document, "machine.gpu.matrix_peak_tflops." + std::string(kPrecisionNames[i]),
                      json::Value(gpu.peak(p)->si() * 1e-12 * factor), "machine.gpu");
    }
  }
}

std::vector<Parameter> parameters_of(const json::Value& resolved, const Library& library) {
  std::vector<Parameter> out;
  add_gpu(resolved, library, out);
  add_model(resolved, library, out);
  add_fields(resolved, "", resolved, out);
  std::erase_if(out, [](const Parameter& p) { return p.value == 0.0; });
  return out;
}

}  // namespace gpuplan::sim
