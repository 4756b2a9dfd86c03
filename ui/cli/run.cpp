// gpuplan run: simulate a scenario and report, as text or as the one JSON object of the contract.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <iostream>
#include <memory>

#include "sim/report/kernel_report.h"
#include "sim/report/serving_kernels.h"
#include "sim/report/serving_report.h"
#include "sim/report/silicon_report.h"
#include "sim/report/together_report.h"
#include "sim/report/trace_writer.h"
#include "sim/report/training_report.h"
#include "sim/report/training_trace.h"
#include "sim/serving/simulation.h"
#include "ui/cli/collective_comparison_text.h"
#include "ui/cli/collective_text.h"
#include "ui/cli/command.h"
#include "ui/cli/kernel_scenario_text.h"
#include "ui/cli/kernel_text.h"
#include "ui/cli/many_runs.h"
#include "ui/cli/scenario_options.h"
#include "ui/cli/serving_text.h"
#include "ui/cli/silicon_text.h"
#include "ui/cli/terminal.h"
#include "ui/cli/training_comparison_text.h"
#include "ui/cli/training_text.h"

namespace gpuplan::cli {

namespace po = boost::program_options;

namespace {

po::options_description described() {
  po::options_description options("options");
  auto add = options.add_options();
  add("json", "print one JSON object instead of text");
  add("kernels", "and each kernel's calls, time, shares of peak and occupancy, as a profiler shows them");
  add_scenario_options(options);
  add("trace", po::value<std::string>(), "FILE: write the timeline as Chrome trace JSON (opens in Perfetto)");
  add("all-ranks", "training: simulate every rank, with slow nodes drawn by the seed, not one of each stage");
  add("estimate", "training: the analytic formula instead of a simulation");
  add("quiet", "no progress, no timing on standard error");
  add("help", "this text");
  return options;
}

// `whose`: "one GPU".
std::string kernels_text(const std::string& whose, const sim::KernelTable& table, BytesPerSecond hbm) {
  const std::string legend = fmt::format(
      "{}; SM% and HBM%: of the datasheet's peak; occ.%: of an SM's warps, with the kernels of "
      "the usual libraries",
      whose);
  return "\n" + styled("kernels", Style::heading) + "  " + wrap(legend, 71, 9) + "\n" +
         kernel_table_text(table, hbm);
}

int run_serving(const sim::ScenarioFile& file, const po::variables_map& options) {
  const auto started = std::chrono::steady_clock::now();
  const sim::Library library = sim::Library::load(data_root());
  const sim::ServingScenario scenario =
      sim::resolve_serving(file.document, file.name, file.base_dir, library);
  const bool as_json = options.count("json") > 0;
  if (const std::optional<sim::DoesNotFit> misfit = sim::check_fit(scenario, library)) {
    print(as_json ? json::dump(misfit_json(scenario, *misfit), 2) + "\n" : misfit_text(scenario, *misfit));
    return kDoesNotFit;
  }

  std::unique_ptr<sim::ChromeTraceWriter> timeline;
  if (options.count("trace") > 0) {
    timeline = std::make_unique<sim::ChromeTraceWriter>(options["trace"].as<std::string>(), scenario.replicas,
                                                        scenario.spec.name);
  }
  const bool quiet = options.count("quiet") > 0;
  const bool with_kernels = options.count("kernels") > 0;
  sim::ServingKernels kernels;
  sim::ObserverList observers;
  if (timeline) {
    observers.add(*timeline);
  }
  if (with_kernels) {
    observers.add(kernels);
  }
  sim::ServingOutcome outcome;
  {
    ProgressBar progress;
    outcome = sim::simulate_serving(
        scenario, library.data_dir, timeline || with_kernels ? &observers : nullptr,
        quiet ? sim::Progress{} : [&](double fraction) { progress.show(fraction); });
  }
  if (timeline) {
    timeline->close();
  }
  const sim::Result result = sim::report_serving(scenario, outcome, library);
  if (as_json) {
    json::Value out = result.to_json();
    if (with_kernels) {
      out["kernels"] = to_json(kernels.table(scenario, library.data_dir), scenario.gpu.memory_bandwidth);
    }
    print(json::dump(out, 2) + "\n");
  } else {
    std::string text = serving_text(scenario, outcome, result);
    if (with_kernels) {
      const std::string whose = scenario.replicas > 1
                                    ? fmt::format("one GPU of each of the {} replicas", scenario.replicas)
                                    : "one GPU";
      text += kernels_text(whose, kernels.table(scenario, library.data_dir), scenario.gpu.memory_bandwidth);
    }
    print(text);
  }
  if (!quiet) {
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();
    std::cerr << fmt::format("simulated {} of {} requests in {:.2f} s\n", si(outcome.end.si(), "s"),
                             outcome.arrived, seconds);
  }
  return kDone;
}

// What the cases that run on one machine of a kernel scenario use, one after the other.
sim::KernelTable table_of(const sim::KernelScenario& scenario, const std::vector<sim::KernelRow>& rows,
                          std::size_t machine) {
  sim::KernelTable table;
  for (const sim::KernelRow& row : rows) {
    const sim::KernelCase& one = scenario.cases[row.index];
    const sim::KernelOutcome& outcome = row.outcome;
    if (one.gpu != machine || !outcome.refusal.empty()) {
      continue;
    }
    const double peak = sim::peak_of(one, scenario.machines[machine].gpu).si();
    for (const sim::KernelPart& part : outcome.parts) {
      table.add(part.name, part.price, peak, part.occupancy, part.calls * one.count);
    }
    if (outcome.parts.empty()) {
      table.add(one.label(), outcome.price, peak,
                outcome.occupancy ? outcome.occupancy : outcome.assumed_occupancy, one.count);
    }
  }
  return table;
}

// Exit code 4 where no case at all can run.
int run_kernels(const sim::ScenarioFile& file, const po::variables_map& options) {
  if (options.count("trace") > 0) {
    throw UsageError{"--trace: a kernel scenario has no timeline"};
  }
  const sim::Library library = sim::Library::load(data_root());
  const sim::KernelScenario scenario = sim::resolve_kernels(file.document, file.name, file.base_dir, library);
  const sim::KernelPricer pricer(scenario, library);
  const std::vector<sim::KernelRow> rows = sim::price_kernels(scenario, pricer);
  const sim::KernelReport report = sim::report_kernels(scenario, rows, pricer, library);
  if (options.count("json") > 0) {
    json::Value out = report.result.to_json();
    out["table"] = report.table;
    json::Array findings;
    for (const std::string& finding : report.findings) {
      findings.emplace_back(finding);
    }
    out["findings"] = json::Value(std::move(findings));
    if (options.count("kernels") > 0) {
      out["kernels"] = json::Value(json::Array{});
      for (std::size_t i = 0; i < scenario.machines.size(); ++i) {
        const Gpu& gpu = scenario.machines[i].gpu;
        json::Value kernels = to_json(table_of(scenario, rows, i), gpu.memory_bandwidth);
        for (json::Value& kernel : kernels.array()) {
          kernel["gpu"] = gpu.name;
          out["kernels"].push_back(std::move(kernel));
        }
      }
    }
    print(json::dump(out, 2) + "\n");
  } else {
    std::string text = kernel_scenario_text(scenario, rows, report);
    for (std::size_t i = 0; i < scenario.machines.size() && options.count("kernels") > 0; ++i) {
      const Gpu& gpu = scenario.machines[i].gpu;
      text += kernels_text(gpu.name, table_of(scenario, rows, i), gpu.memory_bandwidth);
    }
    print(text);
  }
  const bool runs = std::any_of(rows.begin(), rows.end(),
                                [](const sim::KernelRow& row) { return row.outcome.refusal.empty(); });
  return runs ? kDone : kDoesNotFit;
}

int run_collectives(const sim::ScenarioFile& file, const po::variables_map& options) {
  if (options.count("kernels") > 0) {
    throw UsageError{"--kernels: a collective scenario has none"};
  }
  const sim::Library library = sim::Library::load(data_root());
  const sim::CollectiveScenario scenario = sim::resolve_collectives(file.document, file.name, library);
  if (sim::compares(scenario)) {
    const sim::CollectiveComparison comparison = sim::compare_collectives(scenario, library);
    if (options.count("json") > 0) {
      json::Value out = comparison.result.to_json();
      out["table"] = comparison.table;
      json::Array findings;
      for (const std::string& finding : sim::findings_of(comparison)) {
        findings.emplace_back(finding);
      }
      out["findings"] = json::Value(std::move(findings));
      print(json::dump(out, 2) + "\n");
    } else {
      print(collective_comparison_text(scenario, comparison));
    }
    return kDone;
  }
  if (options.count("trace") > 0 && scenario.together.empty()) {
    throw UsageError{"--trace: a collective scenario has a timeline with \"together\" only"};
  }
  const std::vector<sim::CollectiveRow> rows = sim::price_collectives(scenario, library);
  sim::CollectiveReport report = sim::report_collectives(scenario, rows, library);
  const std::optional<sim::TogetherResult> together = sim::play_together(scenario, library);
  if (together) {
    sim::report_together(report, *together);
  }
  if (options.count("trace") > 0) {
    write_file(options["trace"].as<std::string>(), json::dump(sim::together_trace(*together)) + "\n");
  }
  if (options.count("json") > 0) {
    json::Value out = report.result.to_json();
    out["table"] = report.table;
    if (together) {
      out["together"] = sim::together_json(*together);
    }
    print(json::dump(out, 2) + "\n");
  } else {
    print(collective_text(scenario, rows, report, together));
  }
  return kDone;
}

// Exit code 4 where no variant fits.
int run_training_study(const sim::ScenarioFile& file, const po::variables_map& options) {
  if (options.count("trace") > 0) {
    throw UsageError{"--trace: of one variant, in a scenario without variants"};
  }
  const sim::Library library = sim::Library::load(data_root());
  const sim::TrainingStudy study =
      sim::resolve_training_study(file.document, file.name, file.base_dir, library);
  sim::ComparisonOptions how;
  how.training.all_ranks = options.count("all-ranks") > 0;
  how.formula = options.count("estimate") > 0;
  std::optional<ProgressBar> progress;
  if (options.count("quiet") == 0) {
    progress.emplace();
    how.progress = [&](double fraction) { progress->show(fraction); };
  }
  const sim::TrainingComparison comparison = sim::compare_training(study, library, how);
  progress.reset();
  print(options.count("json") > 0 ? json::dump(sim::comparison_json(study, comparison), 2) + "\n"
                                  : training_comparison_text(study, comparison));
  return comparison.winner ? kDone : kDoesNotFit;
}

int run_training(const sim::ScenarioFile& file, const po::variables_map& options) {
  if (options.count("kernels") > 0) {
    throw UsageError{"--kernels: not for a training scenario; gpuplan explain names each kernel"};
  }
  const bool as_json = options.count("json") > 0, trace = options.count("trace") > 0;
  const bool all_ranks = options.count("all-ranks") > 0, formula = options.count("estimate") > 0;
  if ((trace && (all_ranks || formula)) || (all_ranks && formula)) {
    throw UsageError{"--trace, --all-ranks and --estimate: one of them"};
  }
  if (sim::compares_training(file.document)) {
    return run_training_study(file, options);
  }
  const sim::Library library = sim::Library::load(data_root());
  const sim::TrainingScenario scenario =
      sim::resolve_training(file.document, file.name, file.base_dir, library);
  if (const std::optional<sim::TrainingMisfit> misfit = sim::check_training_fit(scenario, library)) {
    print(as_json ? json::dump(misfit_json(scenario, *misfit), 2) + "\n" : misfit_text(scenario, *misfit));
    return kDoesNotFit;
  }
  const sim::TrainingOutcome outcome =
      formula ? sim::estimate_training(scenario, library)
              : sim::simulate_training(scenario, library, {.all_ranks = all_ranks, .record = !all_ranks});
  if (trace) {
    if (!outcome.played) {
      throw UsageError{"--trace: this schedule is priced by the formula only"};
    }
    write_file(options["trace"].as<std::string>(),
               json::dump(sim::training_trace(*outcome.program, *outcome.played)) + "\n");
  }
  const sim::Result result = sim::report_training(scenario, outcome, library);
  print(as_json ? json::dump(result.to_json(), 2) + "\n" : training_text(scenario, outcome, result));
  return kDone;
}

int run_silicon(const sim::ScenarioFile& file, const po::variables_map& options) {
  if (options.count("trace") > 0 || options.count("kernels") > 0) {
    throw UsageError{"--trace, --kernels: a silicon scenario has many runs; run one of its workloads"};
  }
  const sim::Library library = sim::Library::load(data_root());
  const sim::SiliconScenario scenario =
      sim::resolve_silicon(file.document, file.name, file.base_dir, library);
  sim::SiliconStudyOptions how;
  how.jobs = default_jobs();
  std::optional<ProgressBar> progress;
  if (options.count("quiet") == 0) {
    progress.emplace();
    how.progress = [&](double fraction) { progress->show(fraction); };
  }
  const sim::SiliconStudy study = sim::study_silicon(scenario, library, how);
  progress.reset();
  print(options.count("json") > 0 ? json::dump(sim::silicon_json(scenario, study), 2) + "\n"
                                  : silicon_text(scenario, study));
  return kDone;
}

}  // namespace

std::vector<std::string> run_options() { return long_options(described()); }

int run_command(const std::vector<std::string>& arguments) {
  po::variables_map options;
  if (!parse_options(arguments, command_named("run"), described(), "scenario", options)) {
    return kDone;
  }
  const auto paths = texts_of(options, "scenario");
  if (paths.size() != 1) {
    throw UsageError{
        fmt::format("run takes one scenario file, not {}; several runs are several commands", paths.size())};
  }
  const sim::ScenarioFile file = scenario_file(options, paths[0]);
  return file.kind == "kernel"       ? run_kernels(file, options)
         : file.kind == "collective" ? run_collectives(file, options)
         : file.kind == "training"   ? run_training(file, options)
         : file.kind == "silicon"    ? run_silicon(file, options)
                                     : run_serving(file, options);
}

}  // namespace gpuplan::cli
