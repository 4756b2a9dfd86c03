// gpuplan plan: the best splits of a training job over the GPUs of its machine.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <csignal>
#include <thread>

#include "sim/plan/training_plan.h"
#include "ui/cli/command.h"
#include "ui/cli/scenario_options.h"
#include "ui/cli/terminal.h"

namespace gpuplan::cli {

namespace po = boost::program_options;

namespace {

volatile std::sig_atomic_t stop_asked = 0;

po::options_description described() {
  po::options_description options("options");
  auto add = options.add_options();
  add("json", "print one JSON object instead of text");
  add_scenario_options(options);
  add("write", po::value<std::string>(), "FILE: write the recommended split as a scenario");
  add("jobs",
      po::value<int>()->default_value(static_cast<int>(std::max(1U, std::thread::hardware_concurrency()))),
      "N: worker processes");
  add("quiet", "no progress on standard error");
  add("help", "this text");
  return options;
}

std::string gigabytes(double bytes) { return fmt::format("{:.1f}", bytes * 1e-9); }

// `right` over as many lines as it needs, all of them behind the columns of `left`.
std::string item(const std::string& left, const std::string& right) {
  const std::size_t indent = columns(left);
  const std::string filler(indent - 1, '.');
  return left + wrap(filler + " " + right, 80, indent).substr(indent) + "\n";
}

// "$0.115" a million tokens.
std::string money(double usd) { return fmt::format("${:.3g}", usd); }

std::string nodes_of(const sim::PlanPoint& point) {
  return fmt::format("{} {}", point.nodes, point.nodes == 1 ? "node" : "nodes");
}

std::string best_text(const sim::TrainingScenario& s, const sim::TrainingPlan& plan) {
  const sim::PlannedSplit& best = plan.top[plan.chosen];
  const double step = best.step.si();
  std::string out = "\n" + styled("recommended", Style::heading) + "\n";
  out += "  " + wrap(sim::text_of(best.candidate.point), 78, 2) + "\n";
  const bool images = s.job.sees_images();
  out += fmt::format("  {} a step (80 %: {} to {}), {:.0f} {}/s/GPU, MFU {}\n",
                     styled(si(step, "s"), Style::good), si(step / (1.0 + best.spread80), "s"),
                     si(step * (1.0 + best.spread80), "s"),
                     images ? best.samples_per_s_per_gpu : best.tokens_per_s_per_gpu,
                     images ? "images" : "tokens", percent(best.mfu));
  if (best.usd_per_million_tokens) {
    out += fmt::format(
        "  {} per million tokens{}\n", money(*best.usd_per_million_tokens),
        s.spec.cost.chosen() == sim::Acquisition::owned ? ", owned, electricity included" : ", rented");
  }
  out += fmt::format("  {} GB of {} usable; {} kept free besides ({} of it)\n",
                     gigabytes(best.candidate.memory), gigabytes(plan.usable.si()),
                     gigabytes(plan.margin.si()), percent(s.spec.plan.memory_margin));
  if (plan.own) {
    const double own = plan.own->step.si();
    out += fmt::format("  the scenario's own split{} takes {} ({:+.1f} %)\n",
                       plan.own->candidate.point.nodes == best.candidate.point.nodes
                           ? ""
                           : ", on " + nodes_of(plan.own->candidate.point) + ",",
                       si(own, "s"), 100.0 * (own / step - 1.0));
  }
  if (plan.cheapest && plan.cheapest->usd_per_million_tokens && best.usd_per_million_tokens &&
      *plan.cheapest->usd_per_million_tokens < 0.99 * *best.usd_per_million_tokens) {
    out += "  " +
           wrap(fmt::format("cheapest: {} per million tokens at {} a step, on {}: {}",
                            money(*plan.cheapest->usd_per_million_tokens), si(plan.cheapest->step.si(), "s"),
                            nodes_of(plan.cheapest->candidate.point),
                            sim::text_of(plan.cheapest->candidate.point)),
                78, 4) +
           "\n";
  }
  if (plan.chosen > 0) {
    out += fmt::format("  the simplest within {} of the fastest ({})\n", percent(s.spec.plan.tie),
                       si(plan.top.front().step.si(), "s"));
  }
  return out;
}

std::string top_text(const sim::TrainingPlan& plan) {
  std::string out =
      "\n" + styled("fastest", Style::heading) + "   step on the engine, formula, memory in GB\n";
  for (std::size_t i = 0; i < plan.top.size(); ++i) {
    const sim::PlannedSplit& one = plan.top[i];
    out += item(fmt::format("{}{:>9} {:>9} {:>6}  ", i == plan.chosen ? "> " : "  ", si(one.step.si(), "s"),
                            si(one.candidate.step, "s"), gigabytes(one.candidate.memory)),
                sim::text_of(one.candidate.point));
  }
  return out;
}

// Fastest, smallest, cheapest, and those between them.
std::string front_text(const sim::TrainingScenario& s, const sim::TrainingPlan& plan) {
  constexpr std::size_t shown = 8;
  const bool nodes = s.spec.plan.nodes.size() > 1, priced = s.rates.usd_per_hour.has_value();
  const std::vector<sim::PlanCandidate>& front = plan.search.front;
  std::string out = "\n" + styled("Pareto front", Style::heading) +
                    fmt::format("   time, memory, {} a million tokens; {} of {}, by the formula\n",
                                priced ? "USD" : "GPU seconds", std::min(shown, front.size()), front.size());
  std::vector<std::size_t> places;
  for (std::size_t i = 0; i < std::min(shown, front.size()); ++i) {
    // Spread evenly from the fastest to the slowest.
    places.push_back(front.size() <= shown ? i : i * (front.size() - 1) / (shown - 1));
  }
  const auto mark = [&](const sim::PlanCandidate* one) {
    const auto at = static_cast<std::size_t>(one - front.data());
    if (std::find(places.begin(), places.end(), at) == places.end()) {
      places.push_back(at);
    }
  };
  mark(plan.search.cheapest());
  mark(&*std::min_element(front.begin(), front.end(),
                          [](const auto& a, const auto& b) { return a.memory < b.memory; }));
  std::sort(places.begin(), places.end());
  for (const std::size_t at : places) {
    const sim::PlanCandidate& one = front[at];
    out += item(fmt::format("  {:>9} {:>6} GB {:>7}  ", si(one.step, "s"), gigabytes(one.memory),
                            priced ? money(one.cost) : fmt::format("{:.3g}", one.cost)),
                fmt::format("{}{}", nodes ? nodes_of(one.point) + ": " : "", sim::text_of(one.point)));
  }
  return out;
}

// The fastest on each number of nodes.
std::string nodes_text(const sim::TrainingPlan& plan) {
  if (plan.by_nodes.empty()) {
    return "";
  }
  std::string out = "\n" + styled("nodes", Style::heading) +
                    "   the fastest on so many: step, tokens/s/GPU, USD per million tokens\n";
  for (const sim::PlannedSplit& one : plan.by_nodes) {
    out += item(fmt::format("  {:>5} {:>9} {:>8} {:>7}  ", one.candidate.point.nodes, si(one.step.si(), "s"),
                            grouped(one.tokens_per_s_per_gpu),
                            one.usd_per_million_tokens ? money(*one.usd_per_million_tokens) : "-"),
                sim::text_of(one.candidate.point));
  }
  return out;
}

std::string strategies_text(const sim::TrainingPlan& plan) {
  std::string out = "\n" + styled("why the others lose", Style::heading) + "   best of each strategy\n";
  for (const sim::StrategyPlan& one : plan.strategies) {
    const std::string name = fmt::format("  {:<24}", json::name_of(one.strategy));
    if (!one.best) {
      out += item(fmt::format("{}{:>9}  ", name, "-"), one.why);
      continue;
    }
    const double over = one.best->step / plan.strategies.front().best->step - 1.0;
    const std::string verdict = over <= 0.0   ? "fastest"
                                : over < 0.01 ? fmt::format("{:+.1f} %: as good", 100.0 * over)
                                              : fmt::format("{:+.1f} %: {}", 100.0 * over,
                                                            one.why.empty() ? "in the engine" : one.why);
    out += item(fmt::format("{}{:>9}  ", name, si(one.best->step.si(), "s")), verdict);
    out += item(std::string(6, ' '), sim::text_of(one.best->candidate.point));
  }
  if (plan.tensor_over_fsdp > 0.0) {
    const double over = plan.tensor_over_fsdp - 1.0;
    const bool close = std::abs(over) < sim::TrainingPlan::kTooClose;
    out += "\n" +
           wrap(fmt::format(
                    "FSDP alone against the best with tensor parallelism: {}",
                    close ? fmt::format("too close to call ({:+.1f} %)", 100.0 * over)
                          : fmt::format("{} by {:.1f} %", over > 0.0 ? "FSDP" : "tensor parallelism",
                                        100.0 * (over > 0.0 ? over : 1.0 / plan.tensor_over_fsdp - 1.0))),
                80, 2) +
           "\n";
  }
  return out;
}

std::string plan_text(const sim::TrainingScenario& s, const sim::TrainingPlan& plan) {
  const sim::SearchResult& r = plan.search;
  std::string out = styled(s.spec.name, Style::heading) + "\n";
  const std::vector<int>& nodes = s.spec.plan.nodes;
  const auto [least, most] = std::minmax_element(nodes.begin(), nodes.end());
  const int from = nodes.empty() ? s.machine.nodes : *least, to = nodes.empty() ? from : *most;
  const int each = s.machine.gpus_per_node;
  out += wrap(fmt::format(
                  "{} on {} x {}: {} splits tried, {} legal, {} fit", s.job.model.name,
                  from < to ? fmt::format("{} to {}", from * each, to * each) : std::to_string(to * each),
                  s.machine.gpu.name, grouped(static_cast<double>(r.candidates)),
                  grouped(static_cast<double>(r.legal)), grouped(static_cast<double>(r.fit))),
              80, 0) +
         "\n";
  if (s.job.convnet() != nullptr) {
    out += wrap(
               "a convolutional network is split over data alone: micro-batch, sharding and recomputation "
               "are searched",
               80, 0) +
           "\n";
  }
  if (!r.complete()) {
    out +=
        styled(fmt::format("stopped: {} of {} groups of splits done", r.splits_done, r.splits), Style::bad) +
        "\n";
  }
  if (plan.top.empty()) {
    out += "\n" + styled("nothing fits", Style::bad) + "\n";
    for (const auto& [rule, splits] : plan.search.illegal) {
      if (rule.starts_with("offload")) {
        out += fmt::format("{} splits offload more than the memory or drives of a node hold\n",
                           grouped(static_cast<double>(splits)));
      }
    }
  } else {
    out += best_text(s, plan) + top_text(plan) + nodes_text(plan) + front_text(s, plan);
  }
  return out + (plan.strategies.empty() ? "" : strategies_text(plan));
}

}  // namespace

std::vector<std::string> plan_options() { return long_options(described()); }

int plan_command(const std::vector<std::string>& arguments) {
  po::variables_map options;
  if (!parse_options(arguments, command_named("plan"), described(), "scenario", options)) {
    return kDone;
  }
  const std::vector<std::string> files = texts_of(options, "scenario");
  if (files.size() != 1) {
    throw UsageError{"plan: exactly one scenario file is wanted"};
  }
  const int jobs = options["jobs"].as<int>();
  if (jobs < 1 || jobs > 1024) {
    throw UsageError{"plan: --jobs takes 1 to 1024"};
  }
  const sim::ScenarioFile file = scenario_file(options, files[0]);
  const sim::Library library = sim::Library::load(data_root());
  const sim::TrainingScenario s =
      sim::resolve_training(file.document, file.name, file.base_dir, library, sim::SplitCheck::open);
  std::signal(SIGINT, [](int) { stop_asked = 1; });
  sim::SearchOptions search;
  search.jobs = jobs;
  search.stop = &stop_asked;
  std::optional<ProgressBar> bar;
  if (options.count("quiet") == 0) {
    bar.emplace();
    search.progress = [&](double done, double left) { bar->show(done, left); };
  }
  const sim::TrainingPlan plan = sim::plan_training(s, library, search);
  bar.reset();
  print(options.count("json") > 0 ? json::dump(sim::plan_json(s, plan), 2) + "\n" : plan_text(s, plan));
  if (plan.top.empty()) {
    return plan.search.complete() ? kDoesNotFit : kDone;
  }
  if (options.count("write") > 0) {
    const json::Value best = sim::resolved_json(sim::with_split(s, plan.top[plan.chosen]));
    write_file(options["write"].as<std::string>(), json::dump(best, 2) + "\n");
  }
  return kDone;
}

}  // namespace gpuplan::cli
