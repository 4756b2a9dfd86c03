// gpuplan sensitivity: what a metric hangs on.
#include "sim/plan/sensitivity.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "sim/report/metric_sense.h"
#include "ui/cli/command.h"
#include "ui/cli/many_runs.h"
#include "ui/cli/metric_format.h"
#include "ui/cli/scenario_options.h"
#include "ui/cli/terminal.h"

namespace gpuplan::cli {

namespace po = boost::program_options;

namespace {

using Align = Table::Align;

po::options_description described() {
  po::options_description options("options");
  auto add = options.add_options();
  add("json", "print one JSON object instead of text");
  add_scenario_options(options);
  add("jobs", po::value<int>()->default_value(default_jobs()), "runs at once");
  add("top", po::value<int>()->default_value(12), "rows shown of each table");
  add("estimate", "training: the analytic formula instead of a simulation");
  add("quiet", "no progress on standard error");
  add("help", "this text");
  return options;
}

std::string change_text(double ratio) { return fmt::format("{:+.1f} %", 100.0 * (ratio - 1.0)); }

std::string head_text(const sim::Sensitivity& s, const std::string& file) {
  const std::string value = metric_text(s.metric, s.base.value.number());
  std::string interval;
  if (s.base.interval80) {
    interval = fmt::format(" (80 %: {} .. {})", metric_text(s.metric, (*s.base.interval80)[0]),
                           metric_text(s.metric, (*s.base.interval80)[1]));
  }
  std::string out =
      styled(s.metric, Style::heading) + " = " + value + interval + "\n" + wrap("of " + file, 80, 2) + "\n";
  if (!s.result.bottlenecks.empty()) {
    const sim::Bottleneck& first = s.result.bottlenecks.front();
    out += wrap(fmt::format("limited by {} ({}: {})", first.resource, percent(first.share), first.detail), 80,
                2) +
           "\n";
  }
  return out;
}

std::string tried_text(const sim::Elasticity& e) {
  const double low = e.low / e.value, high = e.high / e.value;
  if (low > 0.85 && high < 1.15) {
    return "";  // about 10 %
  }
  return fmt::format("{:.3g}..{:.3g}", e.low, e.high);
}

std::string elasticities_text(const sim::Sensitivity& s, std::size_t top) {
  Table table({"parameter", "value", "lower", "higher", "elasticity", "tried"},
              {Align::left, Align::right, Align::right, Align::right, Align::right, Align::left});
  const double base = s.base.value.number();
  const double least = std::max(0.005, s.noise);
  std::size_t shown = 0, small = 0;
  for (const sim::Elasticity& e : s.elasticities) {
    if (std::abs(e.elasticity) < least) {
      ++small;
    } else if (shown++ < top) {
      table.row({e.name, fmt::format("{:.5g}", e.value), change_text(e.at_low / base),
                 change_text(e.at_high / base), fmt::format("{:+.2f}", e.elasticity), tried_text(e)});
    }
  }
  std::string out =
      "\n" + styled("what moves it", Style::heading) + "  (10 % lower and higher)\n" + table.text();
  std::string rest;
  if (shown > top) {
    rest += fmt::format("{} more move it (--top); ", shown - top);
  }
  rest += fmt::format("{} move it by less than {:.1f} % of their own change", small, 100.0 * least);
  if (s.noise > 0.0) {
    rest += fmt::format("; another seed moves it by {:.1f} %", 100.0 * s.noise);
  }
  if (!s.fixed.empty()) {
    rest += fmt::format("; {} cannot be varied alone", s.fixed.size());
  }
  return out + styled(wrap(rest, 80, 2), Style::dim) + "\n";
}

std::string limits_text(const sim::Sensitivity& s) {
  Table table({"if it cost nothing", s.metric, "at best"}, {Align::left, Align::right, Align::right});
  bool any = false;
  std::string none;
  for (const sim::FreeResource& limit : s.limits) {
    if (limit.gain < 1.005) {
      none += (none.empty() ? "" : ", ") + limit.name;
      continue;
    }
    any = true;
    table.row({limit.name, metric_text(s.metric, limit.metric), fmt::format("{:.2f}x", limit.gain)});
  }
  std::string out =
      "\n" + styled("bounds", Style::heading) + "  (Amdahl: run again with a thousandfold of one resource)\n";
  out += any ? table.text() : "";
  return none.empty() ? out : out + styled(wrap("nothing to gain from: " + none, 80, 2), Style::dim) + "\n";
}

std::string moves_text(const sim::Sensitivity& s, std::size_t top) {
  std::string out = "\n" + styled("single changes", Style::heading) +
                    fmt::format("  ({} tried, {} not possible here)\n", s.moves_tried, s.moves_refused);
  if (s.moves.empty()) {
    return out + "  none makes it better\n";
  }
  Table table({"change", "of", "then", "gain", "80 %", "cost"},
              {Align::left, Align::left, Align::right, Align::right, Align::right, Align::right});
  for (std::size_t i = 0; i < std::min(top, s.moves.size()); ++i) {
    const sim::ChangeOutcome& m = s.moves[i];
    table.row({m.move.text, std::string(name_of(m.move.kind)), metric_text(s.metric, m.metric),
               fmt::format("{:.2f}x", m.gain),
               m.gain80 ? fmt::format("{:.2f}..{:.2f}", (*m.gain80)[0], (*m.gain80)[1]) : "-",
               m.cost_ratio ? fmt::format("x {:.2f}", *m.cost_ratio) : "-"});
  }
  out += table.text();
  out +=
      styled(
          wrap("of: a setting, the numbers' format (accuracy is to be checked) or the machine; cost: USD per "
               "token after over before",
               80, 2),
          Style::dim) +
      "\n";
  const auto best = std::find_if(s.moves.begin(), s.moves.end(), [](const sim::ChangeOutcome& m) {
    return m.move.kind == sim::ChangeKind::setting;
  });
  if (best != s.moves.end()) {
    out += wrap(fmt::format("best with the same hardware and numbers: {} ({:.2f}x)", best->move.text,
                            best->gain),
                80, 2) +
           "\n";
  }
  return out;
}

}  // namespace

std::vector<std::string> sensitivity_options() { return long_options(described()); }

int sensitivity_command(const std::vector<std::string>& arguments) {
  po::variables_map options;
  if (!parse_options(arguments, command_named("sensitivity"), described(), "scenario", options)) {
    return kDone;
  }
  const std::vector<std::string> words = texts_of(options, "scenario");
  if (words.empty() || words.size() > 2) {
    throw UsageError{"sensitivity: a scenario file and a metric are wanted"};
  }
  const sim::ScenarioFile file = scenario_file(options, words[0]);
  const std::string metric = words.size() == 2 ? words[1] : "";
  if (options["top"].as<int>() < 1) {
    throw UsageError{"sensitivity: --top takes 1 or more"};
  }
  sim::EvaluateAllOptions how = evaluate_options(options);
  how.each.formula = options.count("estimate") > 0;
  std::optional<ProgressBar> bar;
  if (options.count("quiet") == 0) {
    bar.emplace();
    how.progress = [&](double done) { bar->show(done); };
  }
  const sim::Library library = sim::Library::load(data_root());
  const sim::Sensitivity s =
      sim::sensitivity_of({file.document, file.name, file.base_dir}, metric, library, how);
  bar.reset();
  const auto top = static_cast<std::size_t>(options["top"].as<int>());
  print(options.count("json") > 0
            ? json::dump(sim::sensitivity_json(s), 2) + "\n"
            : head_text(s, words[0]) + elasticities_text(s, top) + limits_text(s) + moves_text(s, top));
  return kDone;
}

}  // namespace gpuplan::cli
