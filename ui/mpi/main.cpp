// gpuplan-mpi sweep: `gpuplan sweep` over the ranks of an MPI job. A program of its own, without SimGrid,
// which brings an MPI of its own under the same names; the simulations run in worker processes, `gpuplan
// sweep-worker`, of the gpuplan that lies beside this program (or GPUPLAN_WORKER).
#include <boost/mpi/environment.hpp>
#include <cstdlib>
#include <filesystem>
#include <iostream>

#include "ui/cli/sweep/session.h"
#include "ui/mpi/ranks.h"

namespace gpuplan::mpi {

namespace {

std::vector<std::string> worker_command() {
  if (const char* chosen = std::getenv("GPUPLAN_WORKER"); chosen != nullptr && *chosen != '\0') {
    return {chosen, "sweep-worker"};
  }
  std::error_code error;
  const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe", error);
  return {(self.parent_path() / "gpuplan").string(), "sweep-worker"};
}

int lead(const boost::mpi::communicator& world, const std::vector<std::string>& words) {
  std::optional<cli::SweepArguments> arguments;
  std::optional<sweep::Design> design;
  const int code = cli::exit_code_of([&] {
    if (words.empty() || words[0] != "sweep") {
      throw cli::UsageError{"gpuplan-mpi knows one command: mpirun gpuplan-mpi sweep SCENARIO.json ..."};
    }
    arguments = cli::sweep_arguments({words.begin() + 1, words.end()}, 1);
    if (arguments) {
      design.emplace(arguments->spec);
    }
    return int(cli::kDone);
  });
  if (!design) {
    dismiss(world);
    return code;
  }
  return cli::exit_code_of([&] {
    const sweep::SweepSpec& spec = arguments->spec;
    std::optional<Ranks> ranks;
    try {
      ranks.emplace(world, worker_command(), arguments->jobs,
                    sweep::Opening{spec.name, spec.base_dir, spec.document});
    } catch (...) {
      dismiss(world);  // no worker could be started here
      throw;
    }
    return cli::run_sweep(*arguments, *design, *ranks);
  });
}

}  // namespace

}  // namespace gpuplan::mpi

int main(int argc, char** argv) {
  using namespace gpuplan;
  setenv("NO_COLOR", "1", 0);  // mpirun hands out a terminal that is none
  const boost::mpi::environment environment(argc, argv);
  const boost::mpi::communicator world;
  if (world.rank() == 0) {
    return mpi::lead(world, {argv + 1, argv + argc});
  }
  const int code = cli::exit_code_of([&] {
    mpi::serve(world, mpi::worker_command());
    return int(cli::kDone);
  });
  if (code != cli::kDone) {
    boost::mpi::environment::abort(code);  // rank 0 waits for what this one has taken
  }
  return code;
}
