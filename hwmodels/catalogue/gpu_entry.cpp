// GPU files: one table of fields serves the files and the overrides of a scenario.
#include <algorithm>

#include "hwmodels/catalogue/entry.h"
#include "hwmodels/catalogue/gpu_number.h"

namespace gpuplan {

namespace {

struct NumberField {
  std::string_view name;
  bool integer;
  json::Range range;
  void (*set)(Gpu&, double);
  double (*get)(const Gpu&);
};

struct TextField {
  std::string_view name;
  std::string Gpu::*member;
};

std::size_t index(Precision p) { return static_cast<std::size_t>(p); }

// Sets a peak and whatever follows it: a format that runs at the same rate unless it is given itself.
void set_with_follower(std::optional<FlopsPerSecond>& leader, std::optional<FlopsPerSecond>& follower,
                       FlopsPerSecond peak) {
  if (!follower || follower == leader) {
    follower = peak;
  }
  leader = peak;
}

// GEMMs in fp32 and fp64 run at the vector rate where the GPU has no matrix unit for them.
void set_vector_peak(Gpu& gpu, FlopsPerSecond Gpu::*vector, Precision matrix, double tflops) {
  std::optional<FlopsPerSecond>& peak = gpu.matrix_peak[index(matrix)];
  const FlopsPerSecond value(tflops * 1e12);
  if (value > FlopsPerSecond() && (!peak || peak == gpu.*vector)) {
    peak = value;
  }
  gpu.*vector = value;
}

constexpr json::Range kCount{.min = 0, .max = 1e9};
constexpr json::Range kAmount{.min = 0, .max = 1e9};

const NumberField kNumbers[] = {
    {"sm_count",
     true,
     {.min = 1, .max = 1e6},
     [](Gpu& g, double v) { g.sm_count = static_cast<int>(v); },
     [](const Gpu& g) -> double { return g.sm_count; }},
    {"boost_clock_mhz", false, json::positive(), [](Gpu& g, double v) { g.boost_clock = Hertz(v * 1e6); },
     [](const Gpu& g) -> double { return g.boost_clock.si() * 1e-6; }},
    {"vector_fp32_tflops", false, kAmount,
     [](Gpu& g, double v) { set_vector_peak(g, &Gpu::vector_fp32_peak, Precision::fp32, v); },
     [](const Gpu& g) -> double { return g.vector_fp32_peak.si() * 1e-12; }},
    {"vector_fp64_tflops", false, kAmount,
     [](Gpu& g, double v) { set_vector_peak(g, &Gpu::vector_fp64_peak, Precision::fp64, v); },
     [](const Gpu& g) -> double { return g.vector_fp64_peak.si() * 1e-12; }},
    {"sparse_factor",
     false,
     {.min = 1, .max = 16},
     [](Gpu& g, double v) { g.sparse_factor = v; },
     [](const Gpu& g) -> double { return g.sparse_factor; }},
    {"memory_gb", false, json::positive(), [](Gpu& g, double v) { g.memory = Bytes(v * 1e9); },
     [](const Gpu& g) -> double { return g.memory.si() * 1e-9; }},
    {"memory_bandwidth_gbps", false, json::positive(),
     [](Gpu& g, double v) { g.memory_bandwidth = BytesPerSecond(v * 1e9); },
     [](const Gpu& g) -> double { return g.memory_bandwidth.si() * 1e-9; }},
    {"l2_mib", false, kAmount, [](Gpu& g, double v) { g.l2 = Bytes(v * 1048576.0); },
     [](const Gpu& g) -> double { return g.l2.si() / 1048576.0; }},
    {"l2_mb", false, kAmount, [](Gpu& g, double v) { g.l2 = Bytes(v * 1e6); },
     [](const Gpu& g) -> double { return g.l2.si() * 1e-6; }},
    {"shared_memory_kib_per_sm", false, kAmount,
     [](Gpu& g, double v) { g.shared_memory_per_sm = Bytes(v * 1024.0); },
     [](const Gpu& g) -> double { return g.shared_memory_per_sm.si() / 1024.0; }},
    {"registers_per_sm", true, kCount, [](Gpu& g, double v) { g.registers_per_sm = static_cast<int>(v); },
     [](const Gpu& g) -> double { return g.registers_per_sm; }},
    {"max_warps_per_sm", true, kCount, [](Gpu& g, double v) { g.max_warps_per_sm = static_cast<int>(v); },
     [](const Gpu& g) -> double { return g.max_warps_per_sm; }},
    {"scale_up_bandwidth_gbps", false, kAmount,
     [](Gpu& g, double v) { g.scale_up_bandwidth = BytesPerSecond(v * 1e9); },
     [](const Gpu& g) -> double { return g.scale_up_bandwidth.si() * 1e-9; }},
    {"scale_up_links", true, kCount, [](Gpu& g, double v) { g.scale_up_links = static_cast<int>(v); },
     [](const Gpu& g) -> double { return g.scale_up_links; }},
    {"pcie_generation",
     true,
     {.min = 0, .max = 16},
     [](Gpu& g, double v) { g.pcie_generation = static_cast<int>(v); },
     [](const Gpu& g) -> double { return g.pcie_generation; }},
    {"pcie_bandwidth_gbps", false, kAmount,
     [](Gpu& g, double v) { g.pcie_bandwidth = BytesPerSecond(v * 1e9); },
     [](const Gpu& g) -> double { return g.pcie_bandwidth.si() * 1e-9; }},
    {"c2c_bandwidth_gbps", false, kAmount,
     [](Gpu& g, double v) { g.c2c_bandwidth = BytesPerSecond(v * 1e9); },
     [](const Gpu& g) -> double { return g.c2c_bandwidth.si() * 1e-9; }},
    {"tdp_w", false, kAmount, [](Gpu& g, double v) { g.tdp = Watts(v); },
     [](const Gpu& g) -> double { return g.tdp.si(); }},
    {"die_area_mm2", false, kAmount, [](Gpu& g, double v) { g.die_area = SquareMetres(v * 1e-6); },
     [](const Gpu& g) -> double { return g.die_area.si() * 1e6; }},
};

// Facts with a source.
const TextField kTexts[] = {
    {"architecture", &Gpu::architecture},
    {"memory_type", &Gpu::memory_type},
    {"process", &Gpu::process},
};

// Names, which have none.
const TextField kNames[] = {
    {"name", &Gpu::name},
    {"vendor", &Gpu::vendor},
    {"kernel_profile", &Gpu::kernel_profile},
};

template <class Field, std::size_t n>
const Field* find(const Field (&table)[n], std::string_view name) {
  const auto* at =
      std::find_if(std::begin(table), std::end(table), [&](const Field& f) { return f.name == name; });
  return at == std::end(table) ? nullptr : at;
}

std::vector<std::string> field_names() {
  std::vector<std::string> out;
  for (const NumberField& field : kNumbers) {
    out.emplace_back(field.name);
  }
  for (const TextField& field : kTexts) {
    out.emplace_back(field.name);
  }
  for (const TextField& field : kNames) {
    out.emplace_back(field.name);
  }
  out.insert(out.end(), {"aliases", "matrix_peak_tflops", "facts"});
  return out;
}

// "fp4" stands for both block formats of it; the names of Precision otherwise.
constexpr std::string_view kFp4 = "fp4";

std::vector<std::string> peak_names() {
  std::vector<std::string> out(kPrecisionNames.begin(), kPrecisionNames.end());
  out.emplace_back(kFp4);
  return out;
}

// The formats that a member of matrix_peak_tflops sets, the first being the leader.
std::vector<Precision> precisions_of(std::string_view name) {
  if (name == kFp4) {
    return {Precision::nvfp4, Precision::mxfp4};
  }
  for (std::size_t i = 0; i < kPrecisionCount; ++i) {
    if (kPrecisionNames[i] == name) {
      const auto p = static_cast<Precision>(i);
      return p == Precision::fp8 ? std::vector{p, Precision::fp8_block} : std::vector{p};
    }
  }
  return {};
}

// True where `name` is a format; tflops is checked by the caller.
void set_peak(Gpu& gpu, std::string_view name, double tflops) {
  const std::vector<Precision> formats = precisions_of(name);
  const FlopsPerSecond peak(tflops * 1e12);
  if (formats.size() == 2) {
    set_with_follower(gpu.matrix_peak[index(formats[0])], gpu.matrix_peak[index(formats[1])], peak);
  } else {
    gpu.matrix_peak[index(formats[0])] = peak;
  }
}

// Notes the source of a peak under the name of every format that it sets.
void spread_peak_sources(std::map<std::string, Source>& sources) {
  const auto copy = [&](const std::string& from, const std::string& to) {
    const auto at = sources.find(from);
    if (at != sources.end() && !sources.contains(to)) {
      sources.emplace(to, Source{at->second.text + " (the rate of " + from.substr(from.find('.') + 1) + ")",
                                 at->second.standing});
    }
  };
  copy("matrix_peak_tflops.fp8", "matrix_peak_tflops.fp8_block");
  copy("matrix_peak_tflops.fp4", "matrix_peak_tflops.nvfp4");
  copy("matrix_peak_tflops.fp4", "matrix_peak_tflops.mxfp4");
  copy("vector_fp32_tflops", "matrix_peak_tflops.fp32");
  copy("vector_fp64_tflops", "matrix_peak_tflops.fp64");
}

}  // namespace

namespace catalogue {

Gpu read_gpu(Entry& entry, json::Value raw) {
  Gpu gpu;
  gpu.name = entry.text("name", json::required);
  gpu.vendor = entry.text("vendor", json::required);
  gpu.kernel_profile = entry.text("kernel_profile", json::required);
  gpu.aliases = entry.texts("aliases");
  for (const auto& [name, cell] : entry.root().object()) {
    double number = 0;
    if (const NumberField* field = find(kNumbers, name)) {
      if (entry.number(cell, name, field->range, field->integer, number)) {
        field->set(gpu, number);
      }
    } else if (const TextField* text = find(kTexts, name)) {
      entry.text(cell, name, gpu.*(text->member));
    } else if (name == "matrix_peak_tflops" && cell.is_object()) {
      for (const auto& [format, peak] : cell.object()) {
        const std::string path = "matrix_peak_tflops." + format;
        if (precisions_of(format).empty()) {
          entry.unknown(path, peak_names());
        } else if (entry.number(peak, path, json::positive(), false, number)) {
          set_peak(gpu, format, number);
        }
      }
    } else if (name == "facts") {
      entry.facts(cell);
    } else if (find(kNames, name) == nullptr && name != "aliases" && !is_remark(name)) {
      entry.unknown(name, field_names());
    }
  }
  for (const char* field :
       {"sm_count", "boost_clock_mhz", "matrix_peak_tflops", "memory_gb", "memory_bandwidth_gbps", "tdp_w"}) {
    if (entry.root().find(field) == nullptr) {
      entry.problem(field, "nothing", "a value (the field is required)");
    }
  }
  gpu.sources = entry.take_sources();
  spread_peak_sources(gpu.sources);
  gpu.raw = std::move(raw);
  return gpu;
}

}  // namespace catalogue

namespace {

// Reads one scenario's overrides of one GPU.
class Overrides {
 public:
  Overrides(const Gpu& base, const std::string& path) : gpu_(base), path_(path) {}

