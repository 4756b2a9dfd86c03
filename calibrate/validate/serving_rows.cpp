#include "calibrate/validate/serving_rows.h"

#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <map>

#include "calibrate/validate/table_reader.h"
#include "sim/report/serving_report.h"
#include "sim/serving/simulation.h"

namespace gpuplan::calibrate {

namespace {

struct MeasuredMetric {
  std::string id, name, trust;
  double value = 0.0;
};

// One configuration and load, with all metrics measured of it.
struct Case {
  std::string gpu, model, framework, precision;
  int tensor_parallel = 1, gpus = 1;
  std::int64_t input = 0, output = 0;
  std::string load;
  double load_value = 0.0;
  bool drawn = false;  // lengths drawn from 80 to 100 % of input and output
  std::vector<MeasuredMetric> metrics;
};

// What a simulation says of one metric; `name` empty: the reason why it says nothing.
struct Prediction {
  double value = 0.0, low = 0.0, high = 0.0;
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
  s["precision"]["weights"] = c.precision == "fp4" ? "nvfp4" : c.precision;
  // TensorRT-LLM's quantised checkpoints come with an fp8 KV cache, vLLM and SGLang keep 16 bit by default.
  s["precision"]["kv"] = quantised && c.framework == "trtllm" ? "fp8" : "bf16";
  s["parallelism"]["tensor_parallel"] = c.tensor_parallel;
  json::Value& engine = s["engine"];
  engine["profile"] = c.framework;
  engine["max_model_len"] = c.input + c.output + 16;
  engine["max_num_batched_tokens"] = std::max<std::int64_t>(8192, c.input);
  json::Value& traffic = s["traffic"];
  traffic["prompt"] = lengths(c.input, c.drawn);
  traffic["output"] = lengths(c.output, c.drawn);
  json::Value& arrivals = traffic["arrivals"];
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
  return s;
}

// Runs one case; the answer is one line: "metric value low high" ..., or "!reason".
std::string simulate_case(const Case& c, const sim::Library& library) {
  try {
    const sim::ServingScenario scenario = sim::resolve_serving(scenario_of(c), "row", ".", library);
    if (sim::check_fit(scenario, library)) {
      return "!does not fit by our memory model";
    }
    sim::ServingOutcome outcome = sim::simulate_serving(scenario, library.data_dir);
    const sim::Result result = sim::report_serving(scenario, outcome, library);
    if (outcome.rejected > 0) {
      return "!requests longer than the KV cache";
    }
    std::string line;
    for (const sim::Metric& metric : result.metrics) {
      if (metric.value.is_number()) {
        const double value = metric.value.number();
        const std::array<double, 2> range = metric.interval80.value_or(std::array<double, 2>{value, value});
        line += fmt::format("{} {:.17g} {:.17g} {:.17g} ", metric.name, value, range[0], range[1]);
      }
    }
    return line;
  } catch (const InputError& error) {
    return "!scenario refused: " + error.problems().front().path + " expects " +
           error.problems().front().expected;
  }
}

std::map<std::string, Prediction> parse(const std::string& line) {
  std::map<std::string, Prediction> out;
  std::size_t at = 0;
  while (at < line.size()) {
    const std::size_t space = line.find(' ', at);
    if (space == std::string::npos) {
      break;
    }
    const std::string name = line.substr(at, space - at);
    char* end = nullptr;
    Prediction p;
    p.value = std::strtod(line.c_str() + space, &end);
    p.low = std::strtod(end, &end);
    p.high = std::strtod(end, &end);
    out[name] = p;
    at = static_cast<std::size_t>(end - line.c_str()) + 1;
  }
  return out;
}

// Simulates all cases in `jobs` child processes; answers by case, "" where a child died.
std::vector<std::string> simulate_all(const std::vector<Case>& cases, const sim::Library& library, int jobs) {
  std::vector<std::string> answers(cases.size());
  std::vector<std::pair<int, pid_t>> children;
  for (int job = 0; job < jobs; ++job) {
    std::array<int, 2> ends{};
    if (pipe(ends.data()) != 0) {
      break;
    }
    const pid_t child = fork();
    if (child == 0) {
      close(ends[0]);
      std::FILE* out = fdopen(ends[1], "w");
      for (std::size_t i = static_cast<std::size_t>(job); i < cases.size();
           i += static_cast<std::size_t>(jobs)) {
        // One simulation a process would cost a start each; the engine's clock is its own, so a child does
        // many.
        const std::string answer = simulate_case(cases[i], library);
        std::fprintf(out, "%zu %s\n", i, answer.c_str());
      }
      std::fclose(out);
      _exit(0);
    }
    close(ends[1]);
    children.emplace_back(ends[0], child);
  }
  for (const auto& [fd, child] : children) {
    std::FILE* in = fdopen(fd, "r");
    char* line = nullptr;
    std::size_t capacity = 0;
    ssize_t length = 0;
    while ((length = getline(&line, &capacity, in)) > 0) {
      char* end = nullptr;
      const std::size_t index = std::strtoull(line, &end, 10);
      if (index < answers.size() && *end == ' ') {
        answers[index] = std::string(end + 1, static_cast<std::size_t>(line + length - (end + 1)));
        while (!answers[index].empty() && answers[index].back() == '\n') {
          answers[index].pop_back();
        }
      }
    }
    std::free(line);
    std::fclose(in);
    int status = 0;
    waitpid(child, &status, 0);
  }
  return answers;
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

ValidationRows validate_serving_table(const std::string& path, const ServingTableOptions& options) {
  TableReader table(path);
  ValidationRows out;
  std::map<std::string, std::size_t> index;
  std::vector<Case> cases;
  while (table.next()) {
    const Row row(table);
    const bool wanted = std::all_of(options.where.begin(), options.where.end(), [&](const auto& condition) {
      return row.text(condition.first) == condition.second;
    });
    if (!wanted) {
      continue;
    }
    Case c;
    const std::string reason = express(row, *options.library, c);
    if (!reason.empty()) {
      out.skip(reason);
      continue;
    }
    const double value = row.number("value", -1.0);
    if (!(value > 0.0)) {
      out.skip("no measured value");
      continue;
    }
    const std::string key = json::dump(scenario_of(c));
    const auto [at, added] = index.try_emplace(key, cases.size());
    if (added) {
      cases.push_back(std::move(c));
    }
    cases[at->second].metrics.push_back(
        {fmt::format("{}#{}", row.text("id"), table.line()), row.text("metric"), row.text("trust"), value});
  }

  const std::vector<std::string> answers = simulate_all(cases, *options.library, std::max(1, options.jobs));
  for (std::size_t i = 0; i < cases.size(); ++i) {
    const Case& c = cases[i];
    if (answers[i].empty() || answers[i][0] == '!') {
      out.skip(answers[i].empty() ? "simulation failed" : answers[i].substr(1),
               static_cast<std::int64_t>(c.metrics.size()));
      continue;
    }
    const std::map<std::string, Prediction> predictions = parse(answers[i]);
    for (const MeasuredMetric& metric : c.metrics) {
      const auto found = predictions.find(metric.name);
      if (found == predictions.end() || found->second.value <= 0.0) {
        out.skip("metric not defined for this load: " + metric.name);
        continue;
      }
      out.rows.push_back({metric.id,
                          {{"gpu", c.gpu},
                           {"framework", c.framework},
                           {"metric", metric.name},
                           {"trust", metric.trust},
                           {"model", c.model}},
                          metric.value,
                          found->second.value,
                          found->second.low,
                          found->second.high});
    }
  }
  return out;
}

}  // namespace gpuplan::calibrate
