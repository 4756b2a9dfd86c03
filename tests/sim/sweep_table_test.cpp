// The table of a sweep: summaries, best points, Pareto sets, effects, CSV and JSON.
#include <catch2/catch.hpp>
#include <cmath>
#include <random>

#include "hwmodels/json/problem.h"
#include "sim/sweep/effects.h"
#include "sim/sweep/pareto.h"
#include "sim/sweep/table.h"

using namespace gpuplan;
using namespace gpuplan::sweep;

namespace {

SweepSpec grid(const std::vector<std::string>& axes, std::size_t repeat = 1) {
  SweepSpec spec;
  spec.name = "test";
  spec.document = json::parse(R"({"name": "t", "seed": 1, "p": {"rate": 1}, "q": {"rate": 1}})", "test");
  for (const std::string& axis : axes) {
    spec.axes.push_back(parse_axis(axis));
  }
  spec.repeat = repeat;
  return spec;
}

std::optional<Answer> answered(std::size_t run, std::vector<Figure> figures) {
  Answer answer;
  answer.run = run;
  answer.figures = std::move(figures);
  return answer;
}
std::optional<Answer> refused(std::size_t run) {
  Answer answer;
  answer.run = run;
  answer.outcome = Outcome::refused;
  answer.problems = {{"t: $.p", "\"a\"", "b", ""}};
  return answer;
}

}  // namespace

TEST_CASE("a Pareto set is what brute force says") {
  std::mt19937_64 random(11);
  for (int round = 0; round < 40; ++round) {
    std::vector<std::vector<double>> rows(60);
    const std::size_t width = 1 + random() % 4;
    for (std::vector<double>& row : rows) {
      for (std::size_t i = 0; i < width; ++i) {
        // Few values, so that equal ones are common; now and then none.
        row.push_back(random() % 40 == 0 ? std::nan("") : static_cast<double>(random() % 12));
      }
    }
    const auto has_none = [](const std::vector<double>& row) {
      return std::any_of(row.begin(), row.end(), [](double v) { return std::isnan(v); });
    };
    std::vector<std::size_t> expected;
    for (std::size_t i = 0; i < rows.size(); ++i) {
      bool beaten = has_none(rows[i]);
      for (std::size_t j = 0; j < rows.size() && !beaten; ++j) {
        bool as_good = !has_none(rows[j]), better = false;
        for (std::size_t k = 0; k < width; ++k) {
          as_good = as_good && rows[j][k] <= rows[i][k];
          better = better || rows[j][k] < rows[i][k];
        }
        beaten = as_good && better;
      }
      if (!beaten) {
        expected.push_back(i);
      }
    }
    CHECK(pareto_set(rows) == expected);
  }
  CHECK(pareto_set({}).empty());
}

TEST_CASE("mean, spread and range over the seeds of a point") {
  const SweepSpec spec = grid({"a=1,2"}, 3);
  const Design design(spec);
  std::vector<std::optional<Answer>> answers(6);
  // Point 0: 1, 2, 6: mean 3, deviations -2, -1, 3, variance (4 + 1 + 9) / 2 = 7.
  for (const auto& [run, value] : {std::pair{0U, 1.0}, {1U, 2.0}, {2U, 6.0}}) {
    answers[run] = answered(run, {{"m.time", json::Value(value), {}}, {"m.limiter", json::Value("x"), {}}});
  }
  answers[3] = answered(3, {{"m.time", json::Value(4.0), {}}, {"m.limiter", json::Value("y"), {}}});
  answers[4] = refused(4);
  const SweepTable table(spec, design, answers);
  const Summary first = *table.summary(0, "m.time");
  CHECK(first.mean == Approx(3.0));
  CHECK(first.spread == Approx(std::sqrt(7.0)));
  CHECK(first.low == 1.0);
  CHECK(first.high == 6.0);
  CHECK(first.count == 3);
  CHECK(table.summary(1, "m.time")->count == 1);
  CHECK(table.summary(1, "m.time")->spread == 0.0);
  CHECK_FALSE(table.summary(0, "m.limiter"));
  CHECK(table.text(0, "m.limiter") == "x");
  CHECK(table.missing() == std::vector<std::size_t>{5});
  CHECK(table.setback(1) == nullptr);  // one of its runs is answered
  CHECK(*table.best({"m.time", false}) == 0);
  CHECK(*table.best({"m.time", true}) == 1);
  CHECK_FALSE(table.best({"m.none", true}));
  CHECK_THROWS_AS(table.known_metric("m.tim"), InputError);
  // Same points as JSON: mean 3 of point 0.
  const json::Value out = table.to_json({"m.time"});
  CHECK(out.find("points")->array()[0].find("metrics")->find("m.time")->find("mean")->number() ==
        Approx(3.0));
  CHECK(out.find("rows")->array()[5].find("outcome")->string() == "missing");
  CHECK(out.find("best")->find("m.time")->find("point")->integer() == 0);
}

