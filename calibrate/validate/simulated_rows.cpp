#include "calibrate/validate/simulated_rows.h"

#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <iostream>

#include "sim/report/kernel_report.h"
#include "sim/report/serving_report.h"
#include "sim/report/training_report.h"
#include "sim/serving/simulation.h"

namespace gpuplan::calibrate {

namespace {

struct Prediction {
  double value = 0.0, low = 0.0, high = 0.0;
};

// The metrics of a result as a line: a name, its value and the ends of its interval, each behind a tab.
std::string line_of(const sim::Result& result) {
  std::string line;
  for (const sim::Metric& metric : result.metrics) {
    if (metric.value.is_number()) {
      const double value = metric.value.number();
      const std::array<double, 2> range = metric.interval80.value_or(std::array<double, 2>{value, value});
      line += fmt::format("{}\t{:.17g}\t{:.17g}\t{:.17g}\t", metric.name, value, range[0], range[1]);
    }
  }
  return line;
}

std::string simulate_kernels(const SimulatedCase& c, const sim::Library& library) {
  const sim::KernelScenario scenario = sim::resolve_kernels(c.scenario, c.where, c.base_dir, library);
  const sim::KernelPricer pricer(scenario, library);
  const std::vector<sim::KernelRow> rows = sim::price_kernels(scenario, pricer);
  return line_of(sim::report_kernels(scenario, rows, pricer, library).result);
}

std::string simulate_steps(const SimulatedCase& c, const sim::Library& library) {
  const sim::TrainingScenario scenario = sim::resolve_training(c.scenario, c.where, c.base_dir, library);
  if (sim::check_training_fit(scenario, library)) {
    return "!does not fit by our memory model";
  }
  return line_of(sim::report_training(scenario, sim::simulate_training(scenario, library), library));
}

// Runs one case; the answer is a line of metrics, or "!reason".
std::string simulate(const SimulatedCase& c, const sim::Library& library) {
  try {
    const json::Value* kind = c.scenario.find("kind");
    if (kind != nullptr && kind->is_string() && kind->string() == "kernel") {
      return simulate_kernels(c, library);
    }
    if (kind != nullptr && kind->is_string() && kind->string() == "training") {
      return simulate_steps(c, library);
    }
    const sim::ServingScenario scenario = sim::resolve_serving(c.scenario, c.where, c.base_dir, library);
    if (sim::check_fit(scenario, library)) {
      return "!does not fit by our memory model";
    }
    sim::ServingOutcome outcome = sim::simulate_serving(scenario, library.data_dir);
    const sim::Result result = sim::report_serving(scenario, outcome, library);
    if (outcome.rejected > 0) {
      return "!requests longer than the KV cache";
    }
    return line_of(result);
  } catch (const InputError& error) {
    return "!scenario refused: " + error.problems().front().path + " expects " +
           error.problems().front().expected;
  }
}

std::map<std::string, Prediction> parse(const std::string& line) {
  std::map<std::string, Prediction> out;
  std::size_t at = 0;
  while (at < line.size()) {
    const std::size_t tab = line.find('\t', at);
    if (tab == std::string::npos) {
      break;
    }
    const std::string name = line.substr(at, tab - at);
    char* end = nullptr;
    Prediction p;
    p.value = std::strtod(line.c_str() + tab, &end);
    p.low = std::strtod(end, &end);
    p.high = std::strtod(end, &end);
    out[name] = p;
    at = static_cast<std::size_t>(end - line.c_str()) + 1;
  }
  return out;
}

// In a child process: answers every `jobs`-th case from the `job`-th on.
[[noreturn]] void work(int out, std::size_t job, std::size_t jobs, const std::vector<SimulatedCase>& cases,
                       const sim::Library& library) {
  std::FILE* stream = fdopen(out, "w");
  for (std::size_t i = job; i < cases.size(); i += jobs) {
    std::string answer = simulate(cases[i], library);
    std::replace(answer.begin(), answer.end(), '\n', ' ');
    std::fprintf(stream, "%zu %s\n", i, answer.c_str());
  }
  std::fclose(stream);
  _exit(0);
}

void collect(int in, std::vector<std::string>& answers) {
  std::FILE* stream = fdopen(in, "r");
  char* line = nullptr;
  std::size_t capacity = 0;
  ssize_t length = 0;
  while ((length = getline(&line, &capacity, stream)) > 0) {
    char* end = nullptr;
    const std::size_t index = std::strtoull(line, &end, 10);
    if (index < answers.size() && *end == ' ' && line[length - 1] == '\n') {
      answers[index].assign(end + 1, static_cast<std::size_t>(line + length - 1 - (end + 1)));
    }
  }
  std::free(line);
  std::fclose(stream);
}

// Answers by case; "" where a child died.
std::vector<std::string> simulate_all(const std::vector<SimulatedCase>& cases, const sim::Library& library,
                                      std::size_t jobs) {
  std::vector<std::string> answers(cases.size());
  std::vector<std::pair<int, pid_t>> children;
  std::cout.flush();  // what is buffered would be written by each child too
  std::fflush(nullptr);
  for (std::size_t job = 0; job < jobs; ++job) {
    std::array<int, 2> ends{};
    if (pipe(ends.data()) != 0) {
      break;
    }
    const pid_t child = fork();
    if (child == 0) {
      close(ends[0]);
      work(ends[1], job, jobs, cases, library);
    }
    close(ends[1]);
    if (child < 0) {
      close(ends[0]);
      break;
    }
    children.emplace_back(ends[0], child);
  }
  for (const auto& [in, child] : children) {
    collect(in, answers);
    int status = 0;
    waitpid(child, &status, 0);
  }
  return answers;
}

}  // namespace

ValidationRows simulate_cases(const std::vector<SimulatedCase>& cases, const sim::Library& library,
                              int jobs) {
  ValidationRows out;
  const std::vector<std::string> answers =
      simulate_all(cases, library, static_cast<std::size_t>(std::max(1, jobs)));
  for (std::size_t i = 0; i < cases.size(); ++i) {
    const SimulatedCase& c = cases[i];
    if (answers[i].empty() || answers[i][0] == '!') {
      out.skip(answers[i].empty() ? "simulation failed" : answers[i].substr(1),
               static_cast<std::int64_t>(c.metrics.size()));
      continue;
    }
    const std::map<std::string, Prediction> predictions = parse(answers[i]);
    for (const MeasuredMetric& metric : c.metrics) {
      const auto found = predictions.find(metric.metric);
      if (found == predictions.end() || found->second.value <= 0.0) {
        out.skip("metric not defined for this load: " + metric.metric);
        continue;
      }
      const Prediction& p = found->second;
      out.rows.push_back({metric.id, metric.key, metric.value, p.value, p.low, p.high});
    }
  }
  return out;
}

}  // namespace gpuplan::calibrate
