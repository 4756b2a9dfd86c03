#include "calibrate/validate/training_rows.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "calibrate/validate/line_reader.h"
#include "sim/report/training_report.h"

namespace gpuplan::calibrate {

namespace {

constexpr const char* kContent = "rows of measured training steps, JSON lines";

std::string text_of(const json::Value& row, std::string_view name) {
  const json::Value* found = row.find(name);
  return found != nullptr && found->is_string() ? found->string() : "";
}

double metric_of(const json::Value& row, std::string_view name) {
  const json::Value* metrics = row.find("metrics");
  const json::Value* found = metrics != nullptr ? metrics->find(name) : nullptr;
  return found != nullptr && found->is_number() ? found->number() : 0.0;
}

// Short name of a source, as the tables of errors group by.
std::string family_of(const json::Value& row) {
  const std::string id = text_of(row, "id"), source = text_of(row, "source");
  static const std::pair<const char*, const char*> known[] = {
      {"vtrain-single", "single node, 1-8 A100"},
      {"vtrain", "vTrain 64-512 A100"},
      {"llmfoundry", "MosaicML FSDP"},
      {"bloom-1b3", "BigScience V100"},
      {"bloom", "BLOOM 384 A100"},
      {"mbridge", "Megatron-Bridge"},
      {"simumax", "SimuMax B200"},
      {"mlperf", "MLPerf"},
      {"torchtitan", "torchtitan"},
      {"internevo", "InternEvo"},
  };
  if (source.find("V100") != std::string::npos) {
    return "BigScience V100";
  }
  if (source.find("SC21") != std::string::npos) {
    return "SC21";
  }
  for (const auto& [prefix, family] : known) {
    if (id.starts_with(prefix)) {
      if (std::string_view(family) == "MLPerf") {
        return text_of(row, "framework").find("LoRA") != std::string::npos ? "MLPerf LoRA" : family;
      }
      const bool bridge = std::string_view(family) == "Megatron-Bridge";
      return bridge ? "Megatron-Bridge " + text_of(row, "gpu") : family;
    }
  }
  return source.substr(0, 28);
}

struct Measured {
  const char* metric;
  double value;
};
std::vector<Measured> figures_of(const json::Value& row) {
  std::vector<Measured> out;
  if (const double step = metric_of(row, "step_time_s"); step > 0.0) {
    out.push_back({"training.step_time", step});
  }
  if (const double gib = metric_of(row, "memory_gib"); gib > 0.0) {
    const json::Value* metrics = row.find("metrics");
    const bool allocated = text_of(*metrics, "memory_kind").find("allocated") != std::string::npos;
    out.push_back({allocated ? "training.memory.allocated_per_gpu" : "training.memory.total_per_gpu",
                   gib * 1073741824.0});
  }
  return out;
}

// What a row is grouped and chosen by.
std::map<std::string, std::string> key_of(const json::Value& row, const sim::TrainingScenario& s,
                                          const Measured& figure) {
  return {{"family", family_of(row)},
          {"gpu", s.machine.gpu.name},
          {"framework", std::string(json::name_of(s.job.software.framework))},
          {"metric", figure.metric},
          {"model", s.job.model.name},
          {"tensor", std::to_string(s.job.parallelism.tensor)},
          {"pipeline", std::to_string(s.job.parallelism.pipeline)},
          {"recompute", std::string(json::name_of(s.job.recompute))},
          {"precision", std::string(json::name_of(s.job.precision.compute))},
          {"moe", s.job.model.moe ? "yes" : "no"}};
}

bool matches(const std::map<std::string, std::string>& key,
             const std::vector<std::pair<std::string, std::string>>& where) {
  return std::all_of(where.begin(), where.end(), [&](const auto& condition) {
    const auto found = key.find(condition.first);
    return found != key.end() && found->second == condition.second;
  });
}

}  // namespace

bool is_training_rows(const std::string& path) {
  try {
    LineReader lines(path, kContent);
    if (lines.next()) {
      const json::Value first = json::parse(lines.text(), lines.where());
      return first.find("parallelism") != nullptr && first.find("metrics") != nullptr;
    }
  } catch (const InputError&) {
  }
  return false;
}

ValidationRows validate_training_rows(const std::string& path, const sim::Library& library,
                                      const std::vector<std::pair<std::string, std::string>>& where,
                                      const sim::StepConstants& constants) {
  ValidationRows out;
  const auto collectives = collectives::CollectiveModel::load(library.data_dir);
  std::map<std::string, kernels::KernelModel> models;  // by the scenario's text for the GPU
  LineReader lines(path, kContent);
  while (lines.next()) {
    const json::Value row = json::parse(lines.text(), lines.where());
    const std::vector<Measured> figures = figures_of(row);
    if (figures.empty()) {
      out.skip("neither step time nor memory measured");
      continue;
    }
    const auto count = static_cast<std::int64_t>(figures.size());
    std::string reason;
    const json::Value document = training_scenario_of(row, reason);
    if (!reason.empty()) {
      out.skip(reason, count);
      continue;
    }
    try {
      const sim::TrainingScenario s = sim::resolve_training(document, lines.where(), ".", library);
      std::vector<Measured> wanted;
      std::copy_if(figures.begin(), figures.end(), std::back_inserter(wanted),
                   [&](const Measured& figure) { return matches(key_of(row, s, figure), where); });
      if (wanted.empty()) {
        continue;
      }
      const std::string gpu = json::dump(*document.find("machine")->find("gpu"));
      auto model = models.find(gpu);
      if (model == models.end()) {
        model = models.emplace(gpu, kernels::KernelModel::for_gpu(s.machine.gpu, library.data_dir)).first;
      }
      const sim::TrainingOutcome o = simulate_training(s, model->second, collectives, {}, constants);
      const sim::Result result = report_training(s, o, library);
      const double ideal = o.estimate.model_flops / (s.job.gpus * training_peak(s).si());
      const double p = s.job.parallelism.pipeline, v = s.job.parallelism.virtual_stages;
      const double bubble = 1.0 + (p - 1.0) / (s.job.micro_batches() * v);
      const double again = o.estimate.hardware_flops / o.estimate.model_flops;
      for (const Measured& figure : wanted) {
        const sim::Metric* metric = result.find(figure.metric);
        const bool time = std::string_view(figure.metric) == "training.step_time";
        ValidationRow one;
        one.id = text_of(row, "id") + (time ? "" : " memory");
        one.key = key_of(row, s, figure);
        one.measured = figure.value;
        one.predicted = metric->value.number();
        one.low80 = (*metric->interval80)[0];
        one.high80 = (*metric->interval80)[1];
        if (time) {
          one.shape = {{"ideal", ideal * again}, {"bubble", bubble}};
          one.parts = sim::step_parts(o.estimate);
        } else {
          const StageMemory& m = o.memory.peak();
          one.parts = {{"weights", m.weights.si()},     {"gradients", m.gradients.si()},
                       {"optimizer", m.optimizer.si()}, {"activations", m.activations.si()},
                       {"working", m.working.si()},     {"buffers", m.buffers.si()},
                       {"context", m.context.si()},     {"fragmentation", m.fragmentation.si()}};
        }
        one.shape.emplace_back("gpus", s.job.gpus);
        out.rows.push_back(std::move(one));
      }
    } catch (const InputError& error) {
      const Problem& problem = error.problems().front();
      const std::string where_in = problem.path.substr(std::min(problem.path.find('$'), problem.path.size()));
      out.skip(("scenario refused: " + where_in + " expects " + problem.expected).substr(0, 64), count);
    }
  }
  return out;
}

}  // namespace gpuplan::calibrate