TEST_CASE("CSV quotes what must be quoted and has every metric with its interval") {
  const SweepSpec spec = grid({R"(p.rate=1,"x,y",{"base":"A"})"});
  const Design design(spec);
  std::vector<std::optional<Answer>> answers(3);
  answers[0] = answered(0, {{"m.time", json::Value(0.5), std::array{0.25, 1.0}}});
  answers[1] = answered(1, {{"m.time", json::Value(2), {}}, {"m.name", json::Value("say \"hi\""), {}}});
  answers[2] = refused(2);
  CHECK(SweepTable(spec, design, answers).csv() ==
        "point,p.rate,outcome,reason,m.time,m.time.low80,m.time.high80,m.name\n"
        "0,1,answered,,0.5,0.25,1.0,\n"
        "1,\"x,y\",answered,,2,,,\"say \"\"hi\"\"\"\n"
        "2,\"{\"\"base\"\":\"\"A\"\"}\",refused,\"t: $.p: found \"\"a\"\"; expected b\",,,,\n");
}

TEST_CASE("axes are called by the shortest end of their path that is theirs alone") {
  const SweepSpec spec = grid({"p.rate=1,2", "q.rate=3,4", "machine.gpus=1,2"});
  const Design design(spec);
  const SweepTable table(spec, design, std::vector<std::optional<Answer>>(8));
  CHECK(table.axis_labels() == std::vector<std::string>{"p.rate", "q.rate", "gpus"});
  CHECK(*table.axis_named("gpus") == 2);
  CHECK(*table.axis_named("machine.gpus") == 2);
  CHECK(*table.axis_named("q.rate") == 1);
  CHECK_FALSE(table.axis_named("rate"));                       // of which?
  CHECK(table.point_text(5) == "p.rate=2, q.rate=3, gpus=2");  // 5 = 1 * 4 + 0 * 2 + 1
  CHECK(*table.number(5, "q.rate") == 3.0);
}

TEST_CASE("values of axes are written as people write them") {
  CHECK(plain(json::Value("H100")) == "H100");
  CHECK(brief(json::Value(4)) == "4");
  CHECK(brief(json::Value(2.0)) == "2");
  CHECK(brief(json::Value(4.38078661066)) == "4.3808");
  CHECK(brief(json::parse(R"({"base": "H100", "memory_gb": 40})", "test")) == "H100 memory_gb=40");
  CHECK(brief(json::parse("[1, 2]", "test")) == "[1,2]");
}

TEST_CASE("effects: each axis alone around the middle point") {
  // y = 10 a + b, a in 1..3, b in 1, 5: the middle is a = 2 (of three), b = 1 (the lower of two).
  const SweepSpec spec = grid({"a=1,2,3", "b=1,5"});
  const Design design(spec);
  std::vector<std::optional<Answer>> answers;
  for (std::size_t run = 0; run < 6; ++run) {
    const double a = design.points()[run][0].number(), b = design.points()[run][1].number();
    answers.push_back(answered(run, {{"y", json::Value(10.0 * a + b), {}}}));
  }
  const Effects effects = effects_of(SweepTable(spec, design, answers), "y");
  CHECK(effects.middle == 2);
  CHECK(effects.value == 21.0);
  REQUIRE(effects.axes.size() == 2);
  CHECK(effects.axes[0].axis == 0);  // 11 to 31 is wider than 21 to 25
  CHECK(effects.axes[0].low == 11.0);
  CHECK(effects.axes[0].high == 31.0);
  CHECK(effects.axes[0].at_high.integer() == 3);
  CHECK(effects.axes[1].low == 21.0);
  CHECK(effects.axes[1].high == 25.0);
  CHECK(effects.axes[1].at_high.integer() == 5);

  answers[0] = refused(0);  // a = 1, b = 1
  const Effects without = effects_of(SweepTable(spec, design, answers), "y");
  CHECK(without.axes[0].low == 21.0);
  CHECK(without.axes[0].without == 1);
  answers[2] = refused(2);
  CHECK_THROWS_AS(effects_of(SweepTable(spec, design, answers), "y"), InputError);
  SweepSpec sample = grid({"a=1:3"});
  sample.samples = 2;
  CHECK_THROWS_AS(effects_of(SweepTable(sample, Design(sample), std::vector<std::optional<Answer>>(2)), "y"),
                  InputError);
}

TEST_CASE("which way is better is known by the name, or said") {
  CHECK_FALSE(goal_of("serving.ttft.p99")->highest);
  CHECK(goal_of("serving.output_tokens_per_s")->highest);
  CHECK(goal_of("training.mfu")->highest);
  CHECK_FALSE(goal_of("training.memory.total_per_gpu")->highest);
  CHECK_FALSE(goal_of("cost.usd_per_million_tokens")->highest);
  CHECK_FALSE(goal_of("kernel.gemm[m=8].time")->highest);
  CHECK_FALSE(goal_of("util.hbm"));
  CHECK_FALSE(goal_of("serving.kv_blocks"));
  CHECK(goal_of("max:util.hbm")->highest);
  CHECK(goal_of("min:serving.output_tokens_per_s")->metric == "serving.output_tokens_per_s");
  CHECK_FALSE(goal_of("min:serving.output_tokens_per_s")->highest);
  CHECK(headline_of({"a.b", "serving.tpot.mean", "serving.ttft.mean"}) ==
        std::vector<std::string>{"serving.ttft.mean", "serving.tpot.mean"});
  CHECK(headline_of({"collective.all_reduce[bytes=1].algbw", "collective.all_reduce[bytes=1].time"}) ==
        std::vector<std::string>{"collective.all_reduce[bytes=1].time"});
}
