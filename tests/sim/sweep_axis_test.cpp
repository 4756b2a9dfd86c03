// Axes and designs of sweeps: what --vary means, the order of a grid, Latin hypercubes.
#include <catch2/catch.hpp>
#include <cmath>
#include <map>
#include <set>

#include "hwmodels/json/path.h"
#include "hwmodels/json/problem.h"
#include "sim/sweep/design.h"

using namespace gpuplan;
using namespace gpuplan::sweep;

namespace {

std::string values_of(const std::string& text) {
  return json::dump(json::Value(json::Array(parse_axis(text).values)));
}

std::string problem_of(const std::string& text) {
  try {
    parse_axis(text);
  } catch (const InputError& error) {
    return to_string(error.problems().front());
  }
  return "";
}

SweepSpec spec_of(const std::vector<std::string>& axes) {
  SweepSpec spec;
  spec.name = "test";
  spec.document = json::parse(R"({"seed": 7, "traffic": {"rate": 1}, "list": [1, 2]})", "test");
  for (const std::string& axis : axes) {
    spec.axes.push_back(parse_axis(axis));
  }
  return spec;
}

std::vector<std::string> problems_of(const SweepSpec& spec) {
  std::vector<std::string> out;
  try {
    const Design design(spec);
  } catch (const InputError& error) {
    for (const Problem& problem : error.problems()) {
      out.push_back(to_string(problem));
    }
  }
  return out;
}

}  // namespace

TEST_CASE("values of an axis: lists, ranges, JSON") {
  CHECK(values_of("a=1,2.5,true,H100,null") == R"([1,2.5,true,"H100",null])");
  CHECK(values_of("a=\"1\",x:y") == R"(["1","x:y"])");  // quoted: a text; no numbers: no range
  CHECK(values_of(R"(a={"base":"X","m":1},{"base":"Y"})") == R"([{"base":"X","m":1},{"base":"Y"}])");
  CHECK(values_of(R"(a=[{"x":[1,2]},3])") == R"([{"x":[1,2]},3])");
  CHECK(values_of("a=2:20:4") == "[2,8,14,20]");  // steps of 6, whole
  CHECK(values_of("a=1:4:2") == "[1,4]");
  CHECK(values_of("a=0.1:0.5:5") == "[0.1,0.2,0.3,0.4,0.5]");  // and not 0.30000000000000004
  CHECK(values_of("a=1:64:7:log") == "[1,2,4,8,16,32,64]");    // 64 = 2^6
  CHECK(values_of("a=1:100:3:log") == "[1,10,100]");
  CHECK(values_of("a=1e-3:1e3:3:log") == "[0.001,1.0,1000.0]");
  CHECK(values_of("a=-4:4:3") == "[-4,0,4]");
  CHECK(parse_axis("a=1:64:log").values.empty());
  CHECK(parse_axis("a=1:64:log").range == Range{1, 64, true, true});
}

TEST_CASE("an axis that cannot be understood is refused with what was found") {
  CHECK(problem_of("rate").find("no '='") != std::string::npos);
  CHECK(problem_of("=1").find("no path") != std::string::npos);
  CHECK(problem_of("a=").find("no values") != std::string::npos);
  CHECK(problem_of("a=1,,2").find("an empty value") != std::string::npos);
  CHECK(problem_of("a=[]").find("0 values") != std::string::npos);
  CHECK(problem_of("a=1,2,1").find("1 twice") != std::string::npos);
  CHECK(problem_of("a=5:1:3").find("a low end below the high end") != std::string::npos);
  CHECK(problem_of("a=0:1:3:log").find("ends > 0") != std::string::npos);
  CHECK(problem_of("a=1:9:1").find("a count from 2") != std::string::npos);
  CHECK(problem_of("a=1:9:two").find("\"two\" values") != std::string::npos);
  CHECK(problem_of("a=1:9:3:linear").find("\"linear\" after the count") != std::string::npos);
  // 1:4 holds four whole numbers.
  CHECK(problem_of("a=1:4:5").find("1.0:4.0 for fractions") != std::string::npos);
}

