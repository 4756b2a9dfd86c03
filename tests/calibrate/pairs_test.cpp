#include "calibrate/validate/pairs.h"

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include "hwmodels/json/problem.h"

using namespace gpuplan;
using namespace gpuplan::calibrate;

namespace {

ValidationRow row(const std::string& id, double predicted, const std::string& metric = "training.step_time") {
  return {id, {{"metric", metric}}, 1.0, predicted, 0.0, 10.0};
}

std::string file(const std::string& text) {
  const auto path = std::filesystem::temp_directory_path() / ("gpuplan-pairs-" + std::to_string(getpid()));
  std::ofstream(path) << text;
  return path.string();
}

}  // namespace

TEST_CASE("Pairs: the faster is named right, wrong, or nobody can tell") {
  ValidationRows rows;
  rows.rows = {row("slow", 2.0), row("fast", 1.0), row("even", 1.01), row("other#3", 5.0),
               row("odd", 1.0, "training.mfu")};
  const std::vector<MeasuredPair> pairs = {
      {"slow", "fast", "prec", "", 0.6},    // predicted 0.5: right
      {"fast", "slow", "prec", "", 1.2},    // predicted 2: right
      {"fast", "even", "prec", "", 0.8},    // predicted 1.01: wrong
      {"fast", "even", "tp", "", 1.02},     // too close to call
      {"fast", "gone", "tp", "", 2.0},      // not predicted
      {"fast", "odd", "tp", "", 2.0},       // nothing that both have
      {"slow", "other", "tp", "", 3.0},     // the id's suffix does not matter: right
      {"slow", "fast", "tp", "mfu", 0.5}};  // a figure that neither has
  const PairSummary s = compare_pairs(pairs, rows);
  CHECK(s.overall.count == 4);
  CHECK(s.overall.right == 3);
  CHECK(s.by_knob.at("prec").right_fraction() == Approx(2.0 / 3.0));
  CHECK(s.by_knob.at("tp").count == 1);
  CHECK(s.skipped.at("less than 3 % apart") == 1);
  CHECK(s.skipped.at("one of the two was not predicted") == 1);
  CHECK(s.skipped.at("no figure that both have") == 2);
  const json::Value out = to_json(s);
  CHECK(out.find("count")->integer() == 4);
  CHECK(out.find("right_fraction")->number() == Approx(0.75));
  CHECK(out.find("by_knob")->find("tp")->find("right_fraction")->number() == 1.0);
}

TEST_CASE("Pairs: what is wrong with a file is said where it is") {
  CHECK(read_pairs(file(R"([{"a": "x", "b": "y", "ratio": 0.5, "knob": "tp", "more": 1}])")).size() == 1);
  const std::pair<const char*, const char*> wrong[] = {
      {"{}", "a list of pairs"},
      {R"([{"a": "x", "b": "y"}])", "$[0].ratio"},
      {R"([{"a": "x", "ratio": 2}])", "$[0].b"},
      {R"([{"a": 1, "b": "y", "ratio": 2}])", "$[0].a"},
      {R"([{"a": "x", "b": "y", "ratio": -2}])", "$[0].ratio"},
      {"[7]", "$[0]"}};
  for (const auto& [text, where] : wrong) {
    INFO(text);
    try {
      read_pairs(file(text));
      FAIL("accepted");
    } catch (const InputError& error) {
      CHECK(std::string(error.what()).find(where) != std::string::npos);
    }
  }
}
