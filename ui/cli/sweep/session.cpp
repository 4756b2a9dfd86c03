#include "ui/cli/sweep/session.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <iostream>
#include <set>

#include "sim/sweep/dispatch.h"
#include "sim/sweep/journal.h"
#include "ui/cli/sweep/plot.h"
#include "ui/cli/sweep/view.h"
#include "ui/cli/terminal.h"

namespace gpuplan::cli {

namespace {

volatile std::sig_atomic_t stopped_by = 0;

// What a file name may hold.
std::string file_name_of(const std::string& text) {
  std::string out;
  for (const char c : text.substr(0, 80)) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '.' || c == '_' || c == '-';
    out += plain ? c : '_';
  }
  return out.empty() || out.front() == '.' ? "sweep" + out : out;
}

class Session {
 public:
  Session(const SweepArguments& arguments, const sweep::Design& design, sweep::Workforce& workforce)
      : arguments_(arguments),
        design_(design),
        workforce_(workforce),
        definition_(sweep::definition_of(arguments.spec, workforce.build())),
        journal_(journal_path(), definition_, arguments.resume) {}

  int play() {
    list_pending();
    say_where_it_stands();
    std::signal(SIGINT, [](int signal) { stopped_by = signal; });
    std::signal(SIGTERM, [](int signal) { stopped_by = signal; });
    const bool complete = pending_.empty() || (check() && run());
    std::signal(SIGINT, SIG_DFL);
    std::signal(SIGTERM, SIG_DFL);
    journal_.sync();
    return complete ? show() : say_stopped();
  }

 private:
  std::string journal_path() const {
    if (!arguments_.journal.empty()) {
      return arguments_.journal;
    }
    const json::Value* name = arguments_.spec.document.find("name");
    const std::string stem = name != nullptr && name->is_string() ? name->string() : "sweep";
    const std::string shard =
        arguments_.shard ? fmt::format("{}of{}.", arguments_.shard->index + 1, arguments_.shard->count) : "";
    const std::filesystem::path beside = std::filesystem::path(arguments_.view.csv).parent_path();
    return (beside / fmt::format("{}.{}.{}sweep.jsonl", file_name_of(stem),
                                 sweep::fingerprint_of(definition_).substr(0, 8), shard))
        .string();
  }

  void list_pending() {
    std::vector<bool> done(design_.runs(), false);
    for (const sweep::Answer& answer : journal_.answers()) {
      if (answer.run < done.size() &&
          (answer.outcome != sweep::Outcome::failed || !arguments_.retry_failed)) {
        done[answer.run] = true;
      }
    }
    const Shard shard = arguments_.shard.value_or(Shard{});
    for (std::size_t run = shard.index; run < done.size(); run += shard.count) {
      ++mine_;
      if (!done[run]) {
        pending_.push_back(run);
      }
    }
  }

  void remark(const std::string& text) const {
    if (!arguments_.quiet) {
      std::cerr << wrap(text, 80, 2) << "\n";
    }
  }

  void say_where_it_stands() const {
    if (journal_.unreadable() > 0) {
      remark(fmt::format("{} unreadable lines of {} are left out; their runs are done again",
                         journal_.unreadable(), journal_.path()));
    }
    if (pending_.size() < mine_) {
      remark(fmt::format("{} of {} runs are in {} already", grouped(double(mine_ - pending_.size())),
                         grouped(double(mine_)), journal_.path()));
    }
  }

  sweep::Dispatch dispatch_of(std::vector<std::size_t> runs) const {
    sweep::Dispatch dispatch;
    dispatch.runs = std::move(runs);
    dispatch.request = [this](std::size_t run) {
      sweep::Request request;
      request.run = run;
      request.settings = design_.settings(run);
      return request;
    };
    dispatch.stop = &stopped_by;
    return dispatch;
  }

  // Resolves the scenario of each point before anything runs, with one seed. What is refused is answered by
  // that; where all are, there is nothing to do. False when stopped.
  bool check() {
    std::vector<std::size_t> runs;
    for (const std::size_t run : pending_) {
      if (runs.empty() || design_.point_of(runs.back()) != design_.point_of(run)) {
        runs.push_back(run);
      }
    }
    std::vector<sweep::Answer> refused;
    sweep::Dispatch dispatch = dispatch_of(runs);
    dispatch.check_only = true;
    dispatch.on_answer = [&](sweep::Answer answer) {
      if (answer.outcome == sweep::Outcome::refused) {
        refused.push_back(std::move(answer));
      }
    };
    if (!work_off(dispatch, workforce_)) {
      return false;
    }
    if (refused.size() == design_.points().size()) {
      journal_.discard_if_empty();
      refuse_all(refused);
    }
    std::set<std::size_t> answered;
    for (const sweep::Answer& answer : refused) {
      journal_.append(answer);
      answered.insert(answer.run);
    }
    std::erase_if(pending_, [&](std::size_t one) { return answered.contains(one); });
    if (!refused.empty()) {
      std::sort(refused.begin(), refused.end(), [](const auto& a, const auto& b) { return a.run < b.run; });
      remark(fmt::format("{} of {} points are refused; the first, {}: {}", refused.size(), runs.size(),
                         point_text(refused.front().run), to_string(refused.front().problems.front())));
    }
    return true;
  }

