#include "ui/cli/many_runs.h"

#include <algorithm>
#include <optional>
#include <thread>

#include "ui/cli/command.h"
#include "ui/cli/terminal.h"

namespace gpuplan::cli {

int default_jobs() { return static_cast<int>(std::clamp(std::thread::hardware_concurrency(), 1u, 1024u)); }

sim::EvaluateAllOptions evaluate_options(const boost::program_options::variables_map& options) {
  const int jobs = options["jobs"].as<int>();
  if (jobs < 1 || jobs > 1024) {
    throw UsageError{"--jobs takes 1 to 1024"};
  }
  sim::EvaluateAllOptions how;
  how.jobs = jobs;
  return how;
}

std::vector<sim::Answer> evaluate_here(const std::vector<sim::Asked>& asked, const sim::Library& library,
                                       const boost::program_options::variables_map& options) {
  sim::EvaluateAllOptions how = evaluate_options(options);
  std::optional<ProgressBar> bar;
  if (options.count("quiet") == 0) {
    bar.emplace();
    how.progress = [&](double done) { bar->show(done); };
  }
  return sim::evaluate_all(asked, library, how);
}

}  // namespace gpuplan::cli
