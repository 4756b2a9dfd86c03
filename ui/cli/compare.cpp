// gpuplan compare: scenarios beside each other in every metric, and whether they differ beyond the error.
#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "hwmodels/json/path.h"
#include "sim/report/difference.h"
#include "sim/report/metric_sense.h"
#include "sim/run/evaluate_all.h"
#include "ui/cli/command.h"
#include "ui/cli/many_runs.h"
#include "ui/cli/metric_format.h"
#include "ui/cli/scenario_options.h"
#include "ui/cli/terminal.h"

namespace gpuplan::cli {

namespace po = boost::program_options;

namespace {

po::options_description described() {
  po::options_description options("options");
  auto add = options.add_options();
  add("json", "print one JSON object instead of text");
  add_scenario_options(options);
  add("with", po::value<std::vector<std::string>>()->composing(),
      "PATH=VALUE[;PATH=VALUE...]: another to compare, the first scenario with these fields set");
  add("jobs", po::value<int>()->default_value(default_jobs()), "scenarios run at once");
  add("quiet", "no progress on standard error");
  add("help", "this text");
  return options;
}

// One scenario set against the first.
struct Comparison {
  std::size_t index = 0;
  bool alike = false;
  double correlation = 0.0;
  std::vector<sim::FieldChange> fields;
  std::vector<sim::Difference> metrics;