  Gpu apply(const json::Value& overrides) {
    if (!overrides.is_object()) {
      throw InputError(Problem{path_, json::excerpt(overrides), "an object of GPU fields", ""});
    }
    // Clock and SM count scale the peaks, so they come before the peaks that the user states.
    const double before = gpu_.sm_count * gpu_.boost_clock.si();
    for (const char* name : {"sm_count", "boost_clock_mhz"}) {
      if (const json::Value* value = overrides.find(name)) {
        set(name, *value);
      }
    }
    const double after = gpu_.sm_count * gpu_.boost_clock.si();
    if (before > 0 && after != before) {
      scale_peaks(after / before);
    }
    for (const auto& [name, value] : overrides.object()) {
      if (name != "sm_count" && name != "boost_clock_mhz") {
        set(name, value);
      }
    }
    if (!problems_.empty()) {
      throw InputError(std::move(problems_));
    }
    return std::move(gpu_);
  }

 private:
  void problem(const std::string& name, std::string found, std::string expected,
               std::string suggestion = "") {
    problems_.push_back({path_ + "." + name, std::move(found), std::move(expected), std::move(suggestion)});
  }

  bool number(const std::string& name, const json::Value& value, json::Range range, bool integer) {
    const bool good = value.is_number() && json::inside(range, value.number()) &&
                      (!integer || std::nearbyint(value.number()) == value.number());
    if (!good) {
      problem(name, json::excerpt(value), json::describe_range(range, integer));
    }
    return good;
  }