TEST_CASE("a grid holds every combination once, the last axis fastest, seeds innermost") {
  SweepSpec spec = spec_of({"traffic.rate=1,2", "x=a,b,c"});
  spec.repeat = 2;
  const Design design(spec);
  REQUIRE(design.points().size() == 6);
  REQUIRE(design.runs() == 12);
  // Point 4 = 1 * 3 + 1: rate 2, x b; its runs are 8 and 9, with the document's seed 7 and the next.
  CHECK(json::dump(json::Value(json::Array(design.points()[4]))) == R"([2,"b"])");
  CHECK(design.point_of(9) == 4);
  CHECK(design.seed_of(8) == 7);
  CHECK(design.seed_of(9) == 8);
  const auto settings = design.settings(9);
  REQUIRE(settings.size() == 3);
  CHECK(settings[2].first == "seed");
  CHECK(settings[2].second.integer() == 8);
  std::set<std::string> seen;
  for (const Point& point : design.points()) {
    seen.insert(json::dump(json::Value(json::Array(point))));
  }
  CHECK(seen.size() == 6);
  spec.repeat = 1;
  CHECK(Design(spec).settings(0).size() == 2);  // one seed: the document's own stays
}

TEST_CASE("a design that makes no sense is refused, all of it at once") {
  SweepSpec spec = spec_of({"list[5]=1,2", "a=1,2", "a=3,4", "b=1:9", "seed=1,2"});
  spec.repeat = 3;
  const std::vector<std::string> problems = problems_of(spec);
  REQUIRE(problems.size() == 4);
  CHECK(problems[0].find("an index outside the array") != std::string::npos);
  CHECK(problems[1].find("given twice") != std::string::npos);
  CHECK(problems[2].find("a range without a count") != std::string::npos);
  CHECK(problems[3].find("--repeat as well") != std::string::npos);
  CHECK(problems_of(spec_of({})).size() == 1);
  CHECK(problems_of(spec_of({"a=1:2000:2000", "b=1:2000:2000"}))[0].find("4000000 runs") !=
        std::string::npos);
}

TEST_CASE("a Latin hypercube hits each stratum of each axis exactly once") {
  SweepSpec spec = spec_of({"a=0.0:1.0", "b=1.0:1000.0:log", "n=1:10", "c=x,y,z"});
  spec.samples = 60;
  const Design design(spec);
  REQUIRE(design.points().size() == 60);
  std::set<int> linear, logarithmic;
  std::map<std::int64_t, int> whole;
  std::map<std::string, int> names;
  for (const Point& point : design.points()) {
    linear.insert(static_cast<int>(std::floor(point[0].number() * 60.0)));
    // Stratum i of b covers 1000^(i/60) to 1000^((i+1)/60).
    logarithmic.insert(static_cast<int>(std::floor(std::log(point[1].number()) / std::log(1000.0) * 60.0)));
    REQUIRE(point[2].is_integer());
    ++whole[point[2].integer()];
    ++names[point[3].string()];
  }
  CHECK(linear.size() == 60);
  CHECK(*linear.begin() == 0);
  CHECK(*linear.rbegin() == 59);
  CHECK(logarithmic.size() == 60);
  CHECK(*logarithmic.begin() == 0);
  CHECK(*logarithmic.rbegin() == 59);
  // 60 strata over ten whole numbers and over three names: 6 and 20 times each.
  REQUIRE(whole.size() == 10);
  for (const auto& [value, count] : whole) {
    INFO(value);
    CHECK(count == 6);
  }
  REQUIRE(names.size() == 3);
  CHECK(names["x"] == 20);
  CHECK(names["z"] == 20);
}

TEST_CASE("samples follow from the seed, and axes are drawn apart") {
  SweepSpec spec = spec_of({"a=0.0:1.0", "b=0.0:1.0"});
  spec.samples = 40;
  const Design one(spec), again(spec);
  CHECK(one.points() == again.points());
  double together = 0.0;
  for (const Point& point : one.points()) {
    together += (point[0].number() - 0.5) * (point[1].number() - 0.5) / 40.0;
  }
  // Uniform axes have a variance of 1/12; independent ones a correlation of 0 +- 1/sqrt(40) = 0.16.
  CHECK(std::abs(together * 12.0) < 0.5);
  json::set_path(spec.document, "seed=8");
  CHECK_FALSE(Design(spec).points() == one.points());
}