  std::string point_text(std::size_t run) const {
    std::string out;
    for (const auto& [path, value] : design_.settings(run)) {
      out += (out.empty() ? "" : ", ") + path + "=" + sweep::plain(value);
    }
    return out;
  }

  // Each problem once.
  [[noreturn]] static void refuse_all(const std::vector<sweep::Answer>& refused) {
    constexpr std::size_t most = 20;
    std::vector<Problem> problems;
    std::set<std::string> seen;
    for (const sweep::Answer& answer : refused) {
      for (const Problem& problem : answer.problems) {
        if (seen.insert(to_string(problem)).second && problems.size() < most) {
          problems.push_back(problem);
        }
      }
    }
    throw InputError(std::move(problems));
  }

  bool run() {
    using Clock = std::chrono::steady_clock;
    const Clock::time_point began = Clock::now();
    const auto seconds = [&] { return std::chrono::duration<double>(Clock::now() - began).count(); };
    std::optional<ProgressBar> bar;
    if (!arguments_.quiet) {
      bar.emplace();
    }
    std::size_t done = 0;
    sweep::Dispatch dispatch = dispatch_of(pending_);
    dispatch.on_answer = [&](const sweep::Answer& answer) {
      journal_.append(answer);
      if (answer.outcome == sweep::Outcome::answered) {
        look_for_metrics(answer);
      }
      ++done;
      if (bar) {
        const double left = static_cast<double>(pending_.size() - done);
        bar->show(static_cast<double>(mine_) > 0 ? 1.0 - left / static_cast<double>(mine_) : 1.0,
                  seconds() * left / static_cast<double>(done));
      }
    };
    const bool complete = work_off(dispatch, workforce_);
    bar.reset();
    remark(fmt::format("{} {} in {}", grouped(static_cast<double>(done)), done == 1 ? "run" : "runs",
                       si(seconds(), "s")));
    return complete;
  }

  // A misspelt metric is told of when the first answer is there, not at the end.
  void look_for_metrics(const sweep::Answer& answer) {
    if (std::exchange(looked_, true)) {
      return;
    }
    std::vector<std::string> names;
    for (const sweep::Figure& figure : answer.figures) {
      names.push_back(figure.name);
    }
    for (const std::string& text : arguments_.view.metrics) {
      const std::string name = sweep::metric_of(text);
      if (std::find(names.begin(), names.end(), name) == names.end()) {
        remark(fmt::format("no metric {} in the first answer; {}", name, did_you_mean(name, names)));
      }
    }
  }

  int say_stopped() const {
    const std::size_t kept = journal_.answers().size();
    std::cerr << wrap(fmt::format("stopped; {} of {} runs are in {}: the same command goes on from there",
                                  grouped(static_cast<double>(kept)), grouped(static_cast<double>(mine_)),
                                  journal_.path()),
                      80, 2)
              << "\n";
    return 128 + static_cast<int>(stopped_by);
  }

  int show() {
    const sweep::SweepTable table(arguments_.spec, design_,
                                  sweep::by_run(journal_.take_answers(), design_.runs(), journal_.path()));
    if (arguments_.shard && !table.missing().empty()) {
      remark(fmt::format("shard {} of {}: {} of {} runs are in {}; gpuplan merge joins the journals",
                         arguments_.shard->index + 1, arguments_.shard->count,
                         grouped(static_cast<double>(mine_)), grouped(static_cast<double>(design_.runs())),
                         journal_.path()));
      return kDone;
    }
    remark("results are kept in " + journal_.path());
    return show_table(table, arguments_.view);
  }

  const SweepArguments& arguments_;
  const sweep::Design& design_;
  sweep::Workforce& workforce_;
  json::Value definition_;
  sweep::Journal journal_;
  std::vector<std::size_t> pending_;  // runs to do
  std::size_t mine_ = 0;              // runs of this shard
  bool looked_ = false;
};

}  // namespace

int run_sweep(const SweepArguments& arguments, const sweep::Design& design, sweep::Workforce& workforce) {
  const sweep::SweepTable nothing(arguments.spec, design,
                                  std::vector<std::optional<sweep::Answer>>(design.runs()));
  for (const std::string& plot : arguments.view.plots) {
    check_plot_axes(nothing, plot);
  }
  return Session(arguments, design, workforce).play();
}

}  // namespace gpuplan::cli
