#include "sim/plan/training_comparison.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace gpuplan::sim {

namespace {

std::vector<StepShare> shares_of(const StepEstimate& e) {
  const auto kernels = [&](std::initializer_list<TrainingPart> parts) {
    double sum = 0.0;
    for (const TrainingPart part : parts) {
      sum += e.kernel_seconds[static_cast<std::size_t>(part)];
    }
    return sum;
  };
  using enum TrainingPart;
  std::vector<StepShare> out = {{"matrices and attention", kernels({gemm, attention, experts})},
                                {"norms and other passes over memory", kernels({elementwise})},
                                {"embedding, output and loss", kernels({head})},
                                {"optimiser", kernels({optimizer})},
                                {"communication that nothing hides", e.exposed.si()},
                                {"pipeline bubble", e.bubble.si()},
                                {"host launches", e.launch_bound_seconds},
                                {"transfer to the host", e.transfer.si()},
                                {"kernels slowed by collectives", e.slowed.si()}};
  double sum = 0.0;
  for (const StepShare& share : out) {
    sum += share.seconds;
  }
  out.push_back({"once a step and slow nodes", e.step.si() - sum});
  return out;
}

// Runs cases with models that it keeps by GPU.
class Runner {
 public:
  Runner(const Library& library, const ComparisonOptions& options)
      : library_(library),
        options_(options),
        collectives_(collectives::CollectiveModel::load(library.data_dir)) {}

  CaseOutcome run(const TrainingCase& one) {
    CaseOutcome out;
    out.name = one.name;
    if (!one.scenario) {
      out.why_not = one.refusal;
      return out;
    }
    const kernels::KernelModel& kernels = kernels_of(*one.scenario);
    if (!one.search) {
      take(*one.scenario, kernels, out);
      return out;
    }
    const TrainingPlan plan = plan_training(*one.scenario, kernels, collectives_);
    out.usable = plan.usable;
    if (!plan.top.empty()) {
      const PlannedSplit& best = plan.top[plan.chosen];
      out.split = text_of(best.candidate.point);
      take(with_split(*one.scenario, best), kernels, out);
      return out;
    }
    const PlanCandidate* smallest = nullptr;
    for (const StrategyResult& strategy : plan.search.strategies) {
      if (strategy.smallest && (smallest == nullptr || strategy.smallest->memory < smallest->memory)) {
        smallest = &*strategy.smallest;
      }
    }
    out.why_not = smallest == nullptr ? "no split within its plan keeps the rules"
                                      : "no split within its plan; nearest: " + text_of(smallest->point);
    if (smallest != nullptr) {
      out.memory = Bytes(smallest->memory);
      out.short_by = out.memory - (plan.usable - plan.margin);
    }
    return out;
  }

 private:
  void take(const TrainingScenario& s, const kernels::KernelModel& kernels, CaseOutcome& out) const {
    const TrainingMemory memory = plan_training_memory(s.machine.gpu, s.job);
    out.gpus = s.job.gpus;
    out.tokens = s.job.tokens();
    out.memory = memory.peak().total();
    out.usable = memory.usable;
    if (!memory.fits()) {
      out.short_by = out.memory - out.usable;
      out.why_not = fmt::format("most of it {}", largest_class(memory.peak()));
      out.result.scenario = resolved_json(s);
      add_memory_metrics(memory.peak(), out.result);
      return;
    }
    const TrainingOutcome o = options_.formula
                                  ? estimate_training(s, kernels, collectives_)
                                  : simulate_training(s, kernels, collectives_, options_.training);
    out.result = report_training(s, o, library_);
    out.shares = shares_of(o.estimate);
    out.step = o.estimate.step.si();
    out.spread80 = o.estimate.spread80;
    out.flops_again = o.estimate.hardware_flops / o.estimate.model_flops - 1.0;
  }

  const kernels::KernelModel& kernels_of(const TrainingScenario& s) {
    auto& model = kernels_[json::dump(s.spec.machine.gpu)];
    if (!model) {
      model = std::make_unique<kernels::KernelModel>(
          kernels::KernelModel::for_gpu(s.machine.gpu, library_.data_dir));
    }
    return *model;
  }

