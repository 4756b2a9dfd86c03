// JSON of calibrate/bench (host/report.h): each record is a bench, its parameters, a unit and a summary of
// samples. Parameters that follow from the others (FLOPs, bytes) or only say how it was measured (buffers,
// steps) are no part of the shape.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "calibrate/import/readers.h"
#include "calibrate/import/text.h"

namespace gpuplan::calibrate {

namespace {

// How a bench becomes a family: the parameters that make its shape, and a field that tells it from benches of
// the same family.
struct Mapping {
  std::string_view bench, family;
  std::array<std::string_view, 7> keys;
  std::string_view field, value;  // value empty: the flag is true
};
constexpr std::array kMappings = {
    Mapping{"gemm", "gemm", {"dtype", "m", "n", "k"}, "", ""},
    Mapping{"tensor_peak", "tensor_peak", {"dtype", "m", "n", "k", "data"}, "", ""},
    Mapping{"tensor_sustained", "tensor_sustained", {"dtype", "data", "phase", "duration_s"}, "", ""},
    Mapping{"attention_prefill",
            "attention_prefill",
            {"batch", "heads", "kv_heads", "seq", "head_dim", "causal", "dtype"},
            "",
            ""},
    Mapping{"attention_decode",
            "attention_decode",
            {"batch", "heads", "kv_heads", "context", "head_dim", "dtype"},
            "",
            ""},
    Mapping{"rows", "row_pass", {"op", "rows", "cols", "dtype"}, "", ""},
    Mapping{"launch_stream", "launch", {"blocks", "threads"}, "issue", "stream"},
    Mapping{"launch_graph", "launch", {"blocks", "threads"}, "issue", "graph"},
    Mapping{"graph_replay", "graph", {"kernels"}, "", ""},
    Mapping{"pcie_copy", "host_copy", {"direction", "memory", "bytes"}, "", ""},
    Mapping{"pcie_copy_and_wait", "host_copy", {"direction", "memory", "bytes"}, "waited", ""},
    Mapping{"bandwidth", "memory_bandwidth", {"op", "footprint_bytes"}, "", ""},
    Mapping{"latency", "memory_latency", {"footprint_bytes"}, "", ""},
    Mapping{"parallelism", "occupancy_bandwidth", {"warps_per_sm", "loads_in_flight", "load_bytes"}, "", ""},
    Mapping{"collective", "collective", {"op", "ranks", "bytes"}, "", ""},
    Mapping{"peer_copy", "peer_copy", {"from", "to", "both_ways", "bytes"}, "", ""},
};

// Reads one document and collects what is wrong with it.
class Reader {
 public:
  Reader(const json::Value& document, ImportedFile& file) : document_(document), file_(file) {}

  void read() {
    read_head();
    const json::Value* records = document_.find("records");
    if (records == nullptr || !records->is_array()) {
      problem("$.records", records, "an array");
    } else {
      for (std::size_t i = 0; i < records->array().size() && problems_.size() < kMostProblems; ++i) {
        read_record(records->array()[i], fmt::format("$.records[{}]", i));
      }
    }
    if (!problems_.empty()) {
      throw InputError(std::move(problems_));
    }
    read_sections();
  }

 private:
  static constexpr std::size_t kMostProblems = 20;

  void problem(const std::string& path, const json::Value* found, const std::string& expected) {
    problems_.push_back(
        {file_.path + ": " + path, found == nullptr ? "nothing" : json::excerpt(*found), expected, ""});
  }

  std::string text(const json::Value& object, const std::string& path, std::string_view name) {
    const json::Value* found = object.find(name);
    if (found == nullptr || !found->is_string()) {
      problem(path + "." + std::string(name), found, "a string");
      return "";
    }
    return found->string();
  }

  void read_head() {
    const json::Value* schema = document_.find("schema");
    if (schema == nullptr || *schema != json::Value(1)) {
      problem("$.schema", schema, "1, the only schema there is");
    }
    const json::Value* device = document_.find("device");
    if (device == nullptr || !device->is_object()) {
      problem("$.device", device, "an object");
    } else {
      device_ = text(*device, "$.device", "name");
    }
    const json::Value* mode = document_.find("mode");
    source_ = "gpuplan-bench" + (mode != nullptr && mode->is_string() ? " " + printable(mode->string()) : "");
    const json::Value* passed = document_.find("passed");
    if (passed != nullptr && *passed == json::Value(false)) {
      file_.notes.emplace_back("the suite did not pass: a check failed or a section broke off");
    }
  }

