// One call for scenarios of every kind.
#include "sim/run/evaluate.h"

#include <catch2/catch.hpp>

#include "hwmodels/json/path.h"
#include "hwmodels/json/problem.h"
#include "tests/sim/sim_testing.h"

using namespace gpuplan;
using namespace gpuplan::sim;

namespace {

json::Value scenario(const std::string& file) {
  return json::parse_file(std::string(GPUPLAN_SOURCE_DIR) + "/scenarios/" + file);
}

Evaluation answer(const json::Value& document) { return evaluate(document, "test", ".", library()); }

}  // namespace

TEST_CASE("scenarios of every kind are answered, and alike whatever ran before") {
  const char* files[] = {"kernel/resnet50-roofline-a100.json", "collective/64-gpus-five-networks.json",
                         "training/resnet50-8xa100.json"};
  std::vector<std::string> first;
  for (const char* file : files) {
    INFO(file);
    const Evaluation one = answer(scenario(file));
    CHECK(one.fits);
    CHECK(one.result.metrics.size() > 3);
    first.push_back(json::dump(one.result.to_json()));
  }
  json::Value serving = scenario("serving/llama2-13b-4xh100.json");
  json::set_path(serving, "traffic.requests=400");
  const std::string served = json::dump(answer(serving).result.to_json());
  for (std::size_t i = 0; i < first.size(); ++i) {
    CHECK(json::dump(answer(scenario(files[i])).result.to_json()) == first[i]);
  }
  CHECK(json::dump(answer(serving).result.to_json()) == served);
}

TEST_CASE("what does not fit is an answer, and an unknown kind a problem with the nearest") {
  json::Value serving = scenario("serving/llama2-13b-4xh100.json");
  json::set_path(serving, R"(machine.gpu={"base": "H100-SXM5-80GB", "memory_gb": 20})");
  const Evaluation small = answer(serving);
  CHECK_FALSE(small.fits);
  CHECK(small.why_not.find("GB short") != std::string::npos);
  CHECK(small.result.metrics.empty());

  try {
    answer(json::parse(R"({"kind": "servin"})", "test"));
    FAIL("accepted");
  } catch (const InputError& error) {
    CHECK(error.problems().front().path == "test: $.kind");
    CHECK(error.problems().front().suggestion.find("serving") != std::string::npos);
  }
}

TEST_CASE("resolving only runs nothing, and refuses what running would") {
  EvaluateOptions how;
  how.resolve_only = true;
  for (const char* file :
       {"kernel/resnet50-roofline-a100.json", "collective/64-gpus-five-networks.json",
        "training/resnet50-8xa100.json", "serving/llama2-13b-4xh100.json", "silicon/two-mm2.json"}) {
    INFO(file);
    json::Value document = scenario(file);
    const std::string folder = GPUPLAN_SOURCE_DIR "/scenarios/silicon";
    CHECK(evaluate(document, "test", folder, library(), how).result.metrics.empty());
    json::set_path(document, "machine.gpu=H1000");
    CHECK_THROWS_AS(evaluate(document, "test", folder, library(), how), InputError);
  }
}

TEST_CASE("a path finds what set_path has set, and nothing that is not there") {
  json::Value document = json::parse(R"({"a": {"b": [1, {"c": 2}]}, "gpu": "X"})", "test");
  REQUIRE(json::find_at(document, "a.b[1].c") != nullptr);
  CHECK(json::find_at(document, "$.a.b[1].c")->number() == 2.0);
  CHECK(json::find_at(document, "a.b[2]") == nullptr);
  CHECK(json::find_at(document, "a.b[x]") == nullptr);
  CHECK(json::find_at(document, "a.c.d") == nullptr);
  json::set_path(document, "gpu.memory_gb=96");
  CHECK(json::find_at(document, "gpu.memory_gb")->number() == 96.0);
  CHECK(json::find_at(document, "gpu.base")->string() == "X");  // what it is laid over
  CHECK_THROWS_AS(json::set_path(document, "a.b[7]=1"), InputError);
}
