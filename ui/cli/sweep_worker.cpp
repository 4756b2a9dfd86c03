// gpuplan sweep-worker: answers the runs of a sweep, one line of JSON each, until its input ends. Started by
// `gpuplan sweep` and `gpuplan-mpi sweep`; the lines are those of sim/sweep/answer.h.
#include <elf.h>
#include <fmt/format.h>
#include <link.h>

#include <csignal>
#include <cstdlib>
#include <cstring>
#include <iostream>

#include "hwmodels/catalogue/catalogue.h"
#include "sim/run/evaluate.h"
#include "sim/scenario/scenario_file.h"
#include "sim/sweep/crew.h"
#include "ui/cli/command.h"

namespace gpuplan::cli {

namespace {

// The build id of a loaded program: a hash of what it was linked from, which the linker leaves in a note.
std::string build_id_in(const dl_phdr_info& program) {
  constexpr std::size_t padding = 4;
  const auto padded = [](std::size_t size) { return (size + padding - 1) / padding * padding; };
  for (std::size_t i = 0; i < program.dlpi_phnum; ++i) {
    const ElfW(Phdr)& segment = program.dlpi_phdr[i];
    if (segment.p_type != PT_NOTE) {
      continue;
    }
    // The loader says where it is as a number. NOLINTNEXTLINE(performance-no-int-to-ptr)
    const char* at = reinterpret_cast<const char*>(program.dlpi_addr + segment.p_vaddr);
    const char* const end = at + segment.p_memsz;
    while (at + sizeof(ElfW(Nhdr)) <= end) {
      ElfW(Nhdr) note{};
      std::memcpy(&note, at, sizeof note);
      at += sizeof note;
      if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 && std::memcmp(at, "GNU", 4) == 0) {
        std::string id;
        for (std::size_t byte = 0; byte < note.n_descsz; ++byte) {
          id += fmt::format("{:02x}", static_cast<unsigned char>(at[4 + byte]));
        }
        return id;
      }
      at += padded(note.n_namesz) + padded(note.n_descsz);
    }
  }
  return "";
}

std::string own_build_id() {
  std::string id;
  dl_iterate_phdr(
      [](dl_phdr_info* program, std::size_t /*size*/, void* out) {
        *static_cast<std::string*>(out) = build_id_in(*program);
        return 1;  // the first is the program itself
      },
      &id);
  return id;
}

sweep::Build own_build(const std::string& root) {
  return {
      std::string(kVersion), own_build_id(),
      sweep::fingerprint_of_folders({root + "/hwmodels", root + "/workloads", root + "/calibrate/profiles"})};
}

// For tests of what happens when a worker dies: GPUPLAN_SWEEP_DIE="3@1,5" kills it at run 3 in the first
// attempt, and at run 5 in each.
void die_if_told(const sweep::Request& request) {
  const char* told = std::getenv("GPUPLAN_SWEEP_DIE");
  if (told == nullptr) {
    return;
  }
  const std::string list = "," + std::string(told) + ",", run = "," + std::to_string(request.run);
  if (list.find(run + ",") != std::string::npos ||
      list.find(run + "@" + std::to_string(request.attempt) + ",") != std::string::npos) {
    std::raise(SIGKILL);
  }
}

class Worker {
 public:
  Worker(sweep::Opening opening, const std::string& root)
      : opening_(std::move(opening)), library_(sim::Library::load(root)) {}

  sweep::Answer answer(const sweep::Request& request) const {
    sweep::Answer answer;
    answer.run = request.run;
    try {
      fill(request, answer);
    } catch (const InputError& error) {
      answer.outcome = sweep::Outcome::refused;
      answer.problems = error.problems();
    } catch (const std::exception& error) {
      answer.outcome = sweep::Outcome::failed;
      answer.reason = error.what();
    }
    return answer;
  }

 private:
  void fill(const sweep::Request& request, sweep::Answer& answer) const {
    json::Value document = opening_.document;
    for (const auto& [path, value] : request.settings) {
      json::set_value(document, path, value, "--vary " + path);
    }
    sim::EvaluateOptions how;
    how.resolve_only = request.check_only;
    if (!how.resolve_only) {
      die_if_told(request);
    }
    sim::Evaluation done = sim::evaluate(document, opening_.name, opening_.base_dir, library_, how);
    if (!done.fits) {
      answer.outcome = sweep::Outcome::misfit;
      answer.reason = std::move(done.why_not);
      return;
    }
    answer.figures.reserve(done.result.metrics.size());
    for (sim::Metric& metric : done.result.metrics) {
      answer.figures.push_back({std::move(metric.name), std::move(metric.value), metric.interval80});
    }
  }

  sweep::Opening opening_;
  sim::Library library_;
};

template <class Line>
Line read(const std::string& text, std::optional<Line> (*of)(const json::Value&)) {
  std::optional<Line> line = of(json::parse(text, "sweep-worker"));
  if (!line) {
    throw InputError(Problem{"sweep-worker", text.substr(0, 80), "a line of gpuplan sweep", ""});
  }
  return std::move(*line);
}

}  // namespace

int sweep_worker_command(const std::vector<std::string>& arguments) {
  if (!arguments.empty()) {
    throw UsageError{"sweep-worker: started by gpuplan sweep, takes nothing"};
  }
  sweep::end_with_parent();
  std::signal(SIGINT, SIG_IGN);  // meant for the sweep, which ends its workers
  std::string line;
  if (!std::getline(std::cin, line)) {
    return kDone;
  }
  std::optional<Worker> worker;
  try {
    const std::string root = data_root();
    worker.emplace(read(line, sweep::opening_of), root);
    print(sweep::ready_line(own_build(root)));
  } catch (const InputError& error) {
    print(sweep::broken_line(error.problems()));
    return kBadInput;
  }
  while (std::getline(std::cin, line)) {
    print(json::dump(sweep::to_json(worker->answer(read(line, sweep::request_of)))) + "\n");
  }
  return kDone;
}

}  // namespace gpuplan::cli
