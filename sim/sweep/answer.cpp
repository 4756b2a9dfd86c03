#include "sim/sweep/answer.h"

#include <algorithm>

namespace gpuplan::sweep {

namespace {

constexpr std::array<std::string_view, 4> kOutcomes = {"answered", "does not fit", "refused", "failed"};

std::string text_at(const json::Value& value, std::string_view key) {
  const json::Value* member = value.find(key);
  return member != nullptr && member->is_string() ? member->string() : "";
}

std::optional<std::size_t> run_of(const json::Value& value) {
  const json::Value* run = value.find("run");
  if (run == nullptr || !run->is_integer() || run->integer() < 0) {
    return std::nullopt;
  }
  return static_cast<std::size_t>(run->integer());
}

bool is_interval(const json::Value& value) {
  return value.is_array() && value.array().size() == 2 && value.array()[0].is_number() &&
         value.array()[1].is_number();
}

bool read_figures(const json::Value& value, std::vector<Figure>& figures) {
  const json::Value* metrics = value.find("metrics");
  const json::Value* intervals = value.find("uncertainty");
  if (metrics == nullptr || !metrics->is_object()) {
    return false;
  }
  figures.reserve(metrics->object().size());
  // Intervals come in the order of the metrics: one pass over both.
  std::size_t next = 0;
  for (const auto& [name, figure] : metrics->object()) {
    figures.push_back({name, figure, std::nullopt});
    if (intervals != nullptr && intervals->is_object() && next < intervals->object().size() &&
        intervals->object()[next].first == name) {
      const json::Value& interval = intervals->object()[next++].second;
      if (!is_interval(interval)) {
        return false;
      }
      figures.back().interval80 = {interval.array()[0].number(), interval.array()[1].number()};
    }
  }
  return true;
}

}  // namespace

std::string_view name_of(Outcome outcome) { return kOutcomes[static_cast<std::size_t>(outcome)]; }

bool same(const Answer& a, const Answer& b) {
  return a.outcome == b.outcome && reason_of(a) == reason_of(b) && a.figures == b.figures;
}

std::string reason_of(const Answer& answer) {
  std::string text = answer.reason;
  for (const Problem& problem : answer.problems) {
    text += (text.empty() ? "" : "; ") + to_string(problem);
  }
  return text;
}

json::Value problems_json(const std::vector<Problem>& problems) {
  json::Array out;
  for (const Problem& problem : problems) {
    out.push_back(json::Value(json::Array{json::Value(problem.path), json::Value(problem.found),
                                          json::Value(problem.expected), json::Value(problem.suggestion)}));
  }
  return json::Value(std::move(out));
}

std::vector<Problem> problems_of(const json::Value& value) {
  std::vector<Problem> out;
  if (value.is_array()) {
    for (const json::Value& one : value.array()) {
      if (one.is_array() && one.array().size() == 4 &&
          std::all_of(one.array().begin(), one.array().end(),
                      [](const json::Value& text) { return text.is_string(); })) {
        out.push_back({one.array()[0].string(), one.array()[1].string(), one.array()[2].string(),
                       one.array()[3].string()});
      }
    }
  }
  return out;
}

json::Value to_json(const Answer& answer) {
  json::Object out;
  out.emplace_back("run", json::Value(answer.run));
  out.emplace_back("outcome", json::Value(name_of(answer.outcome)));
  if (!answer.reason.empty()) {
    out.emplace_back("reason", json::Value(answer.reason));
  }
  if (!answer.problems.empty()) {
    out.emplace_back("problems", problems_json(answer.problems));
  }
  if (answer.outcome == Outcome::answered) {
    json::Object metrics, intervals;
    for (const Figure& figure : answer.figures) {
      metrics.emplace_back(figure.name, figure.value);
      if (figure.interval80) {
        const auto& [low, high] = *figure.interval80;
        intervals.emplace_back(figure.name, json::Value(json::Array{json::Value(low), json::Value(high)}));
      }
    }
    out.emplace_back("metrics", json::Value(std::move(metrics)));
    out.emplace_back("uncertainty", json::Value(std::move(intervals)));
  }
  return json::Value(std::move(out));
}

std::optional<Answer> answer_of(const json::Value& value) {
  const std::optional<std::size_t> run = run_of(value);
  const auto outcome = std::find(kOutcomes.begin(), kOutcomes.end(), text_at(value, "outcome"));
  if (!run || outcome == kOutcomes.end()) {
    return std::nullopt;
  }
  Answer answer;
  answer.run = *run;
  answer.outcome = static_cast<Outcome>(outcome - kOutcomes.begin());
  answer.reason = text_at(value, "reason");
  if (const json::Value* problems = value.find("problems")) {
    answer.problems = problems_of(*problems);
  }
  if (answer.outcome == Outcome::answered && !read_figures(value, answer.figures)) {
    return std::nullopt;
  }
  return answer;
}

std::string line_of(const Opening& opening) {
  json::Object out;
  out.emplace_back("name", json::Value(opening.name));
  out.emplace_back("base_dir", json::Value(opening.base_dir));
  out.emplace_back("document", opening.document);
  return json::dump(json::Value(std::move(out))) + "\n";
}

std::optional<Opening> opening_of(const json::Value& value) {
  const json::Value* document = value.find("document");
  if (document == nullptr) {
    return std::nullopt;
  }
  return Opening{text_at(value, "name"), text_at(value, "base_dir"), *document};
}

std::string line_of(const Request& request) {
  json::Array settings;
  for (const auto& [path, value] : request.settings) {
    settings.push_back(json::Value(json::Array{json::Value(path), value}));
  }
  json::Object out;
  out.emplace_back("run", json::Value(request.run));
  out.emplace_back("attempt", json::Value(request.attempt));
  out.emplace_back("check", json::Value(request.check_only));
  out.emplace_back("set", json::Value(std::move(settings)));
  return json::dump(json::Value(std::move(out))) + "\n";
}

std::optional<Request> request_of(const json::Value& value) {
  const std::optional<std::size_t> run = run_of(value);
  const json::Value *attempt = value.find("attempt"), *check = value.find("check"), *set = value.find("set");
  if (!run || attempt == nullptr || !attempt->is_integer() || check == nullptr || !check->is_bool() ||
      set == nullptr || !set->is_array()) {
    return std::nullopt;
  }
  Request request{*run, static_cast<int>(attempt->integer()), check->boolean(), {}};
  for (const json::Value& one : set->array()) {
    if (!one.is_array() || one.array().size() != 2 || !one.array()[0].is_string()) {
      return std::nullopt;
    }
    request.settings.emplace_back(one.array()[0].string(), one.array()[1]);
  }
  return request;
}

}  // namespace gpuplan::sweep