  [[nodiscard]] std::size_t count(sim::Verdict verdict) const {
    return static_cast<std::size_t>(std::count_if(
        metrics.begin(), metrics.end(), [&](const sim::Difference& d) { return d.verdict == verdict; }));
  }
};

std::string kind_of(const sim::Result& result) {
  const json::Value* kind = result.scenario.find("kind");
  return kind != nullptr && kind->is_string() ? kind->string() : "";
}

Comparison compare(const std::vector<sim::Answer>& answers, std::size_t index) {
  const sim::Result& a = answers.front().result;
  const sim::Result& b = answers[index].result;
  Comparison out;
  out.index = index;
  out.alike = sim::errors_alike(a.scenario, b.scenario);
  out.correlation = sim::error_correlation(kind_of(a), out.alike);
  out.fields = sim::changed_fields(a.scenario, b.scenario);
  out.metrics = sim::differences(a, b, out.correlation);
  return out;
}

std::string letter(std::size_t index) {
  return index < 26 ? std::string(1, static_cast<char>('A' + index)) : fmt::format("#{}", index + 1);
}

std::string ratio_text(const sim::Difference& d) {
  if (!d.ratio) {
    return "-";
  }
  const std::string ratio = fmt::format("{:.3g}", *d.ratio);
  return d.ratio80 ? fmt::format("{} ({:.2f}..{:.2f})", ratio, (*d.ratio80)[0], (*d.ratio80)[1]) : ratio;
}

Style style_of(sim::Verdict verdict) {
  return verdict == sim::Verdict::better  ? Style::good
         : verdict == sim::Verdict::worse ? Style::bad
                                          : Style::plain;
}

// "better ?" where no error of the metric is known, and it is not computed but simulated.
std::string verdict_text(const sim::Difference& d) {
  const std::string text =
      d.verdict == sim::Verdict::within_error ? "in error" : std::string(name_of(d.verdict));
  return styled(d.ratio80 || sim::is_exact(d.metric) ? text : text + " ?", style_of(d.verdict));
}

std::string metrics_text(const Comparison& c, const std::string& kind) {
  const std::string b = letter(c.index);
  Table table({"metric", "A", b, fmt::format("{}/A (80 %)", b), "verdict"},
              {Table::Align::left, Table::Align::right, Table::Align::right, Table::Align::right,
               Table::Align::left});
  for (const sim::Difference& d : c.metrics) {
    if (d.verdict != sim::Verdict::equal) {
      table.row({short_name(d.metric, kind), metric_text(d.metric, d.a), metric_text(d.metric, d.b),
                 ratio_text(d), verdict_text(d)});
    }
  }
  return table.text();
}

std::string comparison_text(const Comparison& c, const std::string& kind) {
  std::string out = "\n";
  std::string fields;
  for (const sim::FieldChange& change : c.fields) {
    fields += fmt::format("{}{}: {} -> {}", fields.empty() ? "" : "; ", change.path, change.a, change.b);
  }
  out +=
      wrap(fmt::format("{} differs in  {}", letter(c.index), fields.empty() ? "nothing" : fields), 80, 13) +
      "\n";
  out += metrics_text(c, kind);
  const std::size_t equal = c.count(sim::Verdict::equal);
  out += wrap(fmt::format(
                  "{} is better in {} metrics, worse in {}; in {} the difference is inside the error, {} are "
                  "equal and not shown",
                  letter(c.index), c.count(sim::Verdict::better), c.count(sim::Verdict::worse),
                  c.count(sim::Verdict::within_error), equal),
              80, 2) +
         "\n";
  out +=
      styled(wrap(fmt::format("in error: inside the 80 % interval, errors of the two being alike to {:.0f} % "
                              "({}); ?: no interval is known",
                              100.0 * c.correlation, c.alike ? "the same model" : "different models or GPUs"),
                  80, 2),
             Style::dim) +
      "\n";
  return out;
}

std::string text_of(const std::vector<std::string>& files, const std::vector<sim::Answer>& answers,
                    const std::vector<Comparison>& comparisons) {
  std::string out;
  for (std::size_t i = 0; i < files.size(); ++i) {
    std::string limit = answers[i].why;
    if (answers[i].ran() && !answers[i].result.bottlenecks.empty()) {
      const sim::Bottleneck& first = answers[i].result.bottlenecks.front();
      limit = fmt::format("limited by {} ({})", first.resource, percent(first.share));
    }
    const std::string line = fmt::format("{}{}", files[i], limit.empty() ? "" : ": " + limit);
    out += styled(letter(i), Style::heading) + "  " + wrap(line, 77, 3) + "\n";
  }
  for (const Comparison& c : comparisons) {
    out += comparison_text(c, kind_of(answers.front().result));
  }
  return out;
}

json::Value pair_json(const std::optional<std::array<double, 2>>& pair) {
  return pair ? json::Value(json::Array{json::Value((*pair)[0]), json::Value((*pair)[1])}) : json::Value();
}

json::Value json_of(const Comparison& c, const std::string& file) {
  json::Value metrics{json::Object{}};
  for (const sim::Difference& d : c.metrics) {
    json::Value one;
    one["a"] = d.a;
    one["b"] = d.b;
    one["interval_a"] = pair_json(d.interval_a);
    one["interval_b"] = pair_json(d.interval_b);
    one["ratio"] = d.ratio ? json::Value(*d.ratio) : json::Value();
    one["ratio80"] = pair_json(d.ratio80);
    one["verdict"] = sim::name_of(d.verdict);
    metrics[d.metric] = std::move(one);
  }
  json::Value fields{json::Array{}};
  for (const sim::FieldChange& change : c.fields) {
    json::Value one;
    one["path"] = change.path;
    one["a"] = change.a;
    one["b"] = change.b;
    fields.push_back(std::move(one));
  }
  json::Value out;
  out["scenario"] = file;
  out["error_correlation"] = c.correlation;
  out["fields"] = std::move(fields);
  out["metrics"] = std::move(metrics);
  return out;
}

json::Value json_of(const std::vector<std::string>& files, const std::vector<sim::Answer>& answers,
                    const std::vector<Comparison>& comparisons) {
  json::Value scenarios{json::Array{}};
  for (std::size_t i = 0; i < files.size(); ++i) {
    json::Value one;
    one["scenario"] = files[i];
    one["fits"] = answers[i].ran();
    if (!answers[i].ran()) {
      one["why_not"] = answers[i].why;
    }
    scenarios.push_back(std::move(one));
  }
  json::Value out;
  out["schema"] = 1;
  out["scenarios"] = std::move(scenarios);
  json::Value list{json::Array{}};
  for (const Comparison& c : comparisons) {
    list.push_back(json_of(c, files[c.index]));
  }
  out["comparisons"] = std::move(list);
  return out;
}

void one_kind(const std::vector<sim::Asked>& asked) {
  const auto kind = [](const sim::Asked& one) { return one.document.find("kind")->string(); };
  for (const sim::Asked& one : asked) {
    if (kind(one) != kind(asked.front())) {
      throw InputError(Problem{one.name + ": $.kind", "\"" + kind(one) + "\"",
                               "\"" + kind(asked.front()) + "\", the kind of the first: only like compares",
                               ""});
    }
  }
}

// `first` with fields set as "PATH=VALUE;PATH=VALUE" says.
sim::Asked changed(const sim::Asked& first, const std::string& changes) {
  sim::Asked out = first;
  std::size_t at = 0;
  while (at <= changes.size()) {
    const std::size_t end = std::min(changes.find(';', at), changes.size());
    try {
      json::set_path(out.document, changes.substr(at, end - at));
    } catch (const InputError& error) {
      Problem problem = error.problems().front();
      problem.path = "--with " + changes.substr(at, end - at).substr(0, 80);
      throw InputError(std::move(problem));
    }
    at = end + 1;
  }
  return out;
}

}  // namespace

std::vector<std::string> compare_options() { return long_options(described()); }

int compare_command(const std::vector<std::string>& arguments) {
  po::variables_map options;
  if (!parse_options(arguments, command_named("compare"), described(), "scenario", options)) {
    return kDone;
  }
  std::vector<std::string> names = texts_of(options, "scenario");
  const std::vector<std::string> changes = texts_of(options, "with");
  if (names.empty() || names.size() + changes.size() < 2) {
    throw UsageError{
        "compare: two scenario files or more, or one and --with; all are compared with the first"};
  }
  const sim::Library library = sim::Library::load(data_root());
  std::vector<sim::Asked> asked;
  for (const std::string& path : names) {
    const sim::ScenarioFile file = scenario_file(options, path);
    asked.push_back({file.document, file.name, file.base_dir});
  }
  for (const std::string& change : changes) {
    asked.push_back(changed(asked.front(), change));
    names.push_back("the same with " + change);
  }
  const std::vector<sim::Answer> answers = evaluate_here(asked, library, options);
  std::vector<Problem> problems;
  for (const sim::Answer& answer : answers) {
    problems.insert(problems.end(), answer.problems.begin(), answer.problems.end());
  }
  if (!problems.empty()) {
    throw InputError(std::move(problems));
  }
  one_kind(asked);
  std::vector<Comparison> comparisons;
  for (std::size_t i = 1; i < names.size(); ++i) {
    if (answers.front().ran() && answers[i].ran()) {
      comparisons.push_back(compare(answers, i));
    }
  }
  print(options.count("json") > 0 ? json::dump(json_of(names, answers, comparisons), 2) + "\n"
                                  : text_of(names, answers, comparisons));
  return comparisons.empty() ? kDoesNotFit : kDone;
}

}  // namespace gpuplan::cli