  void note(const std::string& name) {
    gpu_.sources[name] = Source{"given in the scenario", Standing::assumed};
  }

  void scale_peaks(double factor) {
    for (std::optional<FlopsPerSecond>& peak : gpu_.matrix_peak) {
      if (peak) {
        *peak *= factor;
      }
    }
    gpu_.vector_fp32_peak *= factor;
    gpu_.vector_fp64_peak *= factor;
    for (auto& [name, source] : gpu_.sources) {
      if (name.starts_with("matrix_peak_tflops.") || name.starts_with("vector_fp")) {
        source = {source.text + " (scaled by the scenario's SM count and clock)", Standing::derived};
      }
    }
  }

  void set_peaks(const json::Value& peaks) {
    if (!peaks.is_object()) {
      problem("matrix_peak_tflops", json::excerpt(peaks), "an object of formats, as {\"bf16\": 989}");
      return;
    }
    for (const auto& [format, value] : peaks.object()) {
      const std::string name = "matrix_peak_tflops." + format;
      const std::vector<Precision> formats = precisions_of(format);
      if (formats.empty()) {
        problem(name.substr(0, 80), "an unknown format", "a precision", did_you_mean(format, peak_names()));
      } else if (value.is_null()) {
        for (const Precision p : formats) {
          gpu_.matrix_peak[index(p)].reset();
        }
        note(name);
      } else if (number(name, value, json::positive(), false)) {
        set_peak(gpu_, format, value.number());
        note(name);
        for (const Precision p : formats) {
          note("matrix_peak_tflops." + std::string(kPrecisionNames[index(p)]));
        }
      }
    }
  }

