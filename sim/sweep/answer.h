// What a run of a sweep came to, and how it is said on one line of JSON: between processes and in the
// journal.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "hwmodels/json/problem.h"
#include "hwmodels/json/value.h"

namespace gpuplan::sweep {

enum class Outcome {
  answered,  // it ran: figures
  misfit,    // the model does not fit: reason
  refused,   // the scenario is not valid: problems
  failed,    // the process that ran it died, again and again: reason
};
std::string_view name_of(Outcome outcome);  // "answered", "does not fit", "refused", "failed"

struct Figure {
  std::string name;   // "serving.ttft.p50"
  json::Value value;  // a number in SI base units, or a string
  std::optional<std::array<double, 2>> interval80;
  bool operator==(const Figure&) const = default;
};

struct Answer {
  std::size_t run = 0;
  Outcome outcome = Outcome::answered;
  std::string reason;
  std::vector<Problem> problems;
  std::vector<Figure> figures;
};
// Alike in everything but the run.
bool same(const Answer& a, const Answer& b);
// Why there are no figures, on one line.
std::string reason_of(const Answer& answer);

json::Value to_json(const Answer& answer);
// nullopt where `value` is no answer.
std::optional<Answer> answer_of(const json::Value& value);

json::Value problems_json(const std::vector<Problem>& problems);
std::vector<Problem> problems_of(const json::Value& value);

// What a worker is asked: first to open a scenario, then run after run.
struct Opening {
  std::string name, base_dir;
  json::Value document;
};
struct Request {
  std::size_t run = 0;
  int attempt = 1;          // 2: a worker died of it before
  bool check_only = false;  // resolve, do not run
  std::vector<std::pair<std::string, json::Value>> settings;
};
std::string line_of(const Opening& opening);
std::string line_of(const Request& request);
std::optional<Opening> opening_of(const json::Value& value);
std::optional<Request> request_of(const json::Value& value);

}  // namespace gpuplan::sweep
