// Speed of a serving run: requests, tokens and engine events per CPU-second.
//   bench_serving SCENARIO.json [PATH=VALUE...]
// With valgrind --tool=callgrind the instruction count over the tokens printed is instructions per simulated
// token. CPU time is the process's own, start-up and loading included.
#include <fmt/format.h>
#include <sys/resource.h>

#include <cstdio>
#include <ctime>

#include "sim/serving/simulation.h"

int main(int argc, char** argv) {
  using namespace gpuplan;
  if (argc < 2) {
    std::fputs("usage: bench_serving SCENARIO.json [PATH=VALUE...]\n", stderr);
    return 2;
  }
  try {
    const sim::ScenarioFile file = sim::load_scenario_file(argv[1], {argv + 2, argv + argc});
    const sim::Library library = sim::Library::load(data_root());
    const sim::ServingScenario scenario =
        sim::resolve_serving(file.document, file.name, file.base_dir, library);
    const sim::ServingOutcome outcome = sim::simulate_serving(scenario, library.data_dir);
    const double seconds = static_cast<double>(std::clock()) / CLOCKS_PER_SEC;
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    const double requests = static_cast<double>(outcome.completed);
    fmt::print("requests {:.0f}, tokens {:.0f}, steps {}, events {}\n", requests, outcome.computed_tokens,
               outcome.steps, outcome.events);
    fmt::print("CPU {:.3f} s, {:.1f} MB resident\n", seconds, static_cast<double>(usage.ru_maxrss) / 1024.0);
    fmt::print("per CPU-second: {:.0f} requests, {:.0f} tokens, {:.0f} engine events\n", requests / seconds,
               outcome.computed_tokens / seconds, static_cast<double>(outcome.events) / seconds);
  } catch (const InputError& error) {
    std::fputs((std::string(error.what()) + "\n").c_str(), stderr);
    return 3;
  }
  return 0;
}