  void set(const std::string& name, const json::Value& value) {
    if (const NumberField* field = find(kNumbers, name)) {
      if (number(name, value, field->range, field->integer)) {
        field->set(gpu_, value.number());
        note(name == "l2_mb" ? "l2_mib" : name);
      }
      return;
    }
    const TextField* text = find(kTexts, name);
    if (text == nullptr) {
      text = find(kNames, name);
    }
    if (text != nullptr) {
      if (value.is_string()) {
        gpu_.*(text->member) = value.string();
        note(name);
      } else {
        problem(name, json::excerpt(value), "a string");
      }
    } else if (name == "matrix_peak_tflops") {
      set_peaks(value);
    } else if (name != "base" && !catalogue::is_remark(name)) {
      problem(name.substr(0, 60), "an unknown field", "a field of a GPU", did_you_mean(name, field_names()));
    }
  }

  Gpu gpu_;
  std::string path_;
  std::vector<Problem> problems_;
};

}  // namespace

Gpu with_overrides(const Gpu& base, const json::Value& overrides, const std::string& path) {
  return Overrides(base, path).apply(overrides);
}

std::optional<double> gpu_number(const Gpu& gpu, std::string_view field) {
  const NumberField* found = find(kNumbers, field);
  return found == nullptr ? std::nullopt : std::optional(found->get(gpu));
}

}  // namespace gpuplan
