// A training job that does not fit: by how much, which tensors, and which single changes would fit.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "sim/report/training_report.h"

namespace gpuplan::sim {

namespace {

// A change to the job, as --set would write it.
struct Change {
  std::string text;
  TrainingJob job;
};

std::vector<Change> changes_of(const TrainingJob& job) {
  std::vector<Change> out;
  const auto add = [&](std::string text, auto change) {
    Change one{std::move(text), job};
    change(one.job);
    std::vector<Problem> problems;
    resolve_job(one.job, "$", problems);
    if (problems.empty()) {
      out.push_back(std::move(one));
    }
  };
  if (job.recompute == Recompute::none && *job.software.attention == AttentionKernel::standard) {
    add("recompute=selective", [](TrainingJob& j) { j.recompute = Recompute::selective; });
  }
  for (const Sharding s : {Sharding::zero1, Sharding::zero2, Sharding::fsdp}) {
    if (job.data() > 1 && s > job.parallelism.sharding) {
      add(fmt::format("parallelism.sharding={}", json::name_of(s)),
          [&](TrainingJob& j) { j.parallelism.sharding = s; });
    }
  }
  if (job.recompute != Recompute::full) {
    add("recompute=full", [](TrainingJob& j) {
      j.recompute = Recompute::full;
      j.recompute_layers = 0;
    });
  }
  for (int micro = job.batch.micro_batch / 2; micro >= 1; micro /= 2) {
    add(fmt::format("batch.micro_batch={}", micro), [&](TrainingJob& j) { j.batch.micro_batch = micro; });
  }
  if (job.parallelism.tensor > 1 && !job.sequence_parallel()) {
    add("parallelism.sequence_parallel=true", [](TrainingJob& j) { j.parallelism.sequence_parallel = true; });
  }
  if (job.optimizer == Optimizer::adamw) {
    add("optimizer=adamw_8bit", [](TrainingJob& j) { j.optimizer = Optimizer::adamw_8bit; });
  }
  if (job.offload == Offload::none) {
    add("offload=optimizer", [](TrainingJob& j) { j.offload = Offload::optimizer; });
  }
  if (job.offload != Offload::none && job.offload_to == OffloadTo::host) {
    add("offload_to=nvme", [](TrainingJob& j) { j.offload_to = OffloadTo::nvme; });
  }
  if (job.offload == Offload::optimizer) {
    add("offload=optimizer_and_weights", [](TrainingJob& j) { j.offload = Offload::optimizer_and_weights; });
  }
  if (job.fine_tune.method == FineTune::full) {
    add("fine_tune.method=lora", [](TrainingJob& j) { j.fine_tune.method = FineTune::lora; });
    add("fine_tune.method=qlora", [](TrainingJob& j) { j.fine_tune.method = FineTune::qlora; });
  }
  return out;
}

}  // namespace

std::string largest_class(const StageMemory& m) {
  const std::array<std::pair<const char*, Bytes>, 5> classes = {{{"weights", m.weights},
                                                                 {"gradients", m.gradients},
                                                                 {"optimizer", m.optimizer},
                                                                 {"activations", m.activations + m.working},
                                                                 {"buffers", m.buffers + m.context}}};
  return std::max_element(classes.begin(), classes.end(),
                          [](const auto& a, const auto& b) { return a.second < b.second; })
      ->first;
}

std::optional<TrainingMisfit> check_training_fit(const TrainingScenario& s, const Library& library) {
  TrainingMemory memory = plan_training_memory(s.machine.gpu, s.job);
  TrainingMisfit out;
  out.host = host_use(s.machine, s.job);
  if (memory.fits() && out.host.fits()) {
    return std::nullopt;
  }
  out.culprit = largest_class(memory.peak());
  if (memory.fits()) {
    out.place = out.host.short_of();
    out.short_by = out.host.short_by();
    out.culprit = s.job.offload == Offload::optimizer ? "optimizer" : "optimizer and weights";
  } else {
    out.short_by = memory.peak().total() - memory.usable;
  }
  const auto kernels = kernels::KernelModel::for_gpu(s.machine.gpu, library.data_dir);
  const auto collectives = collectives::CollectiveModel::load(library.data_dir);
  const TrainingEstimator estimator(s.machine, kernels, collectives);
  std::vector<std::pair<double, std::string>> fits;
  for (const Change& change : changes_of(s.job)) {
    if (plan_training_memory(s.machine.gpu, change.job).fits() && host_use(s.machine, change.job).fits()) {
      const double step = estimator.estimate(change.job, lower_training(change.job)).step.si();
      fits.emplace_back(change.job.fine_tune.method == s.job.fine_tune.method ? step : 1e9 + step,
                        fmt::format("{}  ({:.4g} s a step)", change.text, step));
    }
  }
  std::stable_sort(fits.begin(), fits.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  for (auto& [step, text] : fits) {
    out.remedies.push_back(std::move(text));
  }
  out.memory = std::move(memory);
  return out;
}

json::Value misfit_json(const TrainingScenario& s, const TrainingMisfit& misfit) {
  json::Value out;
  out["schema"] = 1;
  out["scenario"] = resolved_json(s);
  json::Value& m = out["does_not_fit"];
  const StageMemory& peak = misfit.memory.peak();
  m["place"] = misfit.place;
  m["short_by"] = misfit.short_by.si();
  m["usable"] = misfit.memory.usable.si();
  m["total"] = peak.total().si();
  m["stage"] = peak.stage;
  m["culprit"] = misfit.culprit;
  m["weights"] = peak.weights.si();
  m["gradients"] = peak.gradients.si();
  m["optimizer"] = peak.optimizer.si();
  m["activations"] = (peak.activations + peak.working).si();
  m["buffers"] = (peak.buffers + peak.context + peak.fragmentation).si();
  if (s.job.offload != Offload::none) {
    m["host_memory"] = misfit.host.memory.si();
    m["host_memory_usable"] = misfit.host.memory_usable.si();
    m["nvme"] = misfit.host.nvme.si();
    m["nvme_usable"] = misfit.host.nvme_usable.si();
  }
  json::Array remedies;
  for (const std::string& remedy : misfit.remedies) {
    remedies.emplace_back(remedy);
  }
  m["remedies"] = json::Value(std::move(remedies));
  return out;
}

}  // namespace gpuplan::sim
