// gpuplan schema against the library of scenarios, and against what the loader takes.
#include <map>
#include <nlohmann/json.hpp>

#include "tests/json_schema.h"
#include "tests/ui/cli_testing.h"

TEST_CASE("the library of scenarios holds to the schema, by a validator that is not ours") {
  using Json = nlohmann::json;
  std::map<std::string, JsonSchema> schemas;
  for (const std::string kind : {"serving", "training", "kernel", "collective", "silicon", "profile"}) {
    schemas.try_emplace(kind, gpuplan_command("schema " + kind).out);
  }
  const auto valid_as = [&](const char* kind, const Json& scenario) {
    return schemas.at(kind).valid(scenario.dump());
  };
  const auto valid = [&](const Json& scenario) { return valid_as("serving", scenario); };
  Json one;
  for (const auto& entry : fs::recursive_directory_iterator(fs::path(GPUPLAN_SOURCE_DIR) / "scenarios")) {
    if (entry.path().extension() == ".json") {
      INFO(entry.path().string());
      one = Json::parse(slurp(entry.path()));
      CHECK(valid_as(one["kind"].get<std::string>().c_str(), one));
    }
  }
  Json kernel = Json::parse(slurp(fs::path(GPUPLAN_SOURCE_DIR) / "scenarios/kernel/fp8-vs-bf16.json"));
  CHECK_FALSE(valid(kernel));
  kernel["kernels"][0]["m"] = 16;
  CHECK(valid_as("kernel", kernel));
  kernel["kernels"][0]["m"] = Json::array({1, "two"});
  CHECK_FALSE(valid_as("kernel", kernel));
  kernel["kernels"][0]["m"] = 16;
  kernel["kernels"][0]["op"] = "gem";
  CHECK_FALSE(valid_as("kernel", kernel));
  one = Json::parse(slurp(fs::path(GPUPLAN_SOURCE_DIR) / "scenarios/serving/llama2-13b-4xh100.json"));
  const std::pair<const char*, Json> wrong[] = {{"/schema", 2},
                                                {"/kind", "surfing"},
                                                {"/machine/gpus", "four"},
                                                {"/traffic/arrivals/process", "poison"},
                                                {"/traffic/arrivals/rate", -1},
                                                {"/engine/shedule", "fcfs"}};
  for (const auto& [where, value] : wrong) {
    INFO(where << " = " << value.dump());
    Json bad = one;
    bad[Json::json_pointer(where)] = value;
    CHECK_FALSE(valid(bad));
  }
}

TEST_CASE("cli: the schema of cluster files takes what the loader takes", "[cli]") {
  const JsonSchema schema(gpuplan_command("schema cluster").out);
  const auto agrees = [&](const std::string& text) {
    const bool valid = schema.valid(text);
    CHECK(valid == (gpuplan_command("topology " + sandbox().file("agrees.json", text)).code == 0));
    return valid;
  };
  CHECK(agrees(R"({"node": "DGX-H100"})"));
  CHECK(agrees(R"({"node": "DGX-H100", "nodes": 4, "nics": 4,
                   "fabric": {"kind": "dragonfly", "leaf_down": 2, "pod_leaves": 2, "efficiency": 0.9}})"));
  CHECK_FALSE(agrees(R"({"nodes": 4})"));
  CHECK_FALSE(agrees(R"({"node": "DGX-H100", "fabric": {"oversubscription": 0.5}})"));
  CHECK_FALSE(agrees(R"({"node": "DGX-H100", "fabric": {"levels": 4}})"));
  CHECK_FALSE(agrees(R"({"node": "DGX-H100", "fabrics": {}})"));
}