  const Library& library_;
  const ComparisonOptions& options_;
  collectives::CollectiveModel collectives_;
  std::map<std::string, std::unique_ptr<kernels::KernelModel>> kernels_;
};

// The fastest; the first of equals.
std::optional<std::size_t> fastest(const std::vector<CaseOutcome>& cases) {
  std::optional<std::size_t> out;
  for (std::size_t i = 0; i < cases.size(); ++i) {
    if (cases[i].runs() && (!out || cases[i].tokens_per_s() > cases[*out].tokens_per_s())) {
      out = i;
    }
  }
  return out;
}

std::optional<std::size_t> cheapest(const std::vector<CaseOutcome>& cases) {
  const auto price = [&](std::size_t i) { return cases[i].result.number("cost.usd_per_million_tokens"); };
  std::optional<std::size_t> out;
  for (std::size_t i = 0; i < cases.size(); ++i) {
    if (cases[i].runs() && price(i) > 0.0 && (!out || price(i) < price(*out))) {
      out = i;
    }
  }
  return out;
}

Loser loser_of(const std::vector<CaseOutcome>& cases, std::size_t index, const CaseOutcome& winner) {
  const CaseOutcome& one = cases[index];
  Loser out;
  out.index = index;
  out.ratio = winner.tokens_per_s() / one.tokens_per_s();
  out.intervals_overlap = out.ratio / (1.0 + one.spread80) <= 1.0 + winner.spread80;
  const double scale = winner.tokens / one.tokens;
  for (std::size_t i = 0; i < winner.shares.size(); ++i) {
    const double more = scale * one.shares[i].seconds - winner.shares[i].seconds;
    const bool twice = i == 0 && one.flops_again > winner.flops_again + 0.01;
    out.why.push_back(
        {one.shares[i].what +
             (twice ? fmt::format(" ({:.0f} % of the FLOPs twice)", 100.0 * one.flops_again) : ""),
         more});
  }
  std::stable_sort(out.why.begin(), out.why.end(), [](const StepShare& a, const StepShare& b) {
    return std::abs(a.seconds) > std::abs(b.seconds);
  });
  // What makes up less than a twentieth of the difference, or of 1 % of the step, explains nothing.
  const double least = std::max(0.05 * (out.ratio - 1.0), 0.0005) * winner.step;
  std::erase_if(out.why, [&](const StepShare& share) { return std::abs(share.seconds) < least; });
  return out;
}

SweepOutcome run_sweep(const TrainingSweep& sweep, Runner& runner, const std::function<void()>& tick) {
  SweepOutcome out;
  out.path = sweep.path;
  out.values = sweep.values;
  std::vector<std::optional<double>> values;
  std::vector<std::vector<double>> costs;
  for (std::size_t i = 0; i < sweep.values.size(); ++i) {
    values.push_back(sweep.values[i].is_number() ? std::optional(sweep.values[i].number()) : std::nullopt);
    std::vector<double>& row = costs.emplace_back();
    std::vector<CaseOutcome>& cases = out.cases.emplace_back();
    for (const TrainingCase& one : sweep.cases[i]) {
      cases.push_back(runner.run(one));
      row.push_back(cases.back().runs() ? 1.0 / cases.back().tokens_per_s() : kCannotRun);
      tick();
    }
  }
  out.leads = leads_of(values, costs, TrainingComparison::kTooClose);
  return out;
}

}  // namespace

TrainingComparison compare_training(const TrainingStudy& study, const Library& library,
                                    const ComparisonOptions& options) {
  std::size_t total = study.variants.size(), done = 0;
  for (const TrainingSweep& sweep : study.sweeps) {
    total += sweep.values.size() * study.variants.size();
  }
  const auto tick = [&] {
    ++done;
    if (options.progress) {
      options.progress(static_cast<double>(done) / static_cast<double>(total));
    }
  };
  Runner runner(library, options);
  TrainingComparison out;
  for (const TrainingCase& one : study.variants) {
    out.variants.push_back(runner.run(one));
    tick();
  }
  out.winner = fastest(out.variants);
  out.cheapest = cheapest(out.variants);
  for (std::size_t i = 0; out.winner && i < out.variants.size(); ++i) {
    if (i != *out.winner && out.variants[i].runs()) {
      out.losers.push_back(loser_of(out.variants, i, out.variants[*out.winner]));
    }
  }
  for (const TrainingSweep& sweep : study.sweeps) {
    out.sweeps.push_back(run_sweep(sweep, runner, tick));
  }
  return out;
}

}  // namespace gpuplan::sim
