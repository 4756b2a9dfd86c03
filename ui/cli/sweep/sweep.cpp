// gpuplan sweep: a scenario over values of its fields, on the processes of this machine.
#include <algorithm>
#include <thread>

#include "sim/sweep/crew.h"
#include "ui/cli/sweep/session.h"

namespace gpuplan::cli {

namespace {

std::size_t cores() { return std::max(1U, std::thread::hardware_concurrency()); }

}  // namespace

std::vector<std::string> sweep_options() { return long_options(sweep_described(cores())); }

int sweep_command(const std::vector<std::string>& words) {
  const std::optional<SweepArguments> arguments = sweep_arguments(words, cores());
  if (!arguments) {
    return kDone;
  }
  const sweep::Design design(arguments->spec);
  const sweep::SweepSpec& spec = arguments->spec;
  // The program that runs now, even where its file has been replaced.
  sweep::Crew crew({"/proc/self/exe", "sweep-worker"}, std::min(arguments->jobs, design.runs()),
                   {spec.name, spec.base_dir, spec.document});
  return run_sweep(*arguments, design, crew);
}

}  // namespace gpuplan::cli