  void read_record(const json::Value& record, const std::string& path) {
    const std::size_t before = problems_.size();
    const std::string bench = text(record, path, "bench"), unit = text(record, path, "unit");
    const json::Value* params = record.find("params");
    if (params == nullptr || !params->is_object()) {
      problem(path + ".params", params, "an object");
    }
    const json::Value* median = record.find("median");
    if (median == nullptr || !(median->is_null() || (median->is_number() && median->number() >= 0.0))) {
      problem(path + ".median", median, "a number >= 0, or null");
    }
    if (problems_.size() > before) {
      return;
    }
    if (median->is_null() || median->number() == 0.0) {
      file_.skip(median->is_null() ? "no value (null)" : "a value of zero");
      return;
    }
    Measurement m;
    m.id = file_name(file_.path) + ":" + path;
    m.where = file_.path + ": " + path + ".params";
    m.source = source_;
    m.gpu = device_;
    m.unit = unit;
    m.value = median->number();
    const json::Value *p10 = record.find("p10"), *p90 = record.find("p90");
    m.spread = spread_of(p10, p90);
    if (!m.spread && p10 != nullptr && p90 != nullptr && !p10->is_null() && !p90->is_null()) {
      problem(path + ".p90", p90, "a number >= p10 >= 0, or null");
    }
    set_shape(m, bench, *params, path + ".params");
    if (problems_.size() == before) {
      file_.rows.push_back(std::move(m));
    }
  }

  void set_shape(Measurement& m, const std::string& bench, const json::Value& params,
                 const std::string& path) {
    const auto* mapping =
        std::find_if(kMappings.begin(), kMappings.end(), [&](const Mapping& k) { return k.bench == bench; });
    if (mapping == kMappings.end()) {
      m.family = bench;
      m.shape = params;
      return;
    }
    m.family = mapping->family;
    const json::Value* kernel = params.find("kernel");
    if (bench == "attention_prefill" && kernel != nullptr && *kernel == json::Value("naive")) {
      m.family = "attention_standard";
    }
    json::Object shape;
    if (!mapping->value.empty()) {
      shape.emplace_back(mapping->field, json::Value(mapping->value));
    }
    for (const std::string_view key : mapping->keys) {
      if (key.empty()) {
        continue;
      }
      const json::Value* found = params.find(key);
      if (found == nullptr || found->is_object() || found->is_array()) {
        problem(path + "." + std::string(key), found, "a value");
        continue;
      }
      shape.emplace_back(key, *found);
    }
    if (!mapping->field.empty() && mapping->value.empty()) {
      shape.emplace_back(mapping->field, true);
    }
    m.shape = std::move(shape);
  }

  // What was not measured, and why.
  void read_sections() {
    const json::Value* sections = document_.find("sections");
    if (sections == nullptr || !sections->is_array()) {
      return;
    }
    for (const json::Value& section : sections->array()) {
      const auto points = [&](std::string_view name, const char* reason) {
        const json::Value* listed = section.find(name);
        if (listed != nullptr && listed->is_array() && !listed->array().empty()) {
          file_.skip(reason, static_cast<std::int64_t>(listed->array().size()));
        }
      };
      points("cut", "not measured: the suite's time was up");
      points("unsupported", "not measured: the GPU or a library cannot do it");
      const json::Value *name = section.find("name"), *error = section.find("error");
      if (error != nullptr && error->is_string() && name != nullptr && name->is_string()) {
        file_.notes.push_back("section " + printable(name->string()) +
                              " broke off: " + printable(error->string()));
      }
    }
  }

  const json::Value& document_;
  ImportedFile& file_;
  std::string device_, source_;
  std::vector<Problem> problems_;
};

}  // namespace

bool is_bench_suite(std::string_view text) {
  const std::size_t start = text.find_first_not_of(" \t\r\n");
  return start != std::string_view::npos && text[start] == '{' &&
         text.substr(0, 4096).find("\"gpuplan-bench\"") != std::string_view::npos;
}

void read_bench_suite(std::string_view text, ImportedFile& file) {
  const json::Value document = json::parse(text, file.path);
  Reader(document, file).read();
}

}  // namespace gpuplan::calibrate
