#include "calibrate/validate/serving_rows.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <map>

#include "calibrate/validate/simulated_rows.h"
#include "calibrate/validate/table_reader.h"
#include "sim/serving/engine_profile.h"

namespace gpuplan::calibrate {

namespace {

// One configuration and load.
struct Case {
  std::string gpu, model, framework, precision;
  int tensor_parallel = 1, gpus = 1;
  std::int64_t input = 0, output = 0;
  std::string load;
  double load_value = 0.0;
  bool drawn = false;  // lengths drawn from 80 to 100 % of input and output
};

class Row {
 public:
  explicit Row(const TableReader& table) : table_(table) {}
  [[nodiscard]] const std::string& text(std::string_view column) const {
    return table_.text(table_.required_column(column));
  }
  // A number, or `fallback` where the field is empty or no number.
  [[nodiscard]] double number(std::string_view column, double fallback) const {
    const std::string& field = text(column);
    char* end = nullptr;
    const double value = std::strtod(field.c_str(), &end);
    return field.empty() || end != field.c_str() + field.size() ? fallback : value;
  }

 private:
  const TableReader& table_;
};

// Precision of a row: as stated, or as the checkpoint's name says.
std::string precision_of(const Row& row) {
  const std::string& stated = row.text("precision");
  const std::string& model = row.text("model");
  if (!stated.empty()) {
    return stated.rfind("fp16", 0) == 0 ? "fp16" : stated;
  }
  return model.find("FP8") != std::string::npos     ? "fp8"
         : model.find("NVFP4") != std::string::npos ? "fp4"
                                                    : "bf16";
}

// Why a row cannot be expressed; empty where it can. Fills `c`.
std::string express(const Row& row, const sim::Library& library, Case& c) {
  const std::string& mode = row.text("mode");
  if (mode == "disagg") {
    return "disaggregated prefill and decode";
  }
  const Model* model = library.models.model(row.text("model"));
  if (model == nullptr) {
    return "model not in the catalogue";
  }
  if (model->kind != ModelKind::decoder || model->moe) {
    return "mixture of experts";
  }
  const Gpu* gpu = library.hardware.gpu(row.text("gpu"));
  if (gpu == nullptr) {
    return "GPU not in the catalogue";
  }
  if (row.number("pp", 1) > 1) {
    return "pipeline parallel";
  }
  if (row.number("attn_dp", 1) > 1) {
    return "data-parallel attention";
  }
  c.tensor_parallel = static_cast<int>(row.number("tp", 0));
  if (c.tensor_parallel < 1) {
    return "tensor parallel degree unknown";
  }
  c.gpus = std::max(c.tensor_parallel, static_cast<int>(row.number("gpus", c.tensor_parallel)));
  if (!check_split(*model, c.tensor_parallel, "tp").empty()) {
    return "tensor parallel degree does not divide the model";
  }
  c.input = static_cast<std::int64_t>(row.number("input_len", 0));
  c.output = static_cast<std::int64_t>(row.number("output_len", 0));
  if (c.input < 1 || c.output < 1) {
    return "lengths unknown";
  }
  c.load = row.text("load");
  c.load_value = row.number("load_value", 0.0);
  if (c.load != "max" && c.load != "concurrency" && c.load != "rate" && c.load != "static_batch") {
    return "load not expressed: " + c.load.substr(0, 40);
  }
  if (c.load != "max" && c.load_value <= 0.0) {
    return "load unknown";
  }
  // Rows named by date come from InferenceX, whose client draws lengths with a range ratio of 0.8 (assumed
  // from its published settings; the table itself does not say). Other rows are taken as fixed.
  const std::string& id = row.text("id");
  c.drawn = id.size() > 11 && id[4] == '_' && id[7] == '_' && id[10] == '_' && id.rfind("20", 0) == 0;
  c.precision = precision_of(row);
  if (c.precision != "fp16" && c.precision != "bf16" && c.precision != "fp8" && c.precision != "int4" &&
      c.precision != "fp4") {
    return "precision not expressed: " + c.precision;
  }
  if ((c.precision == "fp8" && !gpu->peak(Precision::fp8)) ||
      (c.precision == "fp4" && !gpu->peak(Precision::nvfp4))) {
    return "precision not computed by this GPU";
  }
  c.gpu = gpu->name;
  c.model = model->name;
  c.framework = row.text("framework");
  const std::vector<std::string> engines = sim::engine_profile_names(library.data_dir);
  if (std::find(engines.begin(), engines.end(), c.framework) == engines.end()) {
    return "no engine profile: " + c.framework;
  }
  return "";
}

// Lengths as the benchmark drew them: fixed, or uniform over 80 to 100 % of the nominal length.
json::Value lengths(std::int64_t tokens, bool drawn) {
  json::Value v;
  if (drawn) {
    v["distribution"] = "uniform";
    v["min"] = std::max<std::int64_t>(1, tokens * 4 / 5);
    v["max"] = tokens;
    return v;
  }
  v["distribution"] = "fixed";
  v["mean"] = tokens;
  return v;
}

json::Value scenario_of(const Case& c) {
  json::Value s;
  s["schema"] = 1;
  s["kind"] = "serving";
  s["name"] = "validation";
  s["machine"]["gpu"] = c.gpu;
  s["machine"]["gpus"] = c.gpus;
  s["model"] = c.model;
  const bool quantised = c.precision == "fp8" || c.precision == "fp4";
  // Qwen3's own fp8 checkpoints are scaled in blocks of 128 x 128, those of Llama per tensor.
  s["precision"]["weights"] = c.precision == "fp4"                                   ? "nvfp4"
                              : c.precision == "fp8" && c.model.starts_with("qwen3") ? "fp8_block"
                                                                                     : c.precision;
  // TensorRT-LLM's quantised checkpoints come with an fp8 KV cache, vLLM and SGLang keep 16 bit by default.
  s["precision"]["kv"] = quantised && c.framework == "trtllm" ? "fp8" : "bf16";
  s["parallelism"]["tensor_parallel"] = c.tensor_parallel;
  json::Value engine, traffic, arrivals;  // a member moves when the next one is added
  engine["profile"] = c.framework;
  engine["max_model_len"] = c.input + c.output + 16;
  engine["max_num_batched_tokens"] = std::max<std::int64_t>(8192, c.input);
  traffic["prompt"] = lengths(c.input, c.drawn);
  traffic["output"] = lengths(c.output, c.drawn);
  if (c.load == "concurrency") {
    const std::int64_t users = std::max<std::int64_t>(1, std::llround(c.load_value));
    arrivals["process"] = "closed_loop";
    arrivals["concurrency"] = users;
    traffic["requests"] = std::max<std::int64_t>(6, 5 * users);
    traffic["warmup_requests"] = users;
    engine["max_num_seqs"] = std::max<std::int64_t>(256, users);
  } else if (c.load == "rate") {
    arrivals["process"] = "poisson";
    arrivals["rate"] = c.load_value;
    traffic["requests"] = 400;
    traffic["warmup_requests"] = 40;
  } else {
    const std::int64_t batch = c.load == "max" ? 1000 : std::max<std::int64_t>(1, std::llround(c.load_value));
    arrivals["process"] = "burst";
    traffic["requests"] = batch;
    engine["max_num_seqs"] = c.load == "max" ? 2048 : std::max<std::int64_t>(256, batch);
  }
  traffic["arrivals"] = std::move(arrivals);
  s["engine"] = std::move(engine);
  s["traffic"] = std::move(traffic);
  return s;
}

}  // namespace

bool is_serving_table(const std::string& path) {
  try {
    const TableReader table(path);
    return table.column("load_value") && table.column("metric") && table.column("framework");
  } catch (const InputError&) {
    return false;
  }
}

ValidationRows validate_serving_table(const std::string& path, const sim::Library& library,
                                      const ServingTableOptions& options) {
  TableReader table(path);
  ValidationRows out;
  std::map<std::string, std::size_t> index;
  std::vector<SimulatedCase> cases;
  while (table.next()) {
    const Row row(table);
    const bool wanted = std::all_of(options.where.begin(), options.where.end(), [&](const auto& condition) {
      return row.text(condition.first) == condition.second;
    });
    if (!wanted) {
      continue;
    }
    Case c;
    const std::string reason = express(row, library, c);
    if (!reason.empty()) {
      out.skip(reason);
      continue;
    }
    const double value = row.number("value", -1.0);
    if (!(value > 0.0)) {
      out.skip("no measured value");
      continue;
    }
    json::Value scenario = scenario_of(c);
    for (const auto& [field, setting] : options.engine) {
      scenario["engine"][field] = setting;
    }
    const auto [at, added] = index.try_emplace(json::dump(scenario), cases.size());
    if (added) {
      cases.push_back({std::move(scenario), table.where(), ".", {}});
    }
    cases[at->second].metrics.push_back({fmt::format("{}#{}", row.text("id"), table.line()),
                                         row.text("metric"),
                                         value,
                                         {{"gpu", c.gpu},
                                          {"framework", c.framework},
                                          {"metric", row.text("metric")},
                                          {"trust", row.text("trust")},
                                          {"model", c.model}}});
  }
  out.append(simulate_cases(cases, library, options.jobs));
  return out;
}

}  // namespace gpuplan::calibrate
